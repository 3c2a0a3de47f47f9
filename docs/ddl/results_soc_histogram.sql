CREATE EXTERNAL TABLE IF NOT EXISTS `results_soc_histogram` (
  `vin` string COMMENT 'vehicle identification number',
  `date` date COMMENT 'UTC day',
  `soc_bin` double COMMENT 'lower end of a bin of 10 %, percent',
  `hours` double COMMENT 'time of the day in the bin, h',
  `share` double COMMENT 'of the day\'s observed time'
)
PARTITIONED BY (
  `file_date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/soc_histogram/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_date.format' = 'yyyy-MM-dd',
  'projection.file_date.interval' = '1',
  'projection.file_date.interval.unit' = 'DAYS',
  'projection.file_date.range' = '2010-01-01,NOW',
  'projection.file_date.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/soc_histogram/date=${file_date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_cell_imbalance` (
  `vin` string COMMENT 'vehicle identification number',
  `date` date COMMENT 'UTC day',
  `n` bigint COMMENT 'readings with both cell voltages',
  `imbalance_median_mv` double COMMENT 'highest less lowest cell, median, mV',
  `imbalance_p95_mv` double COMMENT '95th percentile, mV',
  `imbalance_rest_mv` double COMMENT 'median at rest or below 5 A; null without such readings, mV',
  `cell_voltage_min_v` double COMMENT 'lowest cell of the day, V',
  `soc_at_min_percent` double COMMENT 'state of charge at that moment, percent',
  `reasons` array<string> COMMENT 'why a figure is missing'
)
PARTITIONED BY (
  `file_date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/cell_imbalance/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_date.format' = 'yyyy-MM-dd',
  'projection.file_date.interval' = '1',
  'projection.file_date.interval.unit' = 'DAYS',
  'projection.file_date.range' = '2010-01-01,NOW',
  'projection.file_date.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/cell_imbalance/date=${file_date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_data_quality` (
  `vin` string COMMENT 'vehicle identification number',
  `date` date COMMENT 'UTC day',
  `rows` bigint COMMENT 'cleaned rows',
  `first_seen` timestamp COMMENT 'first row of the day',
  `last_seen` timestamp COMMENT 'last row of the day',
  `coverage_percent` double COMMENT 'share of the day\'s 144 ten-minute slots with a message or known sleep, percent',
  `longest_gap_min` double COMMENT 'longest time between two rows, min',
  `soc_readings` bigint COMMENT 'rows with a state of charge',
  `odometer_readings` bigint COMMENT 'rows with an odometer',
  `current_readings` bigint COMMENT 'rows with a pack current',
  `position_readings` bigint COMMENT 'rows with a position',
  `odometer_km` double COMMENT 'newest of the day, km',
  `values_nulled` bigint COMMENT 'values that cleaning nulled or flagged',
  `by_rule` array<string> COMMENT 'the same by rule and signal: rule:signal:count',
  `unexplained_soc_percent` double COMMENT 'SoC that changed in gaps or jumps without a session that explains it, percent',
  `score` double COMMENT '0 to 100: coverage, signals present, share of bad values',
  `reasons` array<string> COMMENT 'what lowers the score'
)
PARTITIONED BY (
  `file_date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/data_quality/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_date.format' = 'yyyy-MM-dd',
  'projection.file_date.interval' = '1',
  'projection.file_date.interval.unit' = 'DAYS',
  'projection.file_date.range' = '2010-01-01,NOW',
  'projection.file_date.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/data_quality/date=${file_date}/'
);

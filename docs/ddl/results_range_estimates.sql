CREATE EXTERNAL TABLE IF NOT EXISTS `results_range_estimates` (
  `vin` string COMMENT 'vehicle identification number',
  `date` date COMMENT 'UTC day',
  `rated_full_km` double COMMENT 'rated range at 100 %, as the vehicle states it, km',
  `estimated_full_km` double COMMENT 'the vehicle\'s own estimate from driving, at 100 %, km',
  `real_full_km` double COMMENT 'driven km per SoC point times 100, of the day\'s drives above 5 % and 5 km, km',
  `real_km` double COMMENT 'distance behind real_full_km, km',
  `real_delta_soc` double COMMENT 'SoC behind real_full_km, percent',
  `outside_temp_mean_c` double COMMENT 'of those drives, degC',
  `n_readings` bigint COMMENT 'range readings at SoC of 30 % or more',
  `reasons` array<string> COMMENT 'why a figure is missing'
)
PARTITIONED BY (
  `file_date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/range_estimates/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_date.format' = 'yyyy-MM-dd',
  'projection.file_date.interval' = '1',
  'projection.file_date.interval.unit' = 'DAYS',
  'projection.file_date.range' = '2010-01-01,NOW',
  'projection.file_date.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/range_estimates/date=${file_date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_consumption_by_temperature` (
  `vin` string COMMENT 'vehicle identification number',
  `temp_bin_c` double COMMENT 'lower end of a bin of 5 ?C of outside temperature, degC',
  `n_trips` bigint COMMENT 'trips of at least 2 km with a trustworthy energy',
  `distance_km` double COMMENT 'of those trips, km',
  `kwh_per_100km` double COMMENT 'net, weighted by distance, kWh/100km',
  `kwh_per_100km_gross` double COMMENT 'with what was lost while parked before, kWh/100km',
  `p10_kwh_per_100km` double COMMENT '10th percentile of trips, kWh/100km',
  `p90_kwh_per_100km` double COMMENT '90th percentile of trips, kWh/100km',
  `method` string COMMENT 'the energy method of most km',
  `reasons` array<string> COMMENT 'few_trips (below 5)'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/consumption_by_temperature/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

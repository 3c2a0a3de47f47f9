CREATE EXTERNAL TABLE IF NOT EXISTS `results_peer_percentiles` (
  `vin` string COMMENT 'vehicle identification number',
  `model` string COMMENT 'make, model and capacity when new',
  `age_years` double COMMENT 'from first registration to the last month, a',
  `odometer_km` double COMMENT 'newest, km',
  `n_peers` bigint COMMENT 'other cars of the model within 1.5 years and 40 % of the mileage, widened when fewer than 5',
  `soh_percent` double COMMENT 'newest, percent',
  `soh_percentile` double COMMENT 'share of peers with a lower state of health; at its age and mileage, percent',
  `soh_expected_percent` double COMMENT 'what peers show at this age and mileage, percent',
  `consumption_percentile` double COMMENT 'share of peers that use more, percent',
  `drain_percentile` double COMMENT 'share of peers that lose more while parked, percent',
  `reasons` array<string> COMMENT 'few_peers, widened, ?'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/peer_percentiles/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

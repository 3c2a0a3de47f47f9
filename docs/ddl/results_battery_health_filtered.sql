CREATE EXTERNAL TABLE IF NOT EXISTS `results_battery_health_filtered` (
  `vin` string COMMENT 'vehicle identification number',
  `month` string COMMENT 'YYYY-MM, UTC',
  `quantity` string COMMENT 'energy or charge',
  `unit` string COMMENT 'kWh, Ah, or percent where only a state of health is known',
  `observed` boolean COMMENT 'the month had a value; false: carried on from the months before',
  `monthly` double COMMENT 'the month\'s own value, unit',
  `capacity` double COMMENT 'filtered, from this month and earlier ones only, unit',
  `capacity_sd` double COMMENT 'one standard deviation, unit',
  `soh_percent` double COMMENT 'capacity over the reference, percent',
  `soh_sd` double COMMENT 'one standard deviation, percent',
  `soh_low_percent` double COMMENT 'two standard deviations below, percent',
  `soh_high_percent` double COMMENT 'two standard deviations above, percent',
  `soh_display_percent` double COMMENT 'for display only: never rises; the data above may, percent',
  `trend_percent_per_year` double COMMENT 'change of capacity, percent/a',
  `trend_sd` double COMMENT 'one standard deviation, percent/a',
  `n_months` bigint COMMENT 'observed months since the last break',
  `reference_capacity` double COMMENT 'capacity when new, unit',
  `reference_source` string COMMENT 'where the reference comes from',
  `method` string COMMENT 'evidence of the month: pooled, fallback:?, offset_shared',
  `reasons` array<string> COMMENT 'damped_outlier, level_shift, no_reference, ?'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/battery_health_filtered/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_battery_degradation` (
  `vin` string COMMENT 'vehicle identification number',
  `model` string COMMENT 'the model whose template it is',
  `quantity` string COMMENT 'energy or charge',
  `horizon_months` bigint COMMENT '0 (now), 1, 3 or 12 months after the last observed month, mo',
  `month` string COMMENT 'the month forecast',
  `capacity` double COMMENT 'expected, unit',
  `capacity_sd` double COMMENT 'one standard deviation, unit',
  `soh_percent` double COMMENT 'expected over the reference, percent',
  `soh_low_percent` double COMMENT 'two standard deviations below, percent',
  `soh_high_percent` double COMMENT 'two standard deviations above, percent',
  `template_a` double COMMENT 'of 1 - a*sqrt(t) - b*t, the model\'s fleet, 1/sqrt(a)',
  `template_b` double COMMENT 'of 1 - a*sqrt(t) - b*t, 1/a',
  `rate` double COMMENT 'how much faster than its template this car fades (1 = as the template)',
  `rate_sd` double COMMENT 'one standard deviation',
  `n_months` bigint COMMENT 'months of this car used',
  `n_cars` bigint COMMENT 'cars behind the template; with fewer than 4 mostly the published prior',
  `reasons` array<string> COMMENT 'few_cars, few_months, no_reference, age_unknown'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/battery_degradation/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

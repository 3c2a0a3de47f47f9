CREATE EXTERNAL TABLE IF NOT EXISTS `results_battery_health` (
  `vin` string COMMENT 'vehicle identification number',
  `month` string COMMENT 'YYYY-MM, UTC',
  `method` string COMMENT 'energy_remaining | charge_energy | pooled',
  `capacity_kwh` double COMMENT 'usable capacity now; null when the evidence is too thin, kWh',
  `capacity_sd_kwh` double COMMENT 'one standard deviation of capacity_kwh, kWh',
  `soh_percent` double COMMENT 'capacity_kwh over reference_capacity_kwh, percent',
  `soh_sd` double COMMENT 'one standard deviation of soh_percent, percent',
  `n_sessions` bigint COMMENT 'sessions (or days, for energy_remaining) used',
  `sum_delta_soc` double COMMENT 'state of charge covered by the evidence, percent',
  `reference_capacity_kwh` double COMMENT 'usable capacity when new, kWh',
  `reference_source` string COMMENT 'where the reference comes from',
  `reasons` array<string> COMMENT 'why there is no number, or why evidence was left out'
)
PARTITIONED BY (
  `file_month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/battery_health/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_month.format' = 'yyyy-MM',
  'projection.file_month.interval' = '1',
  'projection.file_month.interval.unit' = 'MONTHS',
  'projection.file_month.range' = '2010-01,NOW',
  'projection.file_month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/battery_health/month=${file_month}/'
);

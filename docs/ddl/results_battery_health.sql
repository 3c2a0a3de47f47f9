CREATE EXTERNAL TABLE IF NOT EXISTS `results_battery_health` (
  `vin` string COMMENT 'vehicle identification number',
  `month` string COMMENT 'YYYY-MM, UTC',
  `method` string COMMENT 'energy_remaining | charge_energy | current | rated_range | manufacturer | pooled (the published one)',
  `capacity_kwh` double COMMENT 'usable energy now at 25 degC; null when the evidence is too thin, kWh',
  `capacity_sd_kwh` double COMMENT 'one standard deviation of capacity_kwh, kWh',
  `soh_percent` double COMMENT 'energy: capacity_kwh over reference_capacity_kwh, percent',
  `soh_sd` double COMMENT 'one standard deviation of soh_percent, percent',
  `soh_low_percent` double COMMENT 'soh_percent less two standard deviations, percent',
  `soh_high_percent` double COMMENT 'soh_percent plus two standard deviations, percent',
  `capacity_ah` double COMMENT 'charge capacity now at 25 degC, kept apart from energy, Ah',
  `capacity_sd_ah` double COMMENT 'one standard deviation of capacity_ah, Ah',
  `soh_ah_percent` double COMMENT 'charge: capacity_ah over reference_capacity_ah, percent',
  `soh_ah_sd` double COMMENT 'one standard deviation of soh_ah_percent, percent',
  `n_sessions` bigint COMMENT 'sessions (or days, for energy_remaining) used',
  `sum_delta_soc` double COMMENT 'state of charge covered by the evidence, percent',
  `reference_capacity_kwh` double COMMENT 'usable capacity when new, kWh',
  `reference_capacity_ah` double COMMENT 'charge capacity when new, Ah',
  `reference_source` string COMMENT 'where the reference comes from',
  `current_offset_a` double COMMENT 'method current: what the current sensor reads too low, A',
  `current_offset_sd_a` double COMMENT 'one standard deviation of current_offset_a, A',
  `capacity_per_offset` double COMMENT 'method current: d ln capacity_ah / d current_offset_a, 1/A',
  `days_since_full_charge` double COMMENT 'from the last SoC >= 99 % of the month to its last SoC, d',
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

CREATE EXTERNAL TABLE IF NOT EXISTS `insights_charge_windows` (
  `vin` string COMMENT 'vehicle identification number',
  `month` string COMMENT 'YYYY-MM, UTC, of the starts of its charges',
  `sessions` bigint COMMENT 'charges counted',
  `energy_kwh` double COMMENT 'their energy, kWh',
  `actual_co2_g_per_kwh` double COMMENT 'mean rate over that energy, g/kWh',
  `best_window_start` string COMMENT 'local time of day (Europe/Paris) at which the best 3 hours begin, HH:MM',
  `best_co2_g_per_kwh` double COMMENT 'mean rate in those hours, on the same local days, g/kWh',
  `best_load_percentile` double COMMENT 'mean percentile of the load in those hours; null without load',
  `saved_co2_kg` double COMMENT 'energy times the difference: what moving the same energy there saves, kg',
  `saved_share` double COMMENT 'saved_co2_kg over what was emitted'
)
PARTITIONED BY (
  `file_month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/insights/charge_windows/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_month.format' = 'yyyy-MM',
  'projection.file_month.interval' = '1',
  'projection.file_month.interval.unit' = 'MONTHS',
  'projection.file_month.range' = '2010-01,NOW',
  'projection.file_month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/insights/charge_windows/month=${file_month}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_charge_curves` (
  `session_id` string COMMENT 'the charge',
  `vin` string COMMENT 'vehicle identification number',
  `start` timestamp COMMENT 'first instant of the charge',
  `power_class` string COMMENT 'slow, medium or fast',
  `soc_bin` double COMMENT 'lower end of a bin of 2 %, percent',
  `power_kw` double COMMENT 'median power into the battery in the bin, kW',
  `battery_temp_c` double COMMENT 'median battery temperature in the bin, degC',
  `n_samples` bigint COMMENT 'readings in the bin',
  `method` string COMMENT 'pack (V?I), charger (power stated by the charger)'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/charge_curves/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/charge_curves/date=${date}/'
);

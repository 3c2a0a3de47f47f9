CREATE EXTERNAL TABLE IF NOT EXISTS `insights_charging_flexibility` (
  `session_id` string COMMENT 'of results/sessions',
  `vin` string COMMENT 'vehicle identification number',
  `start` timestamp COMMENT 'first instant',
  `end` timestamp COMMENT 'last instant',
  `region_code` string COMMENT 'region of the charge',
  `energy_kwh` double COMMENT 'energy of the session, kWh',
  `known_share` double COMMENT 'share of the energy in half-hours whose load is known',
  `low_third_share` double COMMENT 'share of that energy in the lowest third of the local day\'s half-hours',
  `co2_g` double COMMENT 'emissions at the national rate; null if no half-hour of it is known, g',
  `co2_known_share` double COMMENT 'share of the energy in half-hours whose rate is known',
  `co2_g_per_kwh` double COMMENT 'mean rate over the energy whose rate is known, g/kWh'
)
PARTITIONED BY (
  `month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/insights/charging_flexibility/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.month.format' = 'yyyy-MM',
  'projection.month.interval' = '1',
  'projection.month.interval.unit' = 'MONTHS',
  'projection.month.range' = '2010-01,NOW',
  'projection.month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/insights/charging_flexibility/month=${month}/'
);

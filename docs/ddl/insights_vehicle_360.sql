CREATE EXTERNAL TABLE IF NOT EXISTS `insights_vehicle_360` (
  `vin` string COMMENT 'vehicle identification number',
  `make` string COMMENT 'manufacturer',
  `model` string COMMENT 'model',
  `first_registration` date COMMENT 'first registration',
  `last_seen` timestamp COMMENT 'end of the newest session',
  `odometer_km` double COMMENT 'newest odometer, km',
  `soh_percent` double COMMENT 'newest pooled state of health, percent',
  `soh_sd` double COMMENT 'one standard deviation of it, percent',
  `soh_month` string COMMENT 'month of it',
  `drives` bigint COMMENT 'drives seen',
  `drive_km` double COMMENT 'their distance, km',
  `charges` bigint COMMENT 'charges seen',
  `charged_kwh` double COMMENT 'their energy, kWh',
  `dc_share` double COMMENT 'share of that energy from direct current',
  `kwh_per_100km` double COMMENT 'energy of the drives over their distance, kWh/100km',
  `off_peak_share` double COMMENT 'share of charged energy in the lowest third of the local day; null: no load',
  `co2_kg` double COMMENT 'emissions of the charges at the national rate; null: no rate, kg',
  `idle_awake_share` double COMMENT 'share of the standing time in which the car was awake',
  `alarms` bigint COMMENT 'telematics alarms of its device; null: no device',
  `idling_share` double COMMENT 'share of the device\'s ignition-on time spent idling; null: no device',
  `value` double COMMENT 'newest estimated value',
  `value_low` double COMMENT '16th percentile',
  `value_high` double COMMENT '84th percentile',
  `value_ratio` double COMMENT 'value over new price, also without a price table',
  `currency` string COMMENT 'of value'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/insights/vehicle_360/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

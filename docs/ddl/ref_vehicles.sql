CREATE EXTERNAL TABLE IF NOT EXISTS `ref_vehicles` (
  `vin` string COMMENT 'vehicle identification number',
  `provider` string COMMENT 'preferred provider',
  `make` string COMMENT 'manufacturer',
  `model` string COMMENT 'model and trim',
  `chemistry` string COMMENT 'NMC | NCA | LFP',
  `usable_new_kwh` double COMMENT 'usable capacity when new, kWh',
  `reference_source` string COMMENT 'where usable_new_kwh comes from',
  `first_registration` date COMMENT 'first registration',
  `usable_new_ah` double COMMENT 'charge capacity when new; optional, Ah',
  `rated_range_new_km` double COMMENT 'rated range at 100 % when new; optional, km',
  `trim` string COMMENT 'variant; optional',
  `home_region` string COMMENT 'region of the home, ISO 3166-2; optional',
  `device_ids` string COMMENT 'telematics devices, separated by spaces; optional',
  `consumption_wh_per_km` double COMMENT 'nominal mixed consumption when new; optional, Wh/km',
  `listed_by` string COMMENT 'providers whose lists name it, separated by spaces; not from the file',
  `vin_check` string COMMENT 'check digit: ok | wrong | none (the market has none); not from the file'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/ref/vehicles/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

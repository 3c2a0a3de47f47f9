CREATE EXTERNAL TABLE IF NOT EXISTS `ref_vehicles` (
  `vin` string COMMENT 'vehicle identification number',
  `provider` string COMMENT 'preferred provider',
  `make` string COMMENT 'manufacturer',
  `model` string COMMENT 'model and trim',
  `chemistry` string COMMENT 'NMC | NCA | LFP',
  `usable_new_kwh` double COMMENT 'usable capacity when new, kWh',
  `reference_source` string COMMENT 'where usable_new_kwh comes from',
  `first_registration` date COMMENT 'first registration'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/ref/vehicles/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `energy_vehicles_commune` (
  `commune_code` string COMMENT 'INSEE code of the commune',
  `date` date COMMENT 'day of the count',
  `cars` bigint COMMENT 'cars',
  `electric_cars` bigint COMMENT 'cars that can be charged, electric and plug-in',
  `plug_in_gas_cars` bigint COMMENT 'of others that can be charged'
)
PARTITIONED BY (
  `year` int
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/vehicles_commune/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.year.range' = '1990,2060',
  'projection.year.type' = 'integer',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/vehicles_commune/year=${year}/'
);

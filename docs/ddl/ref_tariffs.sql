CREATE EXTERNAL TABLE IF NOT EXISTS `ref_tariffs` (
  `tariff` string COMMENT 'name',
  `charge_type` string COMMENT 'ac, dc or any',
  `valid_from` date COMMENT 'first day, empty: always',
  `valid_to` date COMMENT 'last day, empty: open',
  `start_hour` bigint COMMENT 'first hour of the day (UTC) it holds for, h',
  `end_hour` bigint COMMENT 'first hour it no longer holds for; below start_hour: over midnight, h',
  `price_per_kwh` double COMMENT 'per kWh drawn at the charger, else per kWh into the battery',
  `session_fee` double COMMENT 'once per charge',
  `currency` string COMMENT 'ISO 4217'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/ref/tariffs/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

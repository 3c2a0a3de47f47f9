CREATE EXTERNAL TABLE IF NOT EXISTS `market_sales` (
  `vin` string COMMENT 'vehicle identification number, null where the source has none',
  `sold_at` timestamp COMMENT 'instant of the sale, UTC',
  `release_year` int COMMENT 'model year',
  `make` string COMMENT 'manufacturer, canonical',
  `model` string COMMENT 'model, canonical spelling of its most frequent form',
  `car_trim` string COMMENT 'trim as sold',
  `body` string COMMENT 'body style, lower case, canonical',
  `transmission` string COMMENT 'automatic | manual, null when unknown',
  `state` string COMMENT 'US state, territory or Canadian province, two letters',
  `condition_raw` double COMMENT 'condition as received (its decimal point may be lost)',
  `grade` double COMMENT 'condition from 1.0 (poor) to 5.0 (excellent)',
  `odometer_miles` double COMMENT 'mileage, null where the source holds a placeholder, mi',
  `color` string COMMENT 'colour of the body, null when unknown',
  `interior` string COMMENT 'colour of the interior, null when unknown',
  `seller` string COMMENT 'seller, single spaces',
  `mmr_usd` double COMMENT 'market value estimated by the auction house, USD',
  `selling_price_usd` double COMMENT 'price paid, USD',
  `sale_number` int COMMENT '1 for the first sale of a VIN in the snapshot, 2 for its first resale, ?',
  `previous_price_usd` double COMMENT 'price of the sale before, for a resale, USD',
  `days_since_previous` double COMMENT 'time since the sale before, for a resale, d',
  `repairs` array<string> COMMENT 'what was put right in this row, by rule'
)
PARTITIONED BY (
  `year` int,
  `month` int
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/sales/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.month.digits' = '2',
  'projection.month.range' = '1,12',
  'projection.month.type' = 'integer',
  'projection.year.range' = '1990,2060',
  'projection.year.type' = 'integer',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/market/sales/year=${year}/month=${month}/'
);

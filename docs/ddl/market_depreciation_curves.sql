CREATE EXTERNAL TABLE IF NOT EXISTS `market_depreciation_curves` (
  `level` string COMMENT 'all | make | model',
  `make` string COMMENT 'manufacturer, null for all',
  `model` string COMMENT 'model, null above that level',
  `age_years` double COMMENT 'age, a',
  `odometer_miles` double COMMENT 'mileage that is usual at that age, mi',
  `price_usd` double COMMENT 'expected price at the reference grade, USD',
  `price_low_usd` double COMMENT '16th percentile, USD',
  `price_high_usd` double COMMENT '84th percentile, USD',
  `value_ratio` double COMMENT 'price over that of the same car at age 0'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/depreciation_curves/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `market_sales_by_state` (
  `state` string COMMENT 'state of sale',
  `n_sales` bigint COMMENT 'sales',
  `median_price_usd` double COMMENT 'median price, USD',
  `price_over_mmr` double COMMENT 'median of price over estimate',
  `mean_odometer_miles` double COMMENT 'mean mileage, mi',
  `top_make` string COMMENT 'make sold most'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/sales_by_state/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

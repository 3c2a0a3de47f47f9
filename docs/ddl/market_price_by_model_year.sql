CREATE EXTERNAL TABLE IF NOT EXISTS `market_price_by_model_year` (
  `make` string COMMENT 'manufacturer',
  `model` string COMMENT 'model',
  `release_year` int COMMENT 'model year',
  `n_sales` bigint COMMENT 'sales',
  `mean_price_usd` double COMMENT 'mean price, USD',
  `median_price_usd` double COMMENT 'median price, USD',
  `mean_odometer_miles` double COMMENT 'mean mileage, mi',
  `mean_grade` double COMMENT 'mean grade',
  `price_over_mmr` double COMMENT 'median of price over estimate',
  `value_rank` bigint COMMENT '1 for the lowest price over estimate with at least MIN_SALES sales'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/price_by_model_year/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `market_monthly_brand_trends` (
  `make` string COMMENT 'manufacturer',
  `month` string COMMENT 'month of sale, YYYY-MM, UTC',
  `n_sales` bigint COMMENT 'sales',
  `mean_price_usd` double COMMENT 'mean price, USD',
  `median_price_usd` double COMMENT 'median price, USD',
  `mean_age_years` double COMMENT 'mean age of the car, a',
  `mean_odometer_miles` double COMMENT 'mean mileage, mi',
  `mean_grade` double COMMENT 'mean grade',
  `price_over_mmr` double COMMENT 'median of price over estimate'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/monthly_brand_trends/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `market_brand_peers` (
  `make` string COMMENT 'manufacturer',
  `n_sales` bigint COMMENT 'sales',
  `mean_price_usd` double COMMENT 'mean of prices, 0.5 % cut off at each end per model year, USD',
  `median_price_usd` double COMMENT 'median price, USD',
  `mean_odometer_miles` double COMMENT 'mean mileage, mi',
  `mean_grade` double COMMENT 'mean grade',
  `price_minus_mmr_usd` double COMMENT 'mean of price minus estimate, USD',
  `price_over_mmr` double COMMENT 'median of price over estimate: below 1 is a bargain',
  `price_rank` bigint COMMENT '1 for the dearest make with at least MIN_SALES sales, null below that',
  `peers` array<string> COMMENT 'up to five makes on either side by mean price, dearest first'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/brand_peers/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `market_depreciation_models` (
  `level` string COMMENT 'all | make | model: what the row was fitted on, the rest comes from the level above',
  `make` string COMMENT 'manufacturer, null for all',
  `model` string COMMENT 'model, null above that level',
  `n_sales` bigint COMMENT 'sales fitted',
  `coefficients` array<double> COMMENT 'log price per feature of market.depreciation.FEATURES',
  `cv_median_error` double COMMENT 'median of |predicted / paid - 1| on sales left out of the fit',
  `cv_mape` double COMMENT 'mean of |predicted / paid - 1| on sales left out of the fit',
  `cv_sd_log` double COMMENT 'standard deviation of log(paid / predicted) on sales left out, tails cut',
  `cv_bias` double COMMENT 'median of predicted / paid - 1 on sales left out',
  `reference_grade` double COMMENT 'mean grade of the sales fitted',
  `miles_per_year` double COMMENT 'median mileage per year of age, mi/a',
  `oldest_age_years` double COMMENT '99th percentile of age: curves end here, a',
  `first_sale` timestamp COMMENT 'oldest sale fitted',
  `last_sale` timestamp COMMENT 'newest sale fitted'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/depreciation_models/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

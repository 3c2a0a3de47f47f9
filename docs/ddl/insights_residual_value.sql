CREATE EXTERNAL TABLE IF NOT EXISTS `insights_residual_value` (
  `vin` string COMMENT 'vehicle identification number',
  `month` string COMMENT 'YYYY-MM: value at its end',
  `make` string COMMENT 'manufacturer',
  `model` string COMMENT 'model',
  `age_years` double COMMENT 'since first registration, a',
  `odometer_km` double COMMENT 'mileage; null: unknown, the usual one is assumed, km',
  `soh_percent` double COMMENT 'state of health used; null: unknown, no factor, percent',
  `soh_sd` double COMMENT 'one standard deviation of it, percent',
  `market_ratio` double COMMENT 'value over new price by age and mileage alone',
  `battery_factor` double COMMENT 'declared multiplier for the battery\'s health; 1 when unknown',
  `value_ratio` double COMMENT 'market_ratio times battery_factor',
  `value_ratio_low` double COMMENT '16th percentile',
  `value_ratio_high` double COMMENT '84th percentile',
  `sd_log` double COMMENT 'one standard deviation of the logarithm of the value',
  `sd_log_market` double COMMENT 'its part from the market: error of prices on sales left out',
  `sd_log_battery` double COMMENT 'its part from the health and from the elasticity',
  `sd_log_new_price` double COMMENT 'its part from the new price',
  `new_price` double COMMENT 'new price by the price table; null: the model is not in it',
  `value` double COMMENT 'new_price times value_ratio, in `currency`',
  `value_low` double COMMENT '16th percentile',
  `value_high` double COMMENT '84th percentile',
  `lost_to_battery` double COMMENT 'value that the same car with a new battery would have more',
  `currency` string COMMENT 'of new_price and value',
  `price_origin` string COMMENT 'where the new price comes from, with its year',
  `curve_level` string COMMENT 'all | make | model: whose depreciation was used',
  `market_years` string COMMENT 'first and last year of the sales behind the curve',
  `reasons` array<string> COMMENT 'what is assumed or missing'
)
PARTITIONED BY (
  `file_month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/insights/residual_value/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_month.format' = 'yyyy-MM',
  'projection.file_month.interval' = '1',
  'projection.file_month.interval.unit' = 'MONTHS',
  'projection.file_month.range' = '2010-01,NOW',
  'projection.file_month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/insights/residual_value/month=${file_month}/'
);

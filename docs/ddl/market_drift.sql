CREATE EXTERNAL TABLE IF NOT EXISTS `market_drift` (
  `snapshot` string COMMENT 'raw object',
  `measure` string COMMENT 'rows | unknown_makes | median_price | price_over_mmr | quarantined_share | ?',
  `value` double COMMENT 'value of this snapshot',
  `baseline` double COMMENT 'value of the accepted snapshot before, null for the first',
  `change` double COMMENT 'value over baseline - 1, or the difference where the baseline is 0',
  `limit` double COMMENT 'largest accepted |change|',
  `drifted` boolean COMMENT '|change| is above the limit',
  `detail` string COMMENT 'names behind the figure'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/drift/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

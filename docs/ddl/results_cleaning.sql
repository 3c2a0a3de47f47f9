CREATE EXTERNAL TABLE IF NOT EXISTS `results_cleaning` (
  `vin` string COMMENT 'vehicle identification number',
  `rule` string COMMENT 'what happened: range, spike, repeat, unmapped, ?',
  `signal` string COMMENT 'the canonical name, or the provider\'s own where it has none',
  `n` bigint COMMENT 'values that were changed, nulled, dropped or flagged'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/cleaning/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/cleaning/date=${date}/'
);

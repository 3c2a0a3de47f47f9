CREATE EXTERNAL TABLE IF NOT EXISTS `energy_region` (
  `code_insee_region` string COMMENT '',
  `libelle_region` string COMMENT ''
)
PARTITIONED BY (
  `month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/region/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.month.format' = 'yyyy-MM',
  'projection.month.interval' = '1',
  'projection.month.interval.unit' = 'MONTHS',
  'projection.month.range' = '2010-01,NOW',
  'projection.month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/region/month=${month}/'
);

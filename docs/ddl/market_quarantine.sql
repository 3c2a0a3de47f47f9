CREATE EXTERNAL TABLE IF NOT EXISTS `market_quarantine` (
  `reason` string COMMENT 'why the row is not a sale: shifted_row | no_date | no_price | bad_date | ?',
  `repaired` boolean COMMENT 'the columns could be put back in place; what is lost keeps it here',
  `vin` string COMMENT 'vehicle identification number, where it could be read',
  `fields` string COMMENT 'the row as it would read after repair, JSON',
  `original` string COMMENT 'the row as received, JSON list'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/market/quarantine/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

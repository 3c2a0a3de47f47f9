CREATE EXTERNAL TABLE IF NOT EXISTS `energy_consumption_total_mean` (
  `year` smallint COMMENT 'year',
  `energy` string COMMENT 'electricity | gas',
  `level` string COMMENT 'address | commune | department | region | national | sector | category | naf',
  `code` string COMMENT 'code of the place, sector, category or activity; FR for the country',
  `name` string COMMENT 'its name',
  `parent_code` string COMMENT 'commune of an address, department of a commune, region of a department',
  `sites` bigint COMMENT 'delivery points or homes that the total is of; null where not published',
  `total_mwh` double COMMENT 'consumption; a lower bound where rows were withheld, MWh',
  `mean_mwh` double COMMENT 'total / sites; never a mean of means, MWh',
  `reference_mean_mwh` double COMMENT 'mean of the commune, beside that of an address, MWh',
  `rows` bigint COMMENT 'rows summed',
  `withheld_rows` bigint COMMENT 'rows kept back by statistical secrecy, which the total lacks',
  `source` string COMMENT 'table it is made from: one place has a row per source'
)
PARTITIONED BY (
  `file_year` int
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/consumption_total_mean/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_year.range' = '1990,2060',
  'projection.file_year.type' = 'integer',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/consumption_total_mean/year=${file_year}/'
);

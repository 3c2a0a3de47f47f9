CREATE EXTERNAL TABLE IF NOT EXISTS `energy_annual_address` (
  `year` smallint COMMENT 'year',
  `address` string COMMENT 'number, repetition, kind and name of the street',
  `street_number` string COMMENT 'number',
  `repetition` string COMMENT 'bis, ter, A ?',
  `street_kind` string COMMENT 'rue, avenue ?',
  `street` string COMMENT 'name of the street',
  `iris_code` string COMMENT 'INSEE statistical district',
  `iris` string COMMENT 'name of the district',
  `commune_code` string COMMENT 'INSEE code of the commune',
  `commune` string COMMENT 'name of the commune',
  `epci_code` string COMMENT 'code of the group of communes',
  `department_code` string COMMENT 'code of the department',
  `region_code` string COMMENT 'INSEE code of the region',
  `segment` string COMMENT 'RESIDENTIEL',
  `homes` bigint COMMENT 'homes at the address; 10 at least, others are not published',
  `total_mwh` double COMMENT 'electricity of the address, MWh',
  `mean_mwh` double COMMENT 'per home, as published, MWh',
  `commune_mean_mwh` double COMMENT 'mean of the commune, as published, MWh'
)
PARTITIONED BY (
  `file_year` int
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/annual_address/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_year.range' = '1990,2060',
  'projection.file_year.type' = 'integer',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/annual_address/year=${file_year}/'
);

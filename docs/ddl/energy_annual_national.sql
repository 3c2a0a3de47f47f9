CREATE EXTERNAL TABLE IF NOT EXISTS `energy_annual_national` (
  `year` smallint COMMENT 'year',
  `region_code` string COMMENT 'INSEE code of the region; null for the country',
  `region` string COMMENT 'name of the region; null for the country',
  `electricity_gwh` double COMMENT 'electricity, GWh',
  `electricity_corrected_gwh` double COMMENT 'electricity, corrected for weather, GWh',
  `gas_grtgaz_gwh` double COMMENT 'gas of NaTran (GRTgaz), higher heating value at 0 ?C, GWh',
  `gas_terega_gwh` double COMMENT 'gas of Ter?ga, GWh',
  `gas_gwh` double COMMENT 'gas; null where there is none (Corse), GWh',
  `total_gwh` double COMMENT 'electricity + gas, GWh',
  `electricity_status` string COMMENT 'as published',
  `gas_status` string COMMENT 'as published'
)
PARTITIONED BY (
  `file_year` int
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/annual_national/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_year.range' = '1990,2060',
  'projection.file_year.type' = 'integer',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/annual_national/year=${file_year}/'
);

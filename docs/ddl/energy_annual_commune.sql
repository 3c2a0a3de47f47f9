CREATE EXTERNAL TABLE IF NOT EXISTS `energy_annual_commune` (
  `year` smallint COMMENT 'year',
  `operator` string COMMENT 'network operator; one place has many',
  `energy` string COMMENT 'electricity | gas',
  `place_code` string COMMENT 'INSEE code of the commune or department: join on this, names have several spellings',
  `place` string COMMENT 'name of the place',
  `department_code` string COMMENT 'code of the department',
  `region_code` string COMMENT 'INSEE code of the region',
  `region` string COMMENT 'name of the region',
  `epci_code` string COMMENT 'code of the group of communes',
  `category` string COMMENT 'RES | PRO | ENT',
  `sector` string COMMENT 'RESIDENTIEL | TERTIAIRE | INDUSTRIE | AGRICULTURE | INCONNU',
  `naf2` string COMMENT 'division of the French activity code, 01 to 99',
  `sites` bigint COMMENT 'delivery points',
  `total_mwh` double COMMENT 'consumption, MWh',
  `mean_mwh` double COMMENT 'consumption per site as published; null where withheld, MWh',
  `withheld` boolean COMMENT 'kept back by the producer (statistical secrecy): sites and total are unknown, not zero',
  `hidden_cells` bigint COMMENT 'cells kept back within the row, where published',
  `nombre_d_habitants` double COMMENT 'as published',
  `taux_de_logements_collectifs` double COMMENT 'as published',
  `taux_de_residences_principales` double COMMENT 'as published',
  `superficie_des_logements_30_m2` double COMMENT 'as published',
  `superficie_des_logements_30_a_40_m2` double COMMENT 'as published',
  `superficie_des_logements_40_a_60_m2` double COMMENT 'as published',
  `superficie_des_logements_60_a_80_m2` double COMMENT 'as published',
  `superficie_des_logements_80_a_100_m2` double COMMENT 'as published',
  `superficie_des_logements_100_m2` double COMMENT 'as published',
  `residences_principales_avant_1919` double COMMENT 'as published',
  `residences_principales_de_1919_a_1945` double COMMENT 'as published',
  `residences_principales_de_1946_a_1970` double COMMENT 'as published',
  `residences_principales_de_1971_a_1990` double COMMENT 'as published',
  `residences_principales_de_1991_a_2005` double COMMENT 'as published',
  `residences_principales_de_2006_a_2015` double COMMENT 'as published',
  `residences_principales_apres_2016` double COMMENT 'as published',
  `taux_de_chauffage_electrique` double COMMENT 'as published'
)
PARTITIONED BY (
  `file_year` int
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/annual_commune/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_year.range' = '1990,2060',
  'projection.file_year.type' = 'integer',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/annual_commune/year=${file_year}/'
);

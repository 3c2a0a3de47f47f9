CREATE EXTERNAL TABLE IF NOT EXISTS `energy_consumption` (
  `id_consommation` string COMMENT '',
  `code_insee_region` string COMMENT '',
  `date_heure` timestamp COMMENT '',
  `date_enreg` date COMMENT '',
  `heure_enreg` string COMMENT '',
  `nature` string COMMENT '',
  `consommation` double COMMENT '',
  `thermique` double COMMENT '',
  `nucleaire` double COMMENT '',
  `eolien` double COMMENT '',
  `solaire` double COMMENT '',
  `hydraulique` double COMMENT '',
  `bioenergies` double COMMENT '',
  `pompage` double COMMENT '',
  `ech_physiques` double COMMENT '',
  `production_total` double COMMENT '',
  `pct_thermique` double COMMENT '',
  `pct_nucleaire` double COMMENT '',
  `pct_eolien` double COMMENT '',
  `pct_solaire` double COMMENT '',
  `pct_hydraulique` double COMMENT '',
  `pct_bioenergies` double COMMENT '',
  `pct_pompage` double COMMENT '',
  `annee` int COMMENT '',
  `mois` int COMMENT '',
  `jour_semaine` int COMMENT '',
  `weekend` boolean COMMENT '',
  `code_insee_1` string COMMENT ''
)
PARTITIONED BY (
  `month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/consumption/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.month.format' = 'yyyy-MM',
  'projection.month.interval' = '1',
  'projection.month.interval.unit' = 'MONTHS',
  'projection.month.range' = '2010-01,NOW',
  'projection.month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/consumption/month=${month}/'
);

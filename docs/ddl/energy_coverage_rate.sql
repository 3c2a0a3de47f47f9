CREATE EXTERNAL TABLE IF NOT EXISTS `energy_coverage_rate` (
  `id_couverture` string COMMENT '',
  `code_insee_region` string COMMENT '',
  `date_heure` timestamp COMMENT '',
  `date_enreg` date COMMENT '',
  `heure_enreg` string COMMENT '',
  `tco_thermique` double COMMENT '',
  `tch_thermique` double COMMENT '',
  `tco_nucleaire` double COMMENT '',
  `tch_nucleaire` double COMMENT '',
  `tco_eolien` double COMMENT '',
  `tch_eolien` double COMMENT '',
  `tco_solaire` double COMMENT '',
  `tch_solaire` double COMMENT '',
  `tco_hydraulique` double COMMENT '',
  `tch_hydraulique` double COMMENT '',
  `tco_bioenergies` double COMMENT '',
  `tch_bioenergies` double COMMENT '',
  `code_insee_1` string COMMENT ''
)
PARTITIONED BY (
  `month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/coverage_rate/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.month.format' = 'yyyy-MM',
  'projection.month.interval' = '1',
  'projection.month.interval.unit' = 'MONTHS',
  'projection.month.range' = '2010-01,NOW',
  'projection.month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/coverage_rate/month=${month}/'
);

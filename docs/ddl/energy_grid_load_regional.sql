CREATE EXTERNAL TABLE IF NOT EXISTS `energy_grid_load_regional` (
  `region_code` string COMMENT 'INSEE code of the region',
  `region` string COMMENT 'name of the region',
  `instant` timestamp COMMENT 'begin of the half-hour',
  `consumption_mw` double COMMENT 'consumption, MW',
  `thermal_mw` double COMMENT 'production: thermal, MW',
  `nuclear_mw` double COMMENT 'production: nuclear, MW',
  `wind_mw` double COMMENT 'production: wind, MW',
  `solar_mw` double COMMENT 'production: solar, MW',
  `hydro_mw` double COMMENT 'production: hydro, MW',
  `bioenergy_mw` double COMMENT 'production: bioenergy, MW',
  `pumping_mw` double COMMENT 'pumped storage, filling: zero or negative, MW',
  `exchange_mw` double COMMENT 'physical exchange with neighbours, positive = import, MW',
  `storage_charge_mw` double COMMENT 'batteries, charging, MW',
  `storage_discharge_mw` double COMMENT 'batteries, discharging, MW',
  `wind_onshore_mw` double COMMENT 'of wind: onshore, MW',
  `wind_offshore_mw` double COMMENT 'of wind: offshore, MW',
  `production_mw` double COMMENT 'sum of the six kinds; null if none is known, MW',
  `coverage_thermal_percent` double COMMENT 'thermal as a share of consumption, as published, %',
  `coverage_nuclear_percent` double COMMENT 'nuclear as a share of consumption, as published, %',
  `coverage_wind_percent` double COMMENT 'wind as a share of consumption, as published, %',
  `coverage_solar_percent` double COMMENT 'solar as a share of consumption, as published, %',
  `coverage_hydro_percent` double COMMENT 'hydro as a share of consumption, as published, %',
  `coverage_bioenergy_percent` double COMMENT 'bioenergy as a share of consumption, as published, %',
  `load_thermal_percent` double COMMENT 'thermal as a share of what is installed, as published, %',
  `load_nuclear_percent` double COMMENT 'nuclear as a share of what is installed, as published, %',
  `load_wind_percent` double COMMENT 'wind as a share of what is installed, as published, %',
  `load_solar_percent` double COMMENT 'solar as a share of what is installed, as published, %',
  `load_hydro_percent` double COMMENT 'hydro as a share of what is installed, as published, %',
  `load_bioenergy_percent` double COMMENT 'bioenergy as a share of what is installed, as published, %',
  `nature` string COMMENT 'definitive | consolidated | real_time; null in a gap',
  `rank` tinyint COMMENT '3 definitive, 2 consolidated, 1 real time: a higher one replaces a lower one',
  `quality` string COMMENT 'ok | gap (nothing was published) | conflict (rows of the instant differ) | shifted (local time and instant disagree) | partial (one quarter-hour of two)'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/grid_load_regional/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/grid_load_regional/date=${date}/'
);

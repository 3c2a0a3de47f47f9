CREATE EXTERNAL TABLE IF NOT EXISTS `energy_grid_mix_national` (
  `instant` timestamp COMMENT 'begin of the half-hour',
  `consumption_mw` double COMMENT 'consumption, MW',
  `forecast_day_ahead_mw` double COMMENT 'consumption forecast the day before, MW',
  `forecast_same_day_mw` double COMMENT 'consumption forecast on the day, MW',
  `oil_mw` double COMMENT 'production: oil, MW',
  `coal_mw` double COMMENT 'production: coal, MW',
  `gas_mw` double COMMENT 'production: gas, MW',
  `thermal_mw` double COMMENT 'production: thermal, MW',
  `nuclear_mw` double COMMENT 'production: nuclear, MW',
  `wind_mw` double COMMENT 'production: wind, MW',
  `solar_mw` double COMMENT 'production: solar, MW',
  `hydro_mw` double COMMENT 'production: hydro, MW',
  `bioenergy_mw` double COMMENT 'production: bioenergy, MW',
  `pumping_mw` double COMMENT 'pumped storage, filling: zero or negative, MW',
  `exchange_mw` double COMMENT 'physical exchange with neighbours, positive = import, MW',
  `production_mw` double COMMENT 'oil + coal + gas + nuclear + wind + solar + hydro + bioenergy, MW',
  `exchange_england_mw` double COMMENT 'commercial exchange, positive = import, MW',
  `exchange_spain_mw` double COMMENT 'commercial exchange, MW',
  `exchange_italy_mw` double COMMENT 'commercial exchange, MW',
  `exchange_switzerland_mw` double COMMENT 'commercial exchange, MW',
  `exchange_germany_belgium_mw` double COMMENT 'commercial exchange, MW',
  `oil_turbine_mw` double COMMENT 'of oil, MW',
  `oil_cogeneration_mw` double COMMENT 'of oil, MW',
  `oil_other_mw` double COMMENT 'of oil, MW',
  `gas_turbine_mw` double COMMENT 'of gas, MW',
  `gas_cogeneration_mw` double COMMENT 'of gas, MW',
  `gas_combined_cycle_mw` double COMMENT 'of gas, MW',
  `gas_other_mw` double COMMENT 'of gas, MW',
  `hydro_river_mw` double COMMENT 'of hydro: run of the river and poundage, MW',
  `hydro_lake_mw` double COMMENT 'of hydro: lakes, MW',
  `hydro_pumped_mw` double COMMENT 'of hydro: turbines of pumped storage, MW',
  `bioenergy_waste_mw` double COMMENT 'of bioenergy, MW',
  `bioenergy_biomass_mw` double COMMENT 'of bioenergy, MW',
  `bioenergy_biogas_mw` double COMMENT 'of bioenergy, MW',
  `co2_g_per_kwh` double COMMENT 'direct emissions of the production, g/kWh',
  `nature` string COMMENT 'definitive | consolidated | real_time; null in a gap',
  `rank` tinyint COMMENT '3 definitive, 2 consolidated, 1 real time: a higher one replaces a lower one',
  `quality` string COMMENT 'ok | gap (nothing was published) | conflict (rows of the instant differ) | shifted (local time and instant disagree) | partial (one quarter-hour of two)'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/grid_mix_national/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/grid_mix_national/date=${date}/'
);

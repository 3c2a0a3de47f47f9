CREATE EXTERNAL TABLE IF NOT EXISTS `insights_charging_grid_load` (
  `session_id` string COMMENT 'of results/sessions',
  `vin` string COMMENT 'vehicle identification number',
  `region_code` string COMMENT 'region of the charge; null where the place is unknown or abroad',
  `region_method` string COMMENT 'polygon | nearest_prefecture | unknown',
  `instant` timestamp COMMENT 'begin of the half-hour, UTC',
  `local_day` date COMMENT 'day in Europe/Paris',
  `energy_kwh` double COMMENT 'energy of the session in this half-hour, as if charged at constant power, kWh',
  `load_mwh` double COMMENT 'consumption of the region in this half-hour; null in a gap, MWh',
  `share_ppm` double COMMENT 'energy_kwh over load_mwh, ppm',
  `load_percentile` double COMMENT 'share of the local day\'s half-hours with a lower load: 0 lowest, 1 highest',
  `slots_in_local_day` int COMMENT 'half-hours of the local day: 48, or 46 and 50 when clocks change',
  `co2_g_per_kwh` double COMMENT 'national rate of the half-hour; null in a gap, g/kWh',
  `co2_g` double COMMENT 'energy_kwh times the rate, g'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/insights/charging_grid_load/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/insights/charging_grid_load/date=${date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_charging` (
  `session_id` string COMMENT 'hash of vin, kind and start: same data, same id',
  `vin` string COMMENT 'vehicle identification number',
  `start` timestamp COMMENT 'first instant',
  `end` timestamp COMMENT 'last instant',
  `duration_min` double COMMENT 'end less start, min',
  `soc_start` double COMMENT 'state of charge at the start, percent',
  `soc_end` double COMMENT 'state of charge at the end, percent',
  `energy_kwh` double COMMENT 'energy into the battery, kWh',
  `energy_method` string COMMENT 'how energy_kwh was found: counter, power_integral, soc_capacity',
  `energy_charger_kwh` double COMMENT 'energy drawn at the charger, from its own counter, kWh',
  `efficiency_percent` double COMMENT 'energy_kwh over energy_charger_kwh, AC only, percent',
  `charge_type` string COMMENT 'ac or dc, null where nothing tells',
  `power_class` string COMMENT 'slow below 8 kW, medium 8 to 45 kW, fast above',
  `power_mean_kw` double COMMENT 'mean power into the battery, kW',
  `power_max_kw` double COMMENT 'largest power, kW',
  `c_rate` double COMMENT 'mean power over usable capacity when new, 1/h',
  `battery_temp_mean_c` double COMMENT 'mean battery temperature, degC',
  `outside_temp_mean_c` double COMMENT 'mean outside temperature, degC',
  `cost` double COMMENT 'energy at the tariff, in `currency`; null without a tariff',
  `currency` string COMMENT 'of cost',
  `tariff` string COMMENT 'name of the tariff used',
  `inferred` boolean COMMENT 'seen only as a change over a gap: no curve, no power',
  `truncated` boolean COMMENT 'true begin or end not observed',
  `confidence` double COMMENT '0 to 1',
  `reasons` array<string> COMMENT 'what lowers the confidence, and why a figure is missing'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/charging/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/charging/date=${date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `results_trips` (
  `session_id` string COMMENT 'hash of vin, kind and start: same data, same id',
  `vin` string COMMENT 'vehicle identification number',
  `start` timestamp COMMENT 'first instant',
  `end` timestamp COMMENT 'last instant',
  `duration_min` double COMMENT 'end less start, min',
  `distance_km` double COMMENT 'odometer difference, km',
  `energy_kwh` double COMMENT 'battery energy used, net of recuperation; positive = used, kWh',
  `energy_method` string COMMENT 'how energy_kwh was found: power_integral, soc_capacity, ?',
  `kwh_per_100km` double COMMENT 'net: energy_kwh over distance; null below 1 km, kWh/100km',
  `parked_loss_kwh` double COMMENT 'energy lost while parked right before this trip, since the last trip or charge, kWh',
  `kwh_per_100km_gross` double COMMENT 'gross: with parked_loss_kwh, kWh/100km',
  `soc_start` double COMMENT 'state of charge at the start, percent',
  `soc_end` double COMMENT 'state of charge at the end, percent',
  `speed_mean_kmh` double COMMENT 'distance over duration, km/h',
  `power_max_kw` double COMMENT 'largest absolute pack power, kW',
  `outside_temp_mean_c` double COMMENT 'mean outside temperature, degC',
  `battery_temp_mean_c` double COMMENT 'mean battery temperature, degC',
  `inferred` boolean COMMENT 'seen only as a change over a gap',
  `truncated` boolean COMMENT 'true begin or end not observed',
  `confidence` double COMMENT '0 to 1',
  `reasons` array<string> COMMENT 'what lowers the confidence, and why a figure is missing'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/trips/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/trips/date=${date}/'
);

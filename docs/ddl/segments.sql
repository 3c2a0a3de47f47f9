CREATE EXTERNAL TABLE IF NOT EXISTS `segments` (
  `vin` string COMMENT 'vehicle identification number',
  `kind` string COMMENT 'charge | drive | idle',
  `asleep` boolean COMMENT 'idle without any message for more than 30 minutes',
  `start` timestamp COMMENT 'first instant, inclusive',
  `end` timestamp COMMENT 'last instant, exclusive',
  `open_start` boolean COMMENT 'first piece of the vehicle\'s day: what came before midnight may belong to it',
  `open_end` boolean COMMENT 'last piece of the vehicle\'s day: what comes after midnight may belong to it',
  `soc_start` double COMMENT 'state of charge at the start, percent',
  `soc_end` double COMMENT 'state of charge at the end, percent',
  `energy_kwh` double COMMENT 'battery-side energy, positive into the battery, kWh',
  `energy_method` string COMMENT 'counter | power_integral | soc_capacity | none',
  `energy_method_reason` string COMMENT 'why this method and not a better one',
  `distance_km` double COMMENT 'odometer difference, km',
  `odometer_start_km` double COMMENT 'odometer at the start, km',
  `odometer_end_km` double COMMENT 'odometer at the end, km',
  `outside_temp_mean_c` double COMMENT 'mean outside temperature, degC',
  `battery_temp_mean_c` double COMMENT 'mean battery temperature, degC',
  `power_mean_kw` double COMMENT 'mean pack power, positive into the battery, kW',
  `power_max_kw` double COMMENT 'largest absolute pack power, kW',
  `charge_type` string COMMENT 'ac | dc for a charge, else null',
  `inferred` boolean COMMENT 'a charge or drive seen only as a change over a gap',
  `truncated` boolean COMMENT 'its true begin or end was not observed',
  `n_samples` bigint COMMENT 'cleaned rows inside',
  `gap_seconds` double COMMENT 'longest time without any row inside, s',
  `confidence` double COMMENT '0 to 1',
  `reasons` array<string> COMMENT 'what lowers the confidence'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/segments/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/segments/date=${date}/'
);

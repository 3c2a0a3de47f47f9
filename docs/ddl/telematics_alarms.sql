CREATE EXTERNAL TABLE IF NOT EXISTS `telematics_alarms` (
  `alarm_id` string COMMENT 'hash of device, variable and start',
  `device_id` string COMMENT 'telematics device',
  `vin` string COMMENT 'vehicle of the device by the registry; null when nobody said',
  `variable` string COMMENT 'name as the device writes it',
  `band` string COMMENT 'very_low | very_high',
  `start` timestamp COMMENT 'first reading of the run',
  `end` timestamp COMMENT 'last reading of the run',
  `duration_s` double COMMENT 'end - start, s',
  `count` bigint COMMENT 'readings of the run',
  `minimum` double COMMENT 'smallest value of the run',
  `maximum` double COMMENT 'largest value of the run'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/telematics/alarms/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/telematics/alarms/date=${date}/'
);

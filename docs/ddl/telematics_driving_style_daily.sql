CREATE EXTERNAL TABLE IF NOT EXISTS `telematics_driving_style_daily` (
  `device_id` string COMMENT 'telematics device',
  `vin` string COMMENT 'vehicle of the device by the registry; null when nobody said',
  `date` date COMMENT 'UTC day',
  `readings` bigint COMMENT 'readings of the day, repeats left out',
  `driving_s` double COMMENT 'time with speed above 0, gaps left out, s',
  `speed_mean_kmh` double COMMENT 'time-weighted mean while driving, km/h',
  `speed_max_kmh` double COMMENT 'highest speed, km/h',
  `idling_s` double COMMENT 'time with IDLING on, gaps left out, s',
  `idling_share` double COMMENT 'idling over idling and driving; null without either',
  `harsh_accelerations` bigint COMMENT 'runs of very high readings of an acceleration axis',
  `harsh_brakings` bigint COMMENT 'runs of very low readings of an acceleration axis',
  `speed_alarms` bigint COMMENT 'runs of very high speed',
  `rpm_alarms` bigint COMMENT 'runs of very high engine speed',
  `towing_events` bigint COMMENT 'changes of TOWING to on',
  `ignition_offs` bigint COMMENT 'changes of IGNITION_STATUS to off',
  `alarms` bigint COMMENT 'runs of any variable that began on the day',
  `no_fix_share` double COMMENT 'positions without a fix, over all positions'
)
PARTITIONED BY (
  `file_date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/telematics/driving_style_daily/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.file_date.format' = 'yyyy-MM-dd',
  'projection.file_date.interval' = '1',
  'projection.file_date.interval.unit' = 'DAYS',
  'projection.file_date.range' = '2010-01-01,NOW',
  'projection.file_date.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/telematics/driving_style_daily/date=${file_date}/'
);

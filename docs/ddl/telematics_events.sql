CREATE EXTERNAL TABLE IF NOT EXISTS `telematics_events` (
  `device_id` string COMMENT 'telematics device',
  `vin` string COMMENT 'vehicle of the device by the registry; null when nobody said',
  `time` timestamp COMMENT 'event time, UTC',
  `variable` string COMMENT 'name as the device writes it',
  `number` double COMMENT 'value of a numeric variable',
  `flag` boolean COMMENT 'value of an on/off variable',
  `latitude` double COMMENT 'of a POSITION with a fix, deg',
  `longitude` double COMMENT 'of a POSITION with a fix, deg',
  `altitude_m` double COMMENT 'of a POSITION with a fix, m',
  `text` string COMMENT 'the value as sent, wherever number does not reproduce it',
  `alarm_class` tinyint COMMENT 'band code as sent',
  `band` string COMMENT 'very_low | low | normal | high | very_high | off; null for an unknown code',
  `known` boolean COMMENT 'the variable is in the vocabulary and the value is of its kind',
  `repeat` boolean COMMENT 'the same reading (event_id) was received before, under another offset',
  `event_id` string COMMENT 'hash of device, time, variable and value: the reading itself',
  `extra` string COMMENT 'keys of the message without a column, JSON',
  `source` string COMMENT 'Kafka topic',
  `partition` int COMMENT 'Kafka partition',
  `offset` bigint COMMENT 'Kafka offset',
  `source_ts` bigint COMMENT 'Kafka timestamp, ms'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/telematics/events/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/telematics/events/date=${date}/'
);

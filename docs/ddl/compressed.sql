CREATE EXTERNAL TABLE IF NOT EXISTS `compressed` (
  `vin` string COMMENT 'vehicle identification number',
  `event_time` timestamp COMMENT 'time inside the record, UTC',
  `event_time_ns` smallint COMMENT 'nanoseconds beyond event_time, ns',
  `signal` string COMMENT 'the provider\'s own name, nested parts dotted; null for a record without data',
  `number` double COMMENT 'numeric value, null where the value is not a number',
  `text` string COMMENT 'original lexeme wherever number does not reproduce it',
  `kind` string COMMENT 'member the value came in: doubleValue, stringValue, ?',
  `unit` string COMMENT 'unit sent with the value',
  `status` string COMMENT 'ok | invalid | missing | unparsed | empty',
  `received_at` timestamp COMMENT 'time the provider\'s server received the record',
  `provider` string COMMENT 'who sent it: tesla, high_mobility, ?',
  `is_resend` boolean COMMENT 'the vehicle marked the record as sent again',
  `txid` string COMMENT 'transmission id of the vehicle\'s connection',
  `extra` string COMMENT 'record keys and headers without a column of their own, JSON',
  `source` string COMMENT 'Kafka topic, or provider of a polled payload',
  `partition` int COMMENT 'Kafka partition, null when polled',
  `offset` bigint COMMENT 'Kafka offset, null when polled',
  `source_ts` bigint COMMENT 'Kafka timestamp, null when polled, ms',
  `record_hash` string COMMENT 'content hash of a polled record, null from Kafka'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/compressed/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy/MM/dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010/01/01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/compressed/${date}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS `energy_half_hour_national` (
  `region_code` string COMMENT 'INSEE code of the region; null for the country',
  `region` string COMMENT 'name of the region; null for the country',
  `instant` timestamp COMMENT 'begin of the half-hour',
  `electricity_mw` double COMMENT 'electricity, MW',
  `gas_grtgaz_mw` double COMMENT 'gas of NaTran (GRTgaz), higher heating value at 0 ?C; hourly, MW',
  `gas_terega_mw` double COMMENT 'gas of Ter?ga; hourly, MW',
  `gas_mw` double COMMENT 'gas; null between the hours, and where there is none (Corse), MW',
  `total_mw` double COMMENT 'electricity + gas, MW',
  `electricity_status` string COMMENT 'as published',
  `gas_status` string COMMENT 'as published',
  `quality` string COMMENT 'ok | gap (nothing was published) | conflict (rows of the instant differ) | shifted (local time and instant disagree) | partial (one quarter-hour of two)'
)
PARTITIONED BY (
  `month` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/energy/half_hour_national/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.month.format' = 'yyyy-MM',
  'projection.month.interval' = '1',
  'projection.month.interval.unit' = 'MONTHS',
  'projection.month.range' = '2010-01,NOW',
  'projection.month.type' = 'date',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/energy/half_hour_national/month=${month}/'
);

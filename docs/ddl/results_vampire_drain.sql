CREATE EXTERNAL TABLE IF NOT EXISTS `results_vampire_drain` (
  `vin` string COMMENT 'vehicle identification number',
  `start` timestamp COMMENT 'begin of the parking',
  `end` timestamp COMMENT 'end of it (a whole day without drive and charge is a parking of its own)',
  `hours` double COMMENT 'end less start, h',
  `soc_start` double COMMENT 'state of charge at the start, percent',
  `soc_end` double COMMENT 'state of charge at the end, percent',
  `drain_percent_per_day` double COMMENT 'SoC lost per day; negative where SoC recovered, percent/d',
  `power_w` double COMMENT 'mean power that this means for the pack, W',
  `asleep_share` double COMMENT 'share of the time without messages',
  `outside_temp_mean_c` double COMMENT 'mean outside temperature, degC',
  `method` string COMMENT 'soc_capacity, or soc where the capacity is not known',
  `reasons` array<string> COMMENT 'too_short (below 1 h), small_change (below the step of SoC), moved'
)
PARTITIONED BY (
  `date` string
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/vampire_drain/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.date.format' = 'yyyy-MM-dd',
  'projection.date.interval' = '1',
  'projection.date.interval.unit' = 'DAYS',
  'projection.date.range' = '2010-01-01,NOW',
  'projection.date.type' = 'date',
  'projection.enabled' = 'true',
  'storage.location.template' = 's3://YOUR-BUCKET/PREFIX/results/vampire_drain/date=${date}/'
);

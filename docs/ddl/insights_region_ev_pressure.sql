CREATE EXTERNAL TABLE IF NOT EXISTS `insights_region_ev_pressure` (
  `level` string COMMENT 'commune | region',
  `code` string COMMENT 'INSEE code',
  `counted_on` date COMMENT 'day of the count of cars',
  `electric_cars` bigint COMMENT 'cars that can be charged',
  `metered_year` smallint COMMENT 'year of the metered consumption',
  `metered_mwh` double COMMENT 'electricity metered in a year; a lower bound where rows are withheld, MWh',
  `withheld_rows` bigint COMMENT 'rows kept back by statistical secrecy, which metered_mwh lacks',
  `kwh_per_car_year` double COMMENT 'mean of our fleet, kWh',
  `kwh_per_car_year_sd` double COMMENT 'standard deviation of that mean, kWh',
  `fleet_cars` bigint COMMENT 'cars of the fleet behind the mean',
  `adoption` double COMMENT 'cars as counted times this: 1 now, 2, 5',
  `ev_mwh` double COMMENT 'electric_cars times adoption times kwh_per_car_year, MWh',
  `ev_share` double COMMENT 'ev_mwh over the metered electricity with the cars beyond today\'s added',
  `ev_share_sd` double COMMENT 'one standard deviation, from kwh_per_car_year'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/insights/region_ev_pressure/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

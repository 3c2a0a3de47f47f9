CREATE EXTERNAL TABLE IF NOT EXISTS `results_vehicle_battery` (
  `vin` string COMMENT 'vehicle identification number',
  `make` string COMMENT 'manufacturer',
  `model` string COMMENT 'model and trim',
  `chemistry` string COMMENT 'NMC, NCA or LFP',
  `first_registration` date COMMENT 'first registration',
  `age_years` double COMMENT 'at the last month, a',
  `odometer_km` double COMMENT 'newest, km',
  `last_seen` timestamp COMMENT 'newest row',
  `month` string COMMENT 'of the newest health',
  `soh_percent` double COMMENT 'energy, filtered, percent',
  `soh_sd` double COMMENT 'one standard deviation, percent',
  `soh_low_percent` double COMMENT 'two standard deviations below, percent',
  `soh_high_percent` double COMMENT 'two standard deviations above, percent',
  `capacity_kwh` double COMMENT 'filtered, kWh',
  `capacity_sd_kwh` double COMMENT 'one standard deviation, kWh',
  `capacity_ah` double COMMENT 'filtered charge capacity, Ah',
  `soh_ah_percent` double COMMENT 'charge, filtered, percent',
  `soh_manufacturer_percent` double COMMENT 'the maker\'s own newest value, never mixed with ours, percent',
  `reference_capacity_kwh` double COMMENT 'when new, kWh',
  `reference_source` string COMMENT 'where it comes from',
  `trend_percent_per_year` double COMMENT 'of the filter, percent/a',
  `soh_in_12_months_percent` double COMMENT 'forecast, percent',
  `equivalent_full_cycles` double COMMENT 'over the life: odometer times gross consumption over capacity when new',
  `charged_kwh` double COMMENT 'seen in results/charging, kWh',
  `observed_full_cycles` double COMMENT 'charged_kwh over capacity when new',
  `dc_share_percent` double COMMENT 'of charged energy, percent',
  `needs_full_charge` boolean COMMENT 'an LFP pack whose SoC may have drifted: not charged to 99 % within 14 days',
  `days_since_full_charge` double COMMENT 'in the newest month, d',
  `completeness_percent` double COMMENT 'mean coverage of the last 30 days seen, percent',
  `method` string COMMENT 'evidence of the newest health',
  `reasons` array<string> COMMENT 'why figures are missing'
)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/PREFIX/results/vehicle_battery/'
TBLPROPERTIES (
  'classification' = 'parquet'
);

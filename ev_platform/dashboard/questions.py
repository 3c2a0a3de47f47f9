"""Every SELECT of the dashboard, as text with `?`: the same on DuckDB and Athena; values always beside the text.

Names of tables and columns are those of docs/ddl. Not here: who asks (source.py), what is shown (pages).
"""

from __future__ import annotations

# -- fleet ------------------------------------------------------------------------------------------------------------

FLEET = """
SELECT b.vin, b.make, b.model, b.chemistry, b.age_years, b.odometer_km, b.soh_percent, b.soh_sd, b.soh_low_percent,
       b.soh_high_percent, b.capacity_kwh, b.reference_capacity_kwh, b.trend_percent_per_year,
       b.soh_in_12_months_percent, b.equivalent_full_cycles, b.dc_share_percent, b.completeness_percent, b.last_seen,
       b.needs_full_charge, b.reasons, v.drives, v.drive_km, v.charges, v.charged_kwh, v.kwh_per_100km,
       v.off_peak_share, v.co2_kg, v.idle_awake_share, v.alarms, v.value, v.value_low, v.value_high, v.currency,
       d.template
FROM results_vehicle_battery b LEFT JOIN insights_vehicle_360 v ON v.vin = b.vin
LEFT JOIN (SELECT vin, max(model) AS template FROM results_battery_degradation WHERE quantity = ? GROUP BY vin) d
ON d.vin = b.vin ORDER BY b.vin"""
TEMPLATES = """
SELECT model, max(template_a) AS template_a, max(template_b) AS template_b, max(n_cars) AS n_cars
FROM results_battery_degradation WHERE quantity = ? AND template_a IS NOT NULL GROUP BY model ORDER BY model"""

# -- one vehicle ------------------------------------------------------------------------------------------------------

VINS = "SELECT vin, make, model FROM results_vehicle_battery ORDER BY vin"
VEHICLE = "SELECT * FROM results_vehicle_battery WHERE vin = ?"
HEALTH_FILTERED = """
SELECT month, observed, monthly, capacity, capacity_sd, soh_percent, soh_low_percent, soh_high_percent,
       soh_display_percent, reference_capacity, method, reasons
FROM results_battery_health_filtered WHERE vin = ? AND quantity = ? ORDER BY month"""
HEALTH_METHODS = """
SELECT month, method, capacity_kwh, soh_percent, soh_sd, n_sessions, sum_delta_soc, reasons
FROM results_battery_health WHERE vin = ? ORDER BY month, method"""
FORECAST = """
SELECT horizon_months, month, soh_percent, soh_low_percent, soh_high_percent, n_cars, reasons
FROM results_battery_degradation WHERE vin = ? AND quantity = ? ORDER BY horizon_months"""
ODOMETER_OF_DAYS = """
SELECT substr(file_date, 1, 7) AS month, max(odometer_km) AS odometer_km FROM results_data_quality
WHERE vin = ? AND file_date IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
GROUP BY substr(file_date, 1, 7) ORDER BY month"""
"""Two days of each of twelve months: a year's partitions would be read for twelve numbers."""
PEERS = "SELECT * FROM results_peer_percentiles WHERE vin = ?"
CHARGES = """
SELECT start, duration_min, soc_start, soc_end, energy_kwh, energy_method, efficiency_percent, charge_type, power_class,
       power_mean_kw, power_max_kw, battery_temp_mean_c, cost, currency, inferred, truncated, confidence, reasons
FROM results_charging WHERE vin = ? AND date BETWEEN ? AND ? ORDER BY start DESC"""
CURVES = """
SELECT session_id, power_class, soc_bin, power_kw FROM results_charge_curves
WHERE vin = ? AND date BETWEEN ? AND ? ORDER BY soc_bin"""
TRIPS = """
SELECT start, duration_min, distance_km, energy_kwh, energy_method, kwh_per_100km, kwh_per_100km_gross, soc_start,
       soc_end, speed_mean_kmh, outside_temp_mean_c, inferred, truncated, confidence, reasons
FROM results_trips WHERE vin = ? AND date BETWEEN ? AND ? ORDER BY start DESC"""
BY_TEMPERATURE = """
SELECT temp_bin_c, n_trips, distance_km, kwh_per_100km, kwh_per_100km_gross, p10_kwh_per_100km, p90_kwh_per_100km,
       method, reasons
FROM results_consumption_by_temperature WHERE vin = ? ORDER BY temp_bin_c"""
SESSIONS = """
SELECT kind, asleep, "start", "end", soc_start, soc_end, distance_km, energy_kwh, confidence, reasons
FROM results_sessions WHERE vin = ? AND date BETWEEN ? AND ? ORDER BY "start" """
PARKING = """
SELECT start, hours, soc_start, soc_end, drain_percent_per_day, power_w, asleep_share, outside_temp_mean_c, method,
       reasons
FROM results_vampire_drain WHERE vin = ? AND date BETWEEN ? AND ? ORDER BY start DESC"""
SOC_WINDOWS = """
SELECT soc_bin, sum(hours) AS hours FROM results_soc_histogram
WHERE vin = ? AND file_date BETWEEN ? AND ? GROUP BY soc_bin ORDER BY soc_bin"""

# -- charging and grid ------------------------------------------------------------------------------------------------

GRID_SLOTS = """
SELECT region_code, instant, sum(energy_kwh) AS energy_kwh, sum(co2_g) AS co2_g, max(load_mwh) AS load_mwh,
       max(load_percentile) AS load_percentile, max(co2_g_per_kwh) AS co2_g_per_kwh
FROM insights_charging_grid_load WHERE date BETWEEN ? AND ? GROUP BY region_code, instant
ORDER BY instant, region_code"""
FLEXIBILITY = """
SELECT region_code, count(*) AS charges, sum(energy_kwh) AS energy_kwh, sum(energy_kwh * known_share) AS known_kwh,
       sum(energy_kwh * known_share * low_third_share) AS low_third_kwh, sum(co2_g) / 1000 AS co2_kg,
       sum(energy_kwh * co2_known_share) AS co2_known_kwh
FROM insights_charging_flexibility WHERE month BETWEEN ? AND ? GROUP BY region_code ORDER BY energy_kwh DESC"""
WINDOWS = """
SELECT vin, month, sessions, energy_kwh, actual_co2_g_per_kwh, best_window_start, best_co2_g_per_kwh, saved_co2_kg,
       saved_share
FROM insights_charge_windows WHERE file_month BETWEEN ? AND ? ORDER BY saved_co2_kg DESC"""
PRESSURE = """
SELECT code, electric_cars, metered_mwh, withheld_rows, ev_mwh, ev_share, ev_share_sd FROM insights_region_ev_pressure
WHERE level = ? AND adoption = ? ORDER BY ev_share DESC"""
REGION_NAMES = "SELECT region_code, max(region) AS region FROM energy_grid_load_regional GROUP BY region_code"

# -- energy atlas -----------------------------------------------------------------------------------------------------

ATLAS_CHOICES = """
SELECT DISTINCT year, energy, level FROM energy_consumption_total_mean ORDER BY year DESC, energy, level"""
ATLAS = """
SELECT code, name, parent_code, sites, total_mwh, mean_mwh, reference_mean_mwh, withheld_rows, source
FROM energy_consumption_total_mean WHERE year = ? AND energy = ? AND level = ? ORDER BY total_mwh DESC, code, source"""
SECTORS = """
SELECT place_code, place, region_code, sector, sum(sites) AS sites, sum(total_mwh) AS total_mwh
FROM energy_annual_department WHERE year = ? AND energy = ? GROUP BY place_code, place, region_code, sector
ORDER BY place_code, sector"""

# -- market -----------------------------------------------------------------------------------------------------------

MAKES = "SELECT make, n_sales FROM market_brand_peers ORDER BY n_sales DESC, make"
MAKE = "SELECT * FROM market_brand_peers WHERE make = ?"
BRAND_STORY = """
SELECT release_year, count(*) AS n_sales, avg(selling_price_usd) AS mean_price_usd,
       avg(odometer_miles) AS mean_odometer_miles, avg(grade) AS mean_grade
FROM market_sales WHERE make = ? AND release_year BETWEEN ? AND ? GROUP BY release_year ORDER BY release_year"""
BRAND_MODELS = """
SELECT model, count(*) AS n_sales, avg(selling_price_usd) AS mean_price_usd, avg(mmr_usd) AS mean_mmr_usd
FROM market_sales WHERE make = ? AND release_year BETWEEN ? AND ? GROUP BY model
ORDER BY n_sales DESC, model LIMIT 40"""
SALES_OF_MAKE = """
SELECT release_year, model, selling_price_usd, mmr_usd, odometer_miles, grade FROM market_sales WHERE make = ?"""
TRENDS = """
SELECT make, month, n_sales, median_price_usd, price_over_mmr FROM market_monthly_brand_trends
WHERE make IN (?, ?, ?, ?) ORDER BY make, month"""
CURVES_OF_MAKES = """
SELECT make, age_years, price_usd, price_low_usd, price_high_usd, value_ratio FROM market_depreciation_curves
WHERE level = ? AND make IN (?, ?, ?, ?) ORDER BY make, age_years"""
LAWS = "SELECT * FROM market_depreciation_models"
RESIDUALS = """
SELECT vin, month, make, model, age_years, odometer_km, soh_percent, value, value_low, value_high, value_ratio,
       lost_to_battery, currency, price_origin, reasons
FROM insights_residual_value WHERE month = (SELECT max(month) FROM insights_residual_value) ORDER BY vin"""

# -- telematics -------------------------------------------------------------------------------------------------------

ALARMS = """
SELECT start, device_id, vin, variable, band, duration_s, count, minimum, maximum FROM telematics_alarms
WHERE date BETWEEN ? AND ? ORDER BY start DESC"""
STYLE = """
SELECT device_id, max(vin) AS vin, sum(driving_s) / 3600 AS driving_h, max(speed_max_kmh) AS speed_max_kmh,
       sum(idling_s) / 3600 AS idling_h, sum(harsh_accelerations) AS harsh_accelerations,
       sum(harsh_brakings) AS harsh_brakings, sum(speed_alarms) AS speed_alarms, sum(alarms) AS alarms
FROM telematics_driving_style_daily WHERE file_date BETWEEN ? AND ? GROUP BY device_id
ORDER BY alarms DESC, device_id"""

# -- data health ------------------------------------------------------------------------------------------------------

QUALITY_BY_DAY = """
SELECT file_date AS day, count(*) AS vehicles, sum("rows") AS "rows", avg(coverage_percent) AS coverage_percent,
       avg(score) AS score, sum(values_nulled) AS values_nulled, sum(unexplained_soc_percent) AS unexplained_soc_percent
FROM results_data_quality WHERE file_date BETWEEN ? AND ? GROUP BY file_date ORDER BY file_date"""
QUALITY_BY_VEHICLE = """
SELECT vin, count(*) AS days, avg(coverage_percent) AS coverage_percent, max(longest_gap_min) AS longest_gap_min,
       sum(values_nulled) AS values_nulled, avg(score) AS score, max(last_seen) AS last_seen
FROM results_data_quality WHERE file_date BETWEEN ? AND ? GROUP BY vin ORDER BY score, vin"""
CLEANING_BY_RULE = """
SELECT rule, signal, sum(n) AS n, count(DISTINCT vin) AS vehicles FROM results_cleaning
WHERE date BETWEEN ? AND ? GROUP BY rule, signal ORDER BY n DESC, rule, signal"""

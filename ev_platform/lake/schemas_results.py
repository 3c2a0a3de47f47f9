"""Arrow schemas of the tables that people read: `results/*` beyond sessions and battery health (schemas.py).

Belongs here: column names, types, units and meaning; docs/results.md says the same in prose. Every row that states a
figure carries method, evidence or reasons.
"""

from __future__ import annotations

import pyarrow as pa

from ev_platform.lake.schemas import TIME

_TYPES = {"s": pa.string(), "f": pa.float64(), "i": pa.int64(), "b": pa.bool_(), "t": TIME, "d": pa.date32()}
_TYPES["l"] = pa.list_(pa.string())


def _schema(text: str) -> pa.Schema:
    """A schema from lines `name type unit | meaning`; unit `-` is none."""
    fields = []
    for line in text.strip().splitlines():
        head, _, meaning = line.partition("|")
        name, kind, unit = head.split()
        metadata = {"description": meaning.strip()} | ({} if unit == "-" else {"unit": unit})
        fields.append(pa.field(name, _TYPES[kind], metadata=metadata))
    return pa.schema(fields)


TRIPS = _schema("""
session_id s - | hash of vin, kind and start: same data, same id
vin s - | vehicle identification number
start t - | first instant
end t - | last instant
duration_min f min | end less start
distance_km f km | odometer difference
energy_kwh f kWh | battery energy used, net of recuperation; positive = used
energy_method s - | how energy_kwh was found: power_integral, soc_capacity, …
kwh_per_100km f kWh/100km | net: energy_kwh over distance; null below 1 km
parked_loss_kwh f kWh | energy lost while parked right before this trip, since the last trip or charge
kwh_per_100km_gross f kWh/100km | gross: with parked_loss_kwh
soc_start f percent | state of charge at the start
soc_end f percent | state of charge at the end
speed_mean_kmh f km/h | distance over duration
power_max_kw f kW | largest absolute pack power
outside_temp_mean_c f degC | mean outside temperature
battery_temp_mean_c f degC | mean battery temperature
inferred b - | seen only as a change over a gap
truncated b - | true begin or end not observed
confidence f - | 0 to 1
reasons l - | what lowers the confidence, and why a figure is missing
""")
"""results/trips: one row per drive, filed under its start day."""

CHARGING = _schema("""
session_id s - | hash of vin, kind and start: same data, same id
vin s - | vehicle identification number
start t - | first instant
end t - | last instant
duration_min f min | end less start
soc_start f percent | state of charge at the start
soc_end f percent | state of charge at the end
energy_kwh f kWh | energy into the battery
energy_method s - | how energy_kwh was found: counter, power_integral, soc_capacity
energy_charger_kwh f kWh | energy drawn at the charger, from its own counter
efficiency_percent f percent | energy_kwh over energy_charger_kwh, AC only
charge_type s - | ac or dc, null where nothing tells
power_class s - | slow below 8 kW, medium 8 to 45 kW, fast above
power_mean_kw f kW | mean power into the battery
power_max_kw f kW | largest power
c_rate f 1/h | mean power over usable capacity when new
battery_temp_mean_c f degC | mean battery temperature
outside_temp_mean_c f degC | mean outside temperature
cost f - | energy at the tariff, in `currency`; null without a tariff
currency s - | of cost
tariff s - | name of the tariff used
inferred b - | seen only as a change over a gap: no curve, no power
truncated b - | true begin or end not observed
confidence f - | 0 to 1
reasons l - | what lowers the confidence, and why a figure is missing
""")
"""results/charging: one row per charge, filed under its start day."""

CHARGE_CURVES = _schema("""
session_id s - | the charge
vin s - | vehicle identification number
start t - | first instant of the charge
power_class s - | slow, medium or fast
soc_bin f percent | lower end of a bin of 2 %
power_kw f kW | median power into the battery in the bin
battery_temp_c f degC | median battery temperature in the bin
n_samples i - | readings in the bin
method s - | pack (V·I), charger (power stated by the charger)
""")
"""results/charge_curves: one row per charge and SoC bin, filed under the charge's start day."""

VAMPIRE_DRAIN = _schema("""
vin s - | vehicle identification number
start t - | begin of the parking
end t - | end of it (a whole day without drive and charge is a parking of its own)
hours f h | end less start
soc_start f percent | state of charge at the start
soc_end f percent | state of charge at the end
drain_percent_per_day f percent/d | SoC lost per day; negative where SoC recovered
power_w f W | mean power that this means for the pack
asleep_share f - | share of the time without messages
outside_temp_mean_c f degC | mean outside temperature
method s - | soc_capacity, or soc where the capacity is not known
reasons l - | too_short (below 1 h), small_change (below the step of SoC), moved
""")
"""results/vampire_drain: one row per parking of at least an hour, filed under its start day."""

SOC_HISTOGRAM = _schema("""
vin s - | vehicle identification number
date d - | UTC day
soc_bin f percent | lower end of a bin of 10 %
hours f h | time of the day in the bin
share f - | of the day's observed time
""")
"""results/soc_histogram: one row per vehicle, day and SoC window."""

RANGE_ESTIMATES = _schema("""
vin s - | vehicle identification number
date d - | UTC day
rated_full_km f km | rated range at 100 %, as the vehicle states it
estimated_full_km f km | the vehicle's own estimate from driving, at 100 %
real_full_km f km | driven km per SoC point times 100, of the day's drives above 5 % and 5 km
real_km f km | distance behind real_full_km
real_delta_soc f percent | SoC behind real_full_km
outside_temp_mean_c f degC | of those drives
n_readings i - | range readings at SoC of 30 % or more
reasons l - | why a figure is missing
""")
"""results/range_estimates: one row per vehicle and day."""

DATA_QUALITY = _schema("""
vin s - | vehicle identification number
date d - | UTC day
rows i - | cleaned rows
first_seen t - | first row of the day
last_seen t - | last row of the day
coverage_percent f percent | share of the day's 144 ten-minute slots with a message or known sleep
longest_gap_min f min | longest time between two rows
soc_readings i - | rows with a state of charge
odometer_readings i - | rows with an odometer
current_readings i - | rows with a pack current
position_readings i - | rows with a position
odometer_km f km | newest of the day
values_nulled i - | values that cleaning nulled or flagged
by_rule l - | the same by rule and signal: rule:signal:count
unexplained_soc_percent f percent | SoC that changed in gaps or jumps without a session that explains it
score f - | 0 to 100: coverage, signals present, share of bad values
reasons l - | what lowers the score
""")
"""results/data_quality: one row per vehicle and day."""

CELL_IMBALANCE = _schema("""
vin s - | vehicle identification number
date d - | UTC day
n i - | readings with both cell voltages
imbalance_median_mv f mV | highest less lowest cell, median
imbalance_p95_mv f mV | 95th percentile
imbalance_rest_mv f mV | median at rest or below 5 A; null without such readings
cell_voltage_min_v f V | lowest cell of the day
soc_at_min_percent f percent | state of charge at that moment
reasons l - | why a figure is missing
""")
"""results/cell_imbalance: one row per vehicle and day that sends cell voltages."""

CONSUMPTION_BY_TEMPERATURE = _schema("""
vin s - | vehicle identification number
temp_bin_c f degC | lower end of a bin of 5 °C of outside temperature
n_trips i - | trips of at least 2 km with a trustworthy energy
distance_km f km | of those trips
kwh_per_100km f kWh/100km | net, weighted by distance
kwh_per_100km_gross f kWh/100km | with what was lost while parked before
p10_kwh_per_100km f kWh/100km | 10th percentile of trips
p90_kwh_per_100km f kWh/100km | 90th percentile of trips
method s - | the energy method of most km
reasons l - | few_trips (below 5)
""")
"""results/consumption_by_temperature: whole history, one row per vehicle and temperature bin."""

BATTERY_HEALTH_FILTERED = _schema("""
vin s - | vehicle identification number
month s - | YYYY-MM, UTC
quantity s - | energy or charge
unit s - | kWh, Ah, or percent where only a state of health is known
observed b - | the month had a value; false: carried on from the months before
monthly f unit | the month's own value
capacity f unit | filtered, from this month and earlier ones only
capacity_sd f unit | one standard deviation
soh_percent f percent | capacity over the reference
soh_sd f percent | one standard deviation
soh_low_percent f percent | two standard deviations below
soh_high_percent f percent | two standard deviations above
soh_display_percent f percent | for display only: never rises; the data above may
trend_percent_per_year f percent/a | change of capacity
trend_sd f percent/a | one standard deviation
n_months i - | observed months since the last break
reference_capacity f unit | capacity when new
reference_source s - | where the reference comes from
method s - | evidence of the month: pooled, fallback:…, offset_shared
reasons l - | damped_outlier, level_shift, no_reference, …
""")
"""results/battery_health_filtered: whole history, one row per vehicle, month and quantity."""

BATTERY_DEGRADATION = _schema("""
vin s - | vehicle identification number
model s - | the model whose template it is
quantity s - | energy or charge
horizon_months i mo | 0 (now), 1, 3 or 12 months after the last observed month
month s - | the month forecast
capacity f unit | expected
capacity_sd f unit | one standard deviation
soh_percent f percent | expected over the reference
soh_low_percent f percent | two standard deviations below
soh_high_percent f percent | two standard deviations above
template_a f 1/sqrt(a) | of 1 - a*sqrt(t) - b*t, the model's fleet
template_b f 1/a | of 1 - a*sqrt(t) - b*t
rate f - | how much faster than its template this car fades (1 = as the template)
rate_sd f - | one standard deviation
n_months i - | months of this car used
n_cars i - | cars behind the template; with fewer than 4 mostly the published prior
reasons l - | few_cars, few_months, no_reference, age_unknown
""")
"""results/battery_degradation: whole history, one row per vehicle, quantity and horizon."""

PEER_PERCENTILES = _schema("""
vin s - | vehicle identification number
model s - | make, model and capacity when new
age_years f a | from first registration to the last month
odometer_km f km | newest
n_peers i - | other cars of the model within 1.5 years and 40 % of the mileage, widened when fewer than 5
soh_percent f percent | newest
soh_percentile f percent | share of peers with a lower state of health; at its age and mileage
soh_expected_percent f percent | what peers show at this age and mileage
consumption_percentile f percent | share of peers that use more
drain_percentile f percent | share of peers that lose more while parked
reasons l - | few_peers, widened, …
""")
"""results/peer_percentiles: whole history, one row per vehicle."""

VEHICLE_BATTERY = _schema("""
vin s - | vehicle identification number
make s - | manufacturer
model s - | model and trim
chemistry s - | NMC, NCA or LFP
first_registration d - | first registration
age_years f a | at the last month
odometer_km f km | newest
last_seen t - | newest row
month s - | of the newest health
soh_percent f percent | energy, filtered
soh_sd f percent | one standard deviation
soh_low_percent f percent | two standard deviations below
soh_high_percent f percent | two standard deviations above
capacity_kwh f kWh | filtered
capacity_sd_kwh f kWh | one standard deviation
capacity_ah f Ah | filtered charge capacity
soh_ah_percent f percent | charge, filtered
soh_manufacturer_percent f percent | the maker's own newest value, never mixed with ours
reference_capacity_kwh f kWh | when new
reference_source s - | where it comes from
trend_percent_per_year f percent/a | of the filter
soh_in_12_months_percent f percent | forecast
equivalent_full_cycles f - | over the life: odometer times gross consumption over capacity when new
charged_kwh f kWh | seen in results/charging
observed_full_cycles f - | charged_kwh over capacity when new
dc_share_percent f percent | of charged energy
needs_full_charge b - | an LFP pack whose SoC may have drifted: not charged to 99 % within 14 days
days_since_full_charge f d | in the newest month
completeness_percent f percent | mean coverage of the last 30 days seen
method s - | evidence of the newest health
reasons l - | why figures are missing
""")
"""results/vehicle_battery: whole history, the newest row per vehicle."""

TARIFFS = _schema("""
tariff s - | name
charge_type s - | ac, dc or any
valid_from d - | first day, empty: always
valid_to d - | last day, empty: open
start_hour i h | first hour of the day (UTC) it holds for
end_hour i h | first hour it no longer holds for; below start_hour: over midnight
price_per_kwh f - | per kWh drawn at the charger, else per kWh into the battery
session_fee f - | once per charge
currency s - | ISO 4217
""")
"""ref/tariffs: what energy costs; the first line that fits the start of a charge counts."""

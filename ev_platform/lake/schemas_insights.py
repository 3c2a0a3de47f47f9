"""Arrow schemas of the joins: fleet with grid, fleet with market, fleet with region, all of it per vehicle.

Belongs here: names, types, units, meaning; also the columns that the joins need from elsewhere. Not here: how rows are
made (insights/).
"""

from __future__ import annotations

import pyarrow as pa

from ev_platform.lake.schemas import TIME


def _field(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    metadata = {"description": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, metadata=metadata)


_TEXT, _INT, _FLOAT, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()

# -- what is needed from elsewhere ------------------------------------------------------------------------------------

LOAD = pa.schema(
    [
        _field("region_code", _TEXT, "INSEE code of the region"),
        _field("instant", TIME, "begin of the half-hour, UTC"),
        _field("consumption_mw", _FLOAT, "mean load of the half-hour", "MW"),
    ]
)
"""Of energy/grid_load_regional: half-hourly load per region; a missing slot is a gap, not zero."""

CO2 = pa.schema(
    [
        _field("instant", TIME, "begin of the half-hour, UTC"),
        _field("co2_g_per_kwh", _FLOAT, "national rate of the half-hour", "g/kWh"),
    ]
)
"""Of energy/grid_mix_national: the rate is national, also in a region."""

CARS = pa.schema(
    [
        _field("commune_code", _TEXT, "INSEE code of the commune"),
        _field("date", pa.date32(), "day of the count"),
        _field("electric_cars", _INT, "cars that can be charged"),
    ]
)
"""Of energy/vehicles_commune."""

METERED = pa.schema(
    [
        _field("year", pa.int16(), "year"),
        _field("energy", _TEXT, "electricity | gas"),
        _field("place_code", _TEXT, "INSEE code of the commune"),
        _field("region_code", _TEXT, "INSEE code of the region"),
        _field("total_mwh", _FLOAT, "consumption; null where withheld", "MWh"),
        _field("withheld", _FLAG, "kept back by statistical secrecy"),
    ]
)
"""Of energy/annual_commune; one commune has many rows."""

# -- what is made -----------------------------------------------------------------------------------------------------

CHARGING_GRID_LOAD = pa.schema(
    [
        _field("session_id", _TEXT, "of results/sessions"),
        _field("vin", _TEXT, "vehicle identification number"),
        _field("region_code", _TEXT, "region of the charge; null where the place is unknown or abroad"),
        _field("region_method", _TEXT, "polygon | nearest_prefecture | unknown"),
        _field("instant", TIME, "begin of the half-hour, UTC"),
        _field("local_day", pa.date32(), "day in Europe/Paris"),
        _field("energy_kwh", _FLOAT, "energy of the session in this half-hour, as if charged at constant power", "kWh"),
        _field("load_mwh", _FLOAT, "consumption of the region in this half-hour; null in a gap", "MWh"),
        _field("share_ppm", _FLOAT, "energy_kwh over load_mwh", "ppm"),
        _field("load_percentile", _FLOAT, "share of the local day's half-hours with a lower load: 0 lowest, 1 highest"),
        _field("slots_in_local_day", pa.int32(), "half-hours of the local day: 48, or 46 and 50 when clocks change"),
        _field("co2_g_per_kwh", _FLOAT, "national rate of the half-hour; null in a gap", "g/kWh"),
        _field("co2_g", _FLOAT, "energy_kwh times the rate", "g"),
    ]
)
"""insights/charging_grid_load: one row per charge and half-hour, filed under the start day of the charge."""

CHARGING_FLEXIBILITY = pa.schema(
    [
        _field("session_id", _TEXT, "of results/sessions"),
        _field("vin", _TEXT, "vehicle identification number"),
        _field("start", TIME, "first instant"),
        _field("end", TIME, "last instant"),
        _field("region_code", _TEXT, "region of the charge"),
        _field("energy_kwh", _FLOAT, "energy of the session", "kWh"),
        _field("known_share", _FLOAT, "share of the energy in half-hours whose load is known"),
        _field("low_third_share", _FLOAT, "share of that energy in the lowest third of the local day's half-hours"),
        _field("co2_g", _FLOAT, "emissions at the national rate; null if no half-hour of it is known", "g"),
        _field("co2_known_share", _FLOAT, "share of the energy in half-hours whose rate is known"),
        _field("co2_g_per_kwh", _FLOAT, "mean rate over the energy whose rate is known", "g/kWh"),
    ]
)
"""insights/charging_flexibility: one row per charge, filed under the month of its start."""

CHARGE_WINDOWS = pa.schema(
    [
        _field("vin", _TEXT, "vehicle identification number"),
        _field("month", _TEXT, "YYYY-MM, UTC, of the starts of its charges"),
        _field("sessions", _INT, "charges counted"),
        _field("energy_kwh", _FLOAT, "their energy", "kWh"),
        _field("actual_co2_g_per_kwh", _FLOAT, "mean rate over that energy", "g/kWh"),
        _field("best_window_start", _TEXT, "local time of day (Europe/Paris) at which the best 3 hours begin, HH:MM"),
        _field("best_co2_g_per_kwh", _FLOAT, "mean rate in those hours, on the same local days", "g/kWh"),
        _field("best_load_percentile", _FLOAT, "mean percentile of the load in those hours; null without load"),
        _field("saved_co2_kg", _FLOAT, "energy times the difference: what moving the same energy there saves", "kg"),
        _field("saved_share", _FLOAT, "saved_co2_kg over what was emitted"),
    ]
)
"""insights/charge_windows: one row per vehicle and month."""

RESIDUAL_VALUE = pa.schema(
    [
        _field("vin", _TEXT, "vehicle identification number"),
        _field("month", _TEXT, "YYYY-MM: value at its end"),
        _field("make", _TEXT, "manufacturer"),
        _field("model", _TEXT, "model"),
        _field("age_years", _FLOAT, "since first registration", "a"),
        _field("odometer_km", _FLOAT, "mileage; null: unknown, the usual one is assumed", "km"),
        _field("soh_percent", _FLOAT, "state of health used; null: unknown, no factor", "percent"),
        _field("soh_sd", _FLOAT, "one standard deviation of it", "percent"),
        _field("market_ratio", _FLOAT, "value over new price by age and mileage alone"),
        _field("battery_factor", _FLOAT, "declared multiplier for the battery's health; 1 when unknown"),
        _field("value_ratio", _FLOAT, "market_ratio times battery_factor"),
        _field("value_ratio_low", _FLOAT, "16th percentile"),
        _field("value_ratio_high", _FLOAT, "84th percentile"),
        _field("sd_log", _FLOAT, "one standard deviation of the logarithm of the value"),
        _field("sd_log_market", _FLOAT, "its part from the market: error of prices on sales left out"),
        _field("sd_log_battery", _FLOAT, "its part from the health and from the elasticity"),
        _field("sd_log_new_price", _FLOAT, "its part from the new price"),
        _field("new_price", _FLOAT, "new price by the price table; null: the model is not in it"),
        _field("value", _FLOAT, "new_price times value_ratio, in `currency`"),
        _field("value_low", _FLOAT, "16th percentile"),
        _field("value_high", _FLOAT, "84th percentile"),
        _field("lost_to_battery", _FLOAT, "value that the same car with a new battery would have more"),
        _field("currency", _TEXT, "of new_price and value"),
        _field("price_origin", _TEXT, "where the new price comes from, with its year"),
        _field("curve_level", _TEXT, "all | make | model: whose depreciation was used"),
        _field("market_years", _TEXT, "first and last year of the sales behind the curve"),
        _field("reasons", pa.list_(_TEXT), "what is assumed or missing"),
    ]
)
"""insights/residual_value: one row per vehicle and month."""

REGION_EV_PRESSURE = pa.schema(
    [
        _field("level", _TEXT, "commune | region"),
        _field("code", _TEXT, "INSEE code"),
        _field("counted_on", pa.date32(), "day of the count of cars"),
        _field("electric_cars", _INT, "cars that can be charged"),
        _field("metered_year", pa.int16(), "year of the metered consumption"),
        _field("metered_mwh", _FLOAT, "electricity metered in a year; a lower bound where rows are withheld", "MWh"),
        _field("withheld_rows", _INT, "rows kept back by statistical secrecy, which metered_mwh lacks"),
        _field("kwh_per_car_year", _FLOAT, "mean of our fleet", "kWh"),
        _field("kwh_per_car_year_sd", _FLOAT, "standard deviation of that mean", "kWh"),
        _field("fleet_cars", _INT, "cars of the fleet behind the mean"),
        _field("adoption", _FLOAT, "cars as counted times this: 1 now, 2, 5"),
        _field("ev_mwh", _FLOAT, "electric_cars times adoption times kwh_per_car_year", "MWh"),
        _field("ev_share", _FLOAT, "ev_mwh over the metered electricity with the cars beyond today's added"),
        _field("ev_share_sd", _FLOAT, "one standard deviation, from kwh_per_car_year"),
    ]
)
"""insights/region_ev_pressure: one row per place and adoption."""

VEHICLE_360 = pa.schema(
    [
        _field("vin", _TEXT, "vehicle identification number"),
        _field("make", _TEXT, "manufacturer"),
        _field("model", _TEXT, "model"),
        _field("first_registration", pa.date32(), "first registration"),
        _field("last_seen", TIME, "end of the newest session"),
        _field("odometer_km", _FLOAT, "newest odometer", "km"),
        _field("soh_percent", _FLOAT, "newest pooled state of health", "percent"),
        _field("soh_sd", _FLOAT, "one standard deviation of it", "percent"),
        _field("soh_month", _TEXT, "month of it"),
        _field("drives", _INT, "drives seen"),
        _field("drive_km", _FLOAT, "their distance", "km"),
        _field("charges", _INT, "charges seen"),
        _field("charged_kwh", _FLOAT, "their energy", "kWh"),
        _field("dc_share", _FLOAT, "share of that energy from direct current"),
        _field("kwh_per_100km", _FLOAT, "energy of the drives over their distance", "kWh/100km"),
        _field("off_peak_share", _FLOAT, "share of charged energy in the lowest third of the local day; null: no load"),
        _field("co2_kg", _FLOAT, "emissions of the charges at the national rate; null: no rate", "kg"),
        _field("idle_awake_share", _FLOAT, "share of the standing time in which the car was awake"),
        _field("alarms", _INT, "telematics alarms of its device; null: no device"),
        _field("idling_share", _FLOAT, "share of the device's ignition-on time spent idling; null: no device"),
        _field("value", _FLOAT, "newest estimated value"),
        _field("value_low", _FLOAT, "16th percentile"),
        _field("value_high", _FLOAT, "84th percentile"),
        _field("value_ratio", _FLOAT, "value over new price, also without a price table"),
        _field("currency", _TEXT, "of value"),
    ]
)
"""insights/vehicle_360: one row per VIN of the registry or the sessions."""

"""Arrow schemas of the lake's tables, one constant per table, units in names or in the field metadata.

Belongs here: column names, types, units and meaning. Not here: how rows are made (transform/, battery/) or where they
are filed (layout.py). The wide `cleaned` schema is derived from the signal catalogue (`ev_platform.signals`).
"""

from __future__ import annotations

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
"""Every time in the lake: microseconds, UTC."""


def _field(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    metadata = {"description": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, metadata=metadata)


COMPRESSED = pa.schema(
    [
        _field("vin", pa.string(), "vehicle identification number"),
        _field("event_time", TIME, "time inside the record, UTC"),
        _field("event_time_ns", pa.int16(), "nanoseconds beyond event_time", "ns"),
        _field("signal", pa.string(), "the provider's own name, nested parts dotted; null for a record without data"),
        _field("number", pa.float64(), "numeric value, null where the value is not a number"),
        _field("text", pa.string(), "original lexeme wherever number does not reproduce it"),
        _field("kind", pa.string(), "member the value came in: doubleValue, stringValue, …"),
        _field("unit", pa.string(), "unit sent with the value"),
        _field("status", pa.string(), "ok | invalid | missing | unparsed | empty"),
        _field("received_at", TIME, "time the provider's server received the record"),
        _field("provider", pa.string(), "who sent it: tesla, high_mobility, …"),
        _field("is_resend", pa.bool_(), "the vehicle marked the record as sent again"),
        _field("txid", pa.string(), "transmission id of the vehicle's connection"),
        _field("extra", pa.string(), "record keys and headers without a column of their own, JSON"),
        _field("source", pa.string(), "Kafka topic, or provider of a polled payload"),
        _field("partition", pa.int32(), "Kafka partition, null when polled"),
        _field("offset", pa.int64(), "Kafka offset, null when polled"),
        _field("source_ts", pa.int64(), "Kafka timestamp, null when polled", "ms"),
        _field("record_hash", pa.string(), "content hash of a polled record, null from Kafka"),
    ]
)
"""compressed/YYYY/MM/DD/{VIN}.parquet: long, provider-neutral, lossless. One row per datum of a record."""

IDENTITY = ["source", "partition", "offset", "source_ts", "record_hash"]
"""Columns that name one record; a record is stored at most once."""

SEGMENTS = pa.schema(
    [
        _field("vin", pa.string(), "vehicle identification number"),
        _field("kind", pa.string(), "charge | drive | idle"),
        _field("asleep", pa.bool_(), "idle without any message for more than 30 minutes"),
        _field("start", TIME, "first instant, inclusive"),
        _field("end", TIME, "last instant, exclusive"),
        _field(
            "open_start", pa.bool_(), "first piece of the vehicle's day: what came before midnight may belong to it"
        ),
        _field("open_end", pa.bool_(), "last piece of the vehicle's day: what comes after midnight may belong to it"),
        _field("soc_start", pa.float64(), "state of charge at the start", "percent"),
        _field("soc_end", pa.float64(), "state of charge at the end", "percent"),
        _field("energy_kwh", pa.float64(), "battery-side energy, positive into the battery", "kWh"),
        _field("energy_method", pa.string(), "counter | power_integral | soc_capacity | none"),
        _field("energy_method_reason", pa.string(), "why this method and not a better one"),
        _field("distance_km", pa.float64(), "odometer difference", "km"),
        _field("odometer_start_km", pa.float64(), "odometer at the start", "km"),
        _field("odometer_end_km", pa.float64(), "odometer at the end", "km"),
        _field("outside_temp_mean_c", pa.float64(), "mean outside temperature", "degC"),
        _field("battery_temp_mean_c", pa.float64(), "mean battery temperature", "degC"),
        _field("power_mean_kw", pa.float64(), "mean pack power, positive into the battery", "kW"),
        _field("power_max_kw", pa.float64(), "largest absolute pack power", "kW"),
        _field("charge_type", pa.string(), "ac | dc for a charge, else null"),
        _field("inferred", pa.bool_(), "a charge or drive seen only as a change over a gap"),
        _field("truncated", pa.bool_(), "its true begin or end was not observed"),
        _field("n_samples", pa.int64(), "cleaned rows inside"),
        _field("gap_seconds", pa.float64(), "longest time without any row inside", "s"),
        _field("confidence", pa.float64(), "0 to 1"),
        _field("reasons", pa.list_(pa.string()), "what lowers the confidence"),
    ]
)
"""segments/date=…/part-….parquet: pieces of one UTC day, sorted by vin, start; depends on that day only."""

SESSIONS = pa.schema(
    [
        _field("session_id", pa.string(), "hash of vin, kind and start: same data, same id"),
        *[field for field in SEGMENTS if field.name not in ("open_start", "open_end")],
        _field("n_pieces", pa.int32(), "day pieces stitched; 0 for a gap over midnight that joined neither side"),
    ]
)
"""results/sessions: pieces stitched over midnight, filed under the start day."""

BATTERY_HEALTH = pa.schema(
    [
        _field("vin", pa.string(), "vehicle identification number"),
        _field("month", pa.string(), "YYYY-MM, UTC"),
        _field(
            "method",
            pa.string(),
            "energy_remaining | charge_energy | current | rated_range | manufacturer | pooled (the published one)",
        ),
        _field("capacity_kwh", pa.float64(), "usable energy now at 25 degC; null when the evidence is too thin", "kWh"),
        _field("capacity_sd_kwh", pa.float64(), "one standard deviation of capacity_kwh", "kWh"),
        _field("soh_percent", pa.float64(), "energy: capacity_kwh over reference_capacity_kwh", "percent"),
        _field("soh_sd", pa.float64(), "one standard deviation of soh_percent", "percent"),
        _field("soh_low_percent", pa.float64(), "soh_percent less two standard deviations", "percent"),
        _field("soh_high_percent", pa.float64(), "soh_percent plus two standard deviations", "percent"),
        _field("capacity_ah", pa.float64(), "charge capacity now at 25 degC, kept apart from energy", "Ah"),
        _field("capacity_sd_ah", pa.float64(), "one standard deviation of capacity_ah", "Ah"),
        _field("soh_ah_percent", pa.float64(), "charge: capacity_ah over reference_capacity_ah", "percent"),
        _field("soh_ah_sd", pa.float64(), "one standard deviation of soh_ah_percent", "percent"),
        _field("n_sessions", pa.int64(), "sessions (or days, for energy_remaining) used"),
        _field("sum_delta_soc", pa.float64(), "state of charge covered by the evidence", "percent"),
        _field("reference_capacity_kwh", pa.float64(), "usable capacity when new", "kWh"),
        _field("reference_capacity_ah", pa.float64(), "charge capacity when new", "Ah"),
        _field("reference_source", pa.string(), "where the reference comes from"),
        _field("current_offset_a", pa.float64(), "method current: what the current sensor reads too low", "A"),
        _field("current_offset_sd_a", pa.float64(), "one standard deviation of current_offset_a", "A"),
        _field("capacity_per_offset", pa.float64(), "method current: d ln capacity_ah / d current_offset_a", "1/A"),
        _field("days_since_full_charge", pa.float64(), "from the last SoC >= 99 % of the month to its last SoC", "d"),
        _field("reasons", pa.list_(pa.string()), "why there is no number, or why evidence was left out"),
    ]
)
"""results/battery_health: one row per vin, month and method; `pooled` is the published one."""

VEHICLES = pa.schema(
    [
        _field("vin", pa.string(), "vehicle identification number"),
        _field("provider", pa.string(), "preferred provider"),
        _field("make", pa.string(), "manufacturer"),
        _field("model", pa.string(), "model and trim"),
        _field("chemistry", pa.string(), "NMC | NCA | LFP"),
        _field("usable_new_kwh", pa.float64(), "usable capacity when new", "kWh"),
        _field("reference_source", pa.string(), "where usable_new_kwh comes from"),
        _field("first_registration", pa.date32(), "first registration"),
        _field("usable_new_ah", pa.float64(), "charge capacity when new; optional", "Ah"),
        _field("rated_range_new_km", pa.float64(), "rated range at 100 % when new; optional", "km"),
        _field("trim", pa.string(), "variant; optional"),
        _field("home_region", pa.string(), "region of the home, ISO 3166-2; optional"),
        _field("device_ids", pa.string(), "telematics devices, separated by spaces; optional"),
        _field("consumption_wh_per_km", pa.float64(), "nominal mixed consumption when new; optional", "Wh/km"),
        _field("listed_by", pa.string(), "providers whose lists name it, separated by spaces; not from the file"),
        _field("vin_check", pa.string(), "check digit: ok | wrong | none (the market has none); not from the file"),
    ]
)
"""ref/vehicles: the vehicle registry."""

OPTIONAL_VEHICLE_COLUMNS = (
    *("usable_new_ah", "rated_range_new_km", "trim", "home_region", "device_ids", "consumption_wh_per_km"),
    *("listed_by", "vin_check"),
)
"""Columns that a registry's file may leave out."""

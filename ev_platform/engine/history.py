"""Tables over the whole history: read what the partitions hold, call a kernel once, return the table.

Belongs here: which tables and columns each one reads. Not here: figures (battery/, usage/), who writes (the I/O
manager). They are small: rows per vehicle and month, or a few columns of rows per trip.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from ev_platform.engine.daily import read_vehicles
from ev_platform.engine.items import TaskError
from ev_platform.lake.schemas import BATTERY_HEALTH
from ev_platform.lake.schemas_results import (
    BATTERY_DEGRADATION,
    BATTERY_HEALTH_FILTERED,
    CHARGING,
    CONSUMPTION_BY_TEMPERATURE,
    DATA_QUALITY,
    TRIPS,
    VAMPIRE_DRAIN,
    VEHICLE_BATTERY,
)
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet


def read_result(store: ObjectStore, table: str, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """All partitions of `results/{table}` in order, or some of its columns; empty when there is none.

    Raises:
        TaskError: an object is not a Parquet file of this table.
    """
    names = list(columns or schema.names)
    parts = [pa.schema([schema.field(name) for name in names]).empty_table()]
    keys = sorted(key for key in store.keys(f"results/{table}") if key.endswith(".parquet"))
    for key, data in sorted(store.get_many(keys)):
        if data is None:
            continue
        try:
            parts.append(from_parquet(data, names).cast(parts[0].schema))
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise TaskError(f"{key} cannot be read: {error}; materialize it again") from error
    return pa.concat_tables(parts)


def health_filtered(store: ObjectStore) -> pa.Table:
    """BATTERY_HEALTH_FILTERED of every month of results/battery_health."""
    from ev_platform.battery.history import filtered_health, with_shared_offset

    return filtered_health(with_shared_offset(read_result(store, "battery_health", BATTERY_HEALTH)))


def health_ahead(store: ObjectStore) -> pa.Table:
    """BATTERY_DEGRADATION from results/battery_health_filtered."""
    from ev_platform.battery.history import degradation

    filtered = read_result(store, "battery_health_filtered", BATTERY_HEALTH_FILTERED)
    return degradation(filtered, read_vehicles(store))


def consumption(store: ObjectStore) -> pa.Table:
    """CONSUMPTION_BY_TEMPERATURE of all trips."""
    from ev_platform.usage.trips import consumption_by_temperature

    columns = [
        "session_id",
        "vin",
        "distance_km",
        "outside_temp_mean_c",
        "kwh_per_100km",
        "kwh_per_100km_gross",
        "energy_method",
        "confidence",
    ]
    return consumption_by_temperature(read_result(store, "trips", TRIPS, columns))


def newest_battery(store: ObjectStore) -> pa.Table:
    """VEHICLE_BATTERY: the newest row per vehicle."""
    from ev_platform.battery.vehicles import vehicle_battery

    return vehicle_battery(
        read_vehicles(store),
        read_result(store, "battery_health", BATTERY_HEALTH),
        read_result(store, "battery_health_filtered", BATTERY_HEALTH_FILTERED),
        read_result(store, "battery_degradation", BATTERY_DEGRADATION),
        read_result(store, "charging", CHARGING, ["vin", "charge_type", "energy_kwh"]),
        read_result(store, "data_quality", DATA_QUALITY),
        read_result(store, "consumption_by_temperature", CONSUMPTION_BY_TEMPERATURE),
    )


def among_peers(store: ObjectStore) -> pa.Table:
    """PEER_PERCENTILES from the newest battery rows, consumption and drain of the whole history."""
    from ev_platform.usage.peers import peer_percentiles

    cars = read_result(store, "vehicle_battery", VEHICLE_BATTERY)
    used = _mean(read_result(store, "consumption_by_temperature", CONSUMPTION_BY_TEMPERATURE), "kwh_per_100km")
    drain = _drain(
        read_result(store, "vampire_drain", VAMPIRE_DRAIN, ["vin", "start", "hours", "drain_percent_per_day"])
    )
    rows = []
    for row in cars.to_pylist():
        named = row["model"] is not None and row["reference_capacity_kwh"] is not None
        model = f"{row['make']} {row['model']} {row['reference_capacity_kwh']:g} kWh" if named else None
        figures = {name: row[name] for name in ("vin", "age_years", "odometer_km", "soh_percent")}
        found = {"model": model, "consumption": used.get(row["vin"]), "drain": drain.get(row["vin"])}
        rows.append(figures | found)
    return peer_percentiles(rows)


def _mean(table: pa.Table, name: str) -> dict[str, float]:
    """Distance-weighted mean per vehicle."""
    rows = pl.DataFrame(pl.from_arrow(table)).drop_nulls([name, "distance_km"]).sort("vin", "temp_bin_c")
    km = pl.col("distance_km")
    means = rows.group_by("vin", maintain_order=True).agg((pl.col(name) * km).sum() / km.sum())
    return dict(means.iter_rows())


def _drain(table: pa.Table) -> dict[str, float]:
    """Drain per vehicle over all its parkings, weighted by their hours: percent per day."""
    rows = pl.DataFrame(pl.from_arrow(table)).drop_nulls().sort("vin", "start")
    hours = pl.col("hours")
    means = rows.group_by("vin", maintain_order=True).agg((pl.col("drain_percent_per_day") * hours).sum() / hours.sum())
    return dict(means.iter_rows())

"""The newest state of every vehicle's battery in one row: what a dashboard or a report reads first.

Belongs here: choosing and joining of figures that others found. Not here: any estimate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from ev_platform.battery.filter import middle_of
from ev_platform.lake.schemas_results import VEHICLE_BATTERY

FULL_CHARGE_DAYS = 14.0
"""An iron phosphate pack's SoC may be off after so many days without a full charge (makers ask for one a week)."""
COMPLETENESS_DAYS = 30
DEFAULT_KWH_PER_100KM = 18.0
"""Where a car's own consumption is not known: typical of the cars in public fleets, gross."""


class Known(NamedTuple):
    """What the tables know of one vehicle: a row of each, empty where there is none."""

    registered: dict[str, Any]
    energy: dict[str, Any]
    charge: dict[str, Any]
    stated: dict[str, Any]
    pooled: dict[str, Any]
    in_a_year: dict[str, Any]
    charged: dict[str, Any]
    seen: dict[str, Any]


def vehicle_battery(
    vehicles: pa.Table,
    monthly: pa.Table,
    filtered: pa.Table,
    degradation: pa.Table,
    charging: pa.Table,
    quality: pa.Table,
    consumption: pa.Table,
) -> pa.Table:
    """results/vehicle_battery from the registry and the other tables, whole history each.

    Args:
        vehicles: VEHICLES.
        monthly: BATTERY_HEALTH.
        filtered: BATTERY_HEALTH_FILTERED.
        degradation: BATTERY_DEGRADATION.
        charging: vin, charge_type, energy_kwh of all charges.
        quality: vin, date, last_seen, odometer_km, coverage_percent of all days.
        consumption: CONSUMPTION_BY_TEMPERATURE.
    """
    registry = {row["vin"]: row for row in vehicles.to_pylist()}
    energy, charge = (_newest(filtered, "month", quantity=name) for name in ("energy", "charge"))
    stated = _newest(monthly.filter(pa.compute.is_valid(monthly["soh_percent"])), "month", method="manufacturer")
    pooled = _newest(monthly, "month", method="pooled")
    in_a_year = _newest(degradation, "month", quantity="energy", horizon_months=12)
    charged, seen, used = _charged(charging), _seen(quality), _used(consumption)
    rows = []
    for vin in sorted({*energy, *charge, *pooled, *seen}):
        tables = (registry, energy, charge, stated, pooled, in_a_year, charged, seen)
        rows.append(_row(vin, Known(*(table.get(vin, {}) for table in tables)), used.get(vin)))
    return pa.Table.from_pylist(rows, schema=VEHICLE_BATTERY)


def _newest(table: pa.Table, by: str, **where: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - any column's value
    """Last row per vehicle among those with these values."""
    for name, value in where.items():
        table = table.filter(pa.compute.equal(table[name], value))
    return {row["vin"]: row for row in sorted(table.to_pylist(), key=lambda row: (row["vin"], row[by]))}


def _charged(charging: pa.Table) -> dict[str, dict[str, Any]]:
    rows = pl.DataFrame(pl.from_arrow(charging.select(["vin", "charge_type", "energy_kwh"]))).drop_nulls("energy_kwh")
    typed = pl.col("energy_kwh").filter(pl.col("charge_type").is_not_null()).sum()
    found = (
        rows.sort("vin", "energy_kwh")
        .group_by("vin", maintain_order=True)
        .agg(
            charged_kwh=pl.col("energy_kwh").sum(),
            dc_share_percent=pl.when(typed > 0).then(
                100 * pl.col("energy_kwh").filter(pl.col("charge_type") == "dc").sum() / typed
            ),
        )
    )
    return {row["vin"]: row for row in found.iter_rows(named=True)}


def _seen(quality: pa.Table) -> dict[str, dict[str, Any]]:
    columns = ["vin", "date", "last_seen", "odometer_km", "coverage_percent"]
    rows = pl.DataFrame(pl.from_arrow(quality.select(columns))).sort("vin", "date")
    recent = pl.col("date") > pl.col("date").max() - pl.duration(days=COMPLETENESS_DAYS)
    found = rows.group_by("vin", maintain_order=True).agg(
        pl.col("last_seen").max(),
        pl.col("odometer_km").drop_nulls().last(),
        completeness_percent=pl.col("coverage_percent").filter(recent).sum()
        / (pl.col("date").max() - pl.col("date").filter(recent).min() + pl.duration(days=1)).dt.total_days(),
    )
    return {row["vin"]: row for row in found.iter_rows(named=True)}


def _used(consumption: pa.Table) -> dict[str, float]:
    """Gross consumption over all temperatures, kWh/100 km."""
    rows = pl.DataFrame(
        pl.from_arrow(consumption.select(["vin", "temp_bin_c", "distance_km", "kwh_per_100km_gross"]))
    ).drop_nulls()
    km = pl.col("distance_km")
    found = (
        rows.sort("vin", "temp_bin_c")
        .group_by("vin", maintain_order=True)
        .agg(used=(pl.col("kwh_per_100km_gross") * km).sum() / km.sum())
    )
    return dict(found.iter_rows())


def _row(vin: str, known: Known, used: float | None) -> dict[str, Any]:
    registered, energy, charge, stated, pooled, in_a_year, charged, seen = known
    new, km, month = registered.get("usable_new_kwh"), seen.get("odometer_km"), energy.get("month")
    age = None
    if registered.get("first_registration") and (month or charge.get("month")):
        age = (middle_of(month or charge["month"]) - registered["first_registration"]).days / 365.25
    kwh = energy.get("unit") == "kWh"
    since_full = pooled.get("days_since_full_charge")
    lfp = registered.get("chemistry") == "LFP"
    consumption = used if used is not None else DEFAULT_KWH_PER_100KM
    reasons = {
        "not_registered": not registered,
        "no_health_yet": not energy and not charge,
        "no_reference": bool(energy) and energy["soh_percent"] is None,
        "typical_consumption": km is not None and used is None,
        "no_odometer": km is None,
    }
    return {
        **{name: registered.get(name) for name in ("make", "model", "chemistry", "first_registration")},
        **{name: energy.get(name) for name in ("soh_percent", "soh_sd", "soh_low_percent", "soh_high_percent")},
        **{name: charged.get(name) for name in ("charged_kwh", "dc_share_percent")},
        "vin": vin,
        "age_years": age,
        "odometer_km": km,
        "last_seen": seen.get("last_seen"),
        "month": month or charge.get("month"),
        "capacity_kwh": energy.get("capacity") if kwh else None,
        "capacity_sd_kwh": energy.get("capacity_sd") if kwh else None,
        "capacity_ah": charge.get("capacity"),
        "soh_ah_percent": charge.get("soh_percent"),
        "soh_manufacturer_percent": stated.get("soh_percent"),
        "reference_capacity_kwh": new,
        "reference_source": registered.get("reference_source"),
        "trend_percent_per_year": energy.get("trend_percent_per_year"),
        "soh_in_12_months_percent": in_a_year.get("soh_percent"),
        "equivalent_full_cycles": km * consumption / 100 / new if km is not None and new else None,
        "observed_full_cycles": charged["charged_kwh"] / new if charged and new else None,
        "needs_full_charge": lfp and (since_full is None or since_full > FULL_CHARGE_DAYS),
        "days_since_full_charge": since_full,
        "completeness_percent": seen.get("completeness_percent"),
        "method": energy.get("method"),
        "reasons": [name for name, true in reasons.items() if true],
    }

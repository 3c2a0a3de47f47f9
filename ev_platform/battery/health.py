"""The battery_health table: estimators, pooling and the vehicle registry put together.

Belongs here: one row per vehicle and method, state of health against the reference capacity. Not here: estimation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from ev_platform.battery import charge_energy, current, energy_remaining, manufacturer, rated_range
from ev_platform.battery.charge_energy import estimate_charge_energy
from ev_platform.battery.current import estimate_current
from ev_platform.battery.energy_remaining import estimate_energy_remaining
from ev_platform.battery.estimate import SHARED_SD, TOO_LITTLE_EVIDENCE, Estimate
from ev_platform.battery.evidence import CLEANED_COLUMNS, FULL_SOC, Evidence, collect_evidence, frame
from ev_platform.battery.manufacturer import manufacturer_values
from ev_platform.battery.pooling import publish
from ev_platform.battery.rated_range import estimate_rated_range
from ev_platform.lake.schemas import BATTERY_HEALTH

__all__ = ["CLEANED_COLUMNS", "battery_health", "health_from_evidence"]

PLAUSIBLE_SOH = (50.0, 115.0)
"""Percent; outside it the reference is more likely wrong than the battery. The number stays, with a reason."""
LFP_SHARED_SD = 0.015
"""Shared error of an LFP pack that was not charged full in the month, relative: its flat voltage lets SoC drift."""

_REGISTRY = {
    "vin": pl.String(),
    "make": pl.String(),
    "model": pl.String(),
    "chemistry": pl.String(),
    "usable_new_kwh": pl.Float64(),
    "reference_source": pl.String(),
    "usable_new_ah": pl.Float64(),
    "rated_range_new_km": pl.Float64(),
}


def battery_health(cleaned: pa.Table, sessions: pa.Table, vehicles: pa.Table, month: str) -> pa.Table:
    """Battery health of one month.

    Args:
        cleaned: rows of the month, at least `CLEANED_COLUMNS` where observed.
        sessions: SESSIONS that start in the month.
        vehicles: VEHICLES; a vehicle it lacks gets a capacity but no state of health (`no_reference`).
        month: "YYYY-MM", UTC.

    Returns:
        BATTERY_HEALTH: for every vehicle seen in `cleaned` or `sessions`, a row per method and the published `pooled`
        one, sorted by vin. Order and repeats of input rows change nothing. Cars of one model inform each other, so give
        the whole fleet; where it does not fit into memory, `collect_evidence` per batch of vehicles, `concat_evidence`
        and `health_from_evidence` give the same table.

    Raises:
        ValueError: `month` is not a month.
    """
    return health_from_evidence(collect_evidence(cleaned, sessions, vehicles, month), vehicles, month)


def health_from_evidence(evidence: Evidence, vehicles: pa.Table, month: str) -> pa.Table:
    """As `battery_health`, from evidence that was collected before."""
    registry = frame(vehicles, _REGISTRY).drop_nulls("vin").sort(list(_REGISTRY)).unique("vin", keep="first")
    known = {row["vin"]: row for row in registry.iter_rows(named=True)}
    coverage = {row["vin"]: row for row in evidence.coverage.iter_rows(named=True)}
    models = {vin: model_key(vin, known.get(vin)) for vin in coverage}
    drifts = {vin: _soc_may_drift(known.get(vin), seen["soc_max"]) for vin, seen in coverage.items()}
    shared = {vin: LFP_SHARED_SD if drift else SHARED_SD for vin, drift in drifts.items()}
    whole = {vin: seen["soc_is_whole"] for vin, seen in coverage.items() if seen["soc_is_whole"] is not None}
    by_energy = estimate_energy_remaining(evidence.points, models, shared)
    by_charge = estimate_charge_energy(evidence.charges, whole, models, shared)
    energy = {
        vin: (
            by_energy.get(vin, _absent(energy_remaining.METHOD, "no_energy_readings")),
            by_charge.get(vin, _absent(charge_energy.METHOD, "no_charges")),
        )
        for vin in sorted(coverage)
    }
    better = {vin: one.capacity_kwh for vin, pair in energy.items() for one in pair if one.capacity_kwh is not None}
    new = {vin: (row["usable_new_kwh"], row["rated_range_new_km"]) for vin, row in known.items()}
    others = {
        current.METHOD: estimate_current(evidence.windows, models, shared),
        rated_range.METHOD: estimate_rated_range(evidence.ranges, models, new, better),
        manufacturer.METHOD: manufacturer_values(evidence.given),
    }
    rows = []
    for vin, pair in energy.items():
        own = {name: found[vin] for name, found in others.items() if vin in found}
        extra = ("lfp_no_full_charge",) if drifts[vin] else ()
        for one in (*pair, *own.values(), publish(pair, own)):
            rows.append(_row(vin, month, one, known.get(vin), coverage[vin]["days_since_full"], extra))
    return pa.Table.from_pylist(rows, schema=BATTERY_HEALTH)


def _absent(method: str, reason: str) -> Estimate:
    return Estimate(method, reasons=(TOO_LITTLE_EVIDENCE, reason))


def model_key(vin: str, registered: Mapping[str, Any] | None) -> str:
    """Cars with the same pack: make, model and new capacity (one model name may hide several packs); else the car."""
    if registered is None or registered["model"] is None or registered["usable_new_kwh"] is None:
        return f"vin {vin}"
    return f"{registered['make']} {registered['model']} {registered['usable_new_kwh']}"


def _soc_may_drift(registered: Mapping[str, Any] | None, soc_max: float | None) -> bool:
    return registered is not None and registered["chemistry"] == "LFP" and (soc_max or 0.0) < FULL_SOC


def _row(
    vin: str,
    month: str,
    estimate: Estimate,
    registered: Mapping[str, Any] | None,
    days_since_full: float | None,
    extra: tuple[str, ...],
) -> dict[str, Any]:
    """One row of BATTERY_HEALTH. State of health = capacity now / capacity when new; it may exceed 100."""
    reference = _positive(registered, "usable_new_kwh")
    reference_ah = _positive(registered, "usable_new_ah")
    reasons = list(estimate.reasons) + list(extra)
    soh, soh_sd = _share(estimate.capacity_kwh, estimate.sd_kwh, reference)
    soh_ah, soh_ah_sd = _share(estimate.capacity_ah, estimate.sd_ah, reference_ah)
    if soh is None and estimate.soh_percent is not None:
        soh, soh_sd = estimate.soh_percent, estimate.soh_sd
        reasons.append("soh_of_manufacturer")
    elif reference is None:
        reasons.append("no_reference")
    if soh is not None and not PLAUSIBLE_SOH[0] <= soh <= PLAUSIBLE_SOH[1]:
        reasons.append("reference_mismatch")
    low, high = (None, None) if soh is None or soh_sd is None else (soh - 2 * soh_sd, soh + 2 * soh_sd)
    return {
        "vin": vin,
        "month": month,
        "method": estimate.method,
        "capacity_kwh": estimate.capacity_kwh,
        "capacity_sd_kwh": estimate.sd_kwh,
        "soh_percent": soh,
        "soh_sd": soh_sd,
        "soh_low_percent": low,
        "soh_high_percent": high,
        "capacity_ah": estimate.capacity_ah,
        "capacity_sd_ah": estimate.sd_ah,
        "soh_ah_percent": soh_ah,
        "soh_ah_sd": soh_ah_sd,
        "n_sessions": estimate.n,
        "sum_delta_soc": estimate.sum_delta_soc,
        "reference_capacity_kwh": reference,
        "reference_capacity_ah": reference_ah,
        "reference_source": registered["reference_source"] if registered is not None else None,
        "current_offset_a": estimate.offset_a,
        "current_offset_sd_a": estimate.offset_sd_a,
        "capacity_per_offset": estimate.per_offset,
        "days_since_full_charge": days_since_full,
        "reasons": reasons,
    }


def _positive(registered: Mapping[str, Any] | None, name: str) -> float | None:
    value = registered[name] if registered is not None else None
    return value if value is not None and value > 0 else None


def _share(capacity: float | None, sd: float | None, new: float | None) -> tuple[float | None, float | None]:
    """(percent of the capacity when new, its standard deviation); None where either is not known."""
    if capacity is None or sd is None or new is None:
        return None, None
    return 100 * capacity / new, 100 * sd / new

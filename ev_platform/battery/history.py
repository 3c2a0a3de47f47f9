"""Battery health over the whole history: the filtered table, the forecast table, and both from raw logs in one call.

Belongs here: monthly tables in, tables out. Not here: the filter (filter.py), the template (degradation.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.battery.degradation import Series, Template, forecast
from ev_platform.battery.evidence import frame
from ev_platform.battery.filter import State, filter_series, middle_of
from ev_platform.battery.health import battery_health, model_key
from ev_platform.lake.schemas import BATTERY_HEALTH, SESSIONS
from ev_platform.lake.schemas_results import BATTERY_DEGRADATION, BATTERY_HEALTH_FILTERED

QUANTITIES = {"energy": ("capacity_kwh", "capacity_sd_kwh", "kWh"), "charge": ("capacity_ah", "capacity_sd_ah", "Ah")}
HORIZONS = (0, 1, 3, 12)
OFFSET_FLOOR_A = 0.15
"""A sensor's offset is never known better than this: it moves with temperature."""
FEW_CARS, FEW_MONTHS = 4, 3
REGISTRY = {
    "vin": pl.String(),
    "make": pl.String(),
    "model": pl.String(),
    "chemistry": pl.String(),
    "usable_new_kwh": pl.Float64(),
    "first_registration": pl.Date(),
}


class History(NamedTuple):
    """What `battery_history` returns: schemas BATTERY_HEALTH, BATTERY_HEALTH_FILTERED, BATTERY_DEGRADATION."""

    monthly: pa.Table
    filtered: pa.Table
    degradation: pa.Table


def battery_history(cleaned: pa.Table, sessions: pa.Table | None, vehicles: pa.Table) -> History:
    """Battery health of logs of any length, without a lake and without Dagster.

    Args:
        cleaned: rows with vin, time (UTC) and whatever of `CLEANED_COLUMNS` was observed.
        sessions: SESSIONS, or None: then only methods that need no sessions have something to say.
        vehicles: VEHICLES; may be empty.

    Returns:
        Monthly, filtered and forecast tables. Current offsets are shared over the months of a car, causally.
    """
    sessions = SESSIONS.empty_table() if sessions is None else sessions
    months: set[str] = set()
    for column in (cleaned["time"], sessions["start"]):
        months.update(pc.unique(pc.strftime(column, "%Y-%m")).to_pylist())
    parts = [BATTERY_HEALTH.empty_table()]
    for month in sorted(month for month in months if month):
        within = pc.equal(pc.strftime(cleaned["time"], "%Y-%m"), month)
        parts.append(battery_health(cleaned.filter(within), sessions, vehicles, month))
    monthly = with_shared_offset(pa.concat_tables(parts))
    filtered = filtered_health(monthly)
    return History(monthly, filtered, degradation(filtered, vehicles))


def with_shared_offset(monthly: pa.Table) -> pa.Table:
    """Monthly table whose charge capacities use what this and earlier months know of the current sensor together.

    C·exp(∂lnC/∂b·(b_shared − b_month)); the variance swaps the month's own offset error for the shared one. The sensor
    of a car changes less from month to month than one month can tell.
    """
    rows = monthly.to_pylist()
    known: dict[str, tuple[float, float]] = {}
    changed: dict[tuple[str, str], tuple[float, float]] = {}
    for row in sorted(rows, key=lambda row: (row["vin"], row["month"])):
        if row["method"] != "current" or row["capacity_ah"] is None or not row["current_offset_sd_a"]:
            continue
        weight = row["current_offset_sd_a"] ** -2
        total, precision = known.get(row["vin"], (0.0, 0.0))
        total, precision = total + weight * row["current_offset_a"], precision + weight
        known[row["vin"]] = total, precision
        per = row["capacity_per_offset"]
        capacity = row["capacity_ah"] * float(np.exp(per * (total / precision - row["current_offset_a"])))
        relative = (row["capacity_sd_ah"] / row["capacity_ah"]) ** 2 - (per * row["current_offset_sd_a"]) ** 2
        shared = per**2 * (1 / precision + OFFSET_FLOOR_A**2)
        sd = min(np.sqrt(max(relative, 0) + shared), row["capacity_sd_ah"] / row["capacity_ah"])
        changed[row["vin"], row["month"]] = capacity, capacity * float(sd)
    for row in rows:
        found = changed.get((row["vin"], row["month"]))
        if found is None or not (row["method"] == "current" or "ah_from:current" in row["reasons"]):
            continue
        ratio = found[0] / row["capacity_ah"]
        row["capacity_ah"], row["capacity_sd_ah"] = found
        if row["reference_capacity_ah"]:
            row["soh_ah_percent"] = 100 * found[0] / row["reference_capacity_ah"]
            row["soh_ah_sd"] = 100 * found[1] / row["reference_capacity_ah"]
        if "fallback:current" in row["reasons"]:
            _scale_energy(row, ratio)
        row["reasons"] = [*row["reasons"], "offset_shared"]
    return pa.Table.from_pylist(rows, schema=BATTERY_HEALTH)


def _scale_energy(row: dict[str, Any], ratio: float) -> None:
    """An energy that was found by charge follows it."""
    for name in ("capacity_kwh", "capacity_sd_kwh", "soh_percent", "soh_sd", "soh_low_percent", "soh_high_percent"):
        if row[name] is not None and "soh_of_manufacturer" not in row["reasons"]:
            row[name] *= ratio


def filtered_health(monthly: pa.Table) -> pa.Table:
    """results/battery_health_filtered from every month's `pooled` rows; see `filter_series`.

    Args:
        monthly: BATTERY_HEALTH of any months; give it through `with_shared_offset` first.

    Returns:
        BATTERY_HEALTH_FILTERED: for each vehicle and quantity every month from its first value to its last row.
    """
    cars: dict[str, dict[str, dict[str, Any]]] = {}
    for row in monthly.to_pylist():
        if row["method"] == "pooled":
            cars.setdefault(row["vin"], {})[row["month"]] = row
    rows: list[dict[str, Any]] = []
    for vin in sorted(cars):
        for quantity in QUANTITIES:
            rows += _filtered_rows(vin, quantity, cars[vin])
    return pa.Table.from_pylist(rows, schema=BATTERY_HEALTH_FILTERED)


def months_between(first: str, last: str) -> list[str]:
    """All months from `first` to `last`, "YYYY-MM"."""
    a, b = (int(month[:4]) * 12 + int(month[5:7]) - 1 for month in (first, last))
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(a, b + 1)]


def _filtered_rows(vin: str, quantity: str, car: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    value, sd, unit = QUANTITIES[quantity]
    if quantity == "energy" and all(row[value] is None for row in car.values()):
        value, sd, unit = "soh_percent", "soh_sd", "percent"
    with_value = sorted(month for month, row in car.items() if row[value] is not None and row[sd])
    if not with_value:
        return []
    months = months_between(with_value[0], max(car))
    values = np.array([_number(car.get(month), value) for month in months])
    sds = np.array([_number(car.get(month), sd) for month in months])
    states = filter_series([middle_of(month).toordinal() for month in months], values, sds)
    reference_name = "reference_capacity_kwh" if quantity == "energy" else "reference_capacity_ah"
    newest = car[with_value[-1]]
    reference = 100.0 if unit == "percent" else newest[reference_name]
    rows, lowest = [], np.inf
    for month, monthly, state in zip(months, values, states, strict=True):
        row = _filtered_row(state, reference)
        if row["soh_percent"] is not None:
            lowest = min(lowest, row["soh_percent"])
        reasons = [state.reason] if state.reason else []
        if reference is None:
            reasons.append("no_reference")
        rows.append(
            row
            | {
                "vin": vin,
                "month": month,
                "quantity": quantity,
                "unit": unit,
                "observed": bool(np.isfinite(monthly)),
                "monthly": float(monthly) if np.isfinite(monthly) else None,
                "soh_display_percent": float(lowest) if np.isfinite(lowest) else None,
                "reference_capacity": reference,
                "reference_source": newest["reference_source"],
                "method": _evidence(car.get(month), quantity),
                "reasons": reasons + ([] if np.isfinite(monthly) else ["no_value_this_month"]),
            }
        )
    return rows


def _number(row: Mapping[str, Any] | None, name: str) -> float:
    value = None if row is None else row[name]
    return float("nan") if value is None else float(value)


def _evidence(row: Mapping[str, Any] | None, quantity: str) -> str:
    """What the month's published value rests on."""
    reasons = [] if row is None else row["reasons"]
    wanted = ("fallback:", "soh_of") if quantity == "energy" else ("ah_from:",)
    return next((reason for reason in reasons if reason.startswith(wanted)), "none" if row is None else "pooled")


def _filtered_row(state: State, reference: float | None) -> dict[str, Any]:
    share = None if not reference else 100 / reference
    soh, soh_sd = (None, None) if share is None else (state.capacity * share, state.sd * share)
    return {
        "capacity": state.capacity,
        "capacity_sd": state.sd,
        "soh_percent": soh,
        "soh_sd": soh_sd,
        "soh_low_percent": None if soh is None or soh_sd is None else soh - 2 * soh_sd,
        "soh_high_percent": None if soh is None or soh_sd is None else soh + 2 * soh_sd,
        "trend_percent_per_year": 100 * state.trend,
        "trend_sd": 100 * float(np.sqrt(max(state.trend_var, 0.0))),
        "n_months": state.n,
    }


def degradation(filtered: pa.Table, vehicles: pa.Table) -> pa.Table:
    """results/battery_degradation: now and in 1, 3 and 12 months, drawn to the model's fleet.

    Args:
        filtered: BATTERY_HEALTH_FILTERED; its observed monthly values are used, not the filtered ones (those repeat
            each other).
        vehicles: VEHICLES; without a first registration a car's age counts from its first month, and says so.
    """
    registry = frame(vehicles, REGISTRY).drop_nulls("vin").unique("vin", keep="first").sort("vin")
    known = {row["vin"]: row for row in registry.iter_rows(named=True)}
    rows: list[dict[str, Any]] = []
    for quantity in QUANTITIES:
        table = filtered.filter(pc.equal(filtered["quantity"], quantity))
        cars: dict[str, list[dict[str, Any]]] = {}
        for row in table.to_pylist():
            cars.setdefault(row["vin"], []).append(row)
        rows += _forecast_rows(quantity, cars, known)
    return pa.Table.from_pylist(
        sorted(rows, key=lambda r: (r["vin"], r["quantity"] != "energy", r["horizon_months"])),
        schema=BATTERY_DEGRADATION,
    )


def _forecast_rows(
    quantity: str, cars: Mapping[str, list[dict[str, Any]]], known: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    history, last = {}, {}
    for vin, rows in cars.items():
        observed = _since_break([row for row in rows if row["observed"] or row["reasons"] == ["level_shift"]])
        if not observed:
            continue
        history[vin] = _series(observed, known.get(vin))
        last[vin] = observed[-1]["month"]
    models = {vin: model_key(vin, known.get(vin)) for vin in history}
    season = {vin: _season(middle_of(month)) for vin, month in last.items()}
    out = []
    for vin, (template, prediction) in forecast(history, models, [h / 12 for h in HORIZONS], season).items():
        reference = cars[vin][-1]["reference_capacity"]
        for k, horizon in enumerate(HORIZONS):
            capacity, sd = float(np.exp(prediction.log_capacity[k])), float(prediction.sd[k])
            sd = float(np.hypot(sd, cars[vin][-1]["capacity_sd"] / cars[vin][-1]["capacity"] * 0.7))
            soh = None if not reference else 100 * capacity / reference
            out.append(
                {
                    "vin": vin,
                    "model": models[vin],
                    "quantity": quantity,
                    "horizon_months": horizon,
                    "month": months_after(last[vin], horizon),
                    "capacity": capacity,
                    "capacity_sd": capacity * sd,
                    "soh_percent": soh,
                    "soh_low_percent": None if soh is None else soh * (1 - 2 * sd),
                    "soh_high_percent": None if soh is None else soh * (1 + 2 * sd),
                    "template_a": float(template.coefficients[0]),
                    "template_b": float(template.coefficients[1]),
                    "rate": prediction.rate,
                    "rate_sd": prediction.rate_sd,
                    "n_months": int(history[vin].years.size),
                    "n_cars": template.n_cars,
                    "reasons": _forecast_reasons(template, history[vin], reference, known.get(vin)),
                }
            )
    return out


def _since_break(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Months since the last level shift: what was before belongs to another pack or another calibration."""
    breaks = [number for number, row in enumerate(rows) if "level_shift" in row["reasons"]]
    return rows[max(breaks[-1] - 1, 0) :] if breaks else rows


def _series(rows: list[dict[str, Any]], registered: Mapping[str, Any] | None) -> Series:
    days = [middle_of(row["month"]) for row in rows]
    begin = (registered or {}).get("first_registration") or days[0]
    years = np.array([max((day - begin).days, 0) / 365.25 for day in days])
    values = np.array([row["monthly"] for row in rows])
    sd = np.array([row["capacity_sd"] / row["capacity"] for row in rows])
    return Series(years, np.array([_season(day) for day in days]), np.log(values), np.minimum(sd, 0.02))


def _season(day: date) -> float:
    return float((datetime(day.year, day.month, day.day).timetuple().tm_yday - 1) / 365.25)  # noqa: DTZ001 - no instant


def months_after(month: str, count: int) -> str:
    """The month `count` months later."""
    n = int(month[:4]) * 12 + int(month[5:7]) - 1 + count
    return f"{n // 12:04d}-{n % 12 + 1:02d}"


def _forecast_reasons(
    template: Template, car: Series, reference: float | None, registered: Mapping[str, Any] | None
) -> list[str]:
    found = {
        "few_cars": template.n_cars < FEW_CARS,
        "few_months": car.years.size < FEW_MONTHS,
        "no_reference": not reference,
        "age_unknown": registered is None or registered["first_registration"] is None,
    }
    return [name for name, true in found.items() if true]

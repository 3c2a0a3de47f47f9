"""What a battery report says about one vehicle: result tables in, one frozen value out.

Belongs here: which figures are shown, how they are rounded, what they are called, the verification id. Pure, and no
science: every figure stands in a result table already. Not here: layout (html.py, pdf.py), reading tables (commands/).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

TABLES = (
    "results/vehicle_battery",
    "results/battery_health",
    "results/battery_health_filtered",
    "results/battery_degradation",
    "results/peer_percentiles",
    "results/charging",
    "results/soc_histogram",
)
"""Tables that the report reads; all of them have a column `vin`."""

METHODS = {
    "energy_remaining": "energy the car says is left",
    "charge_energy": "energy charged per percent",
    "current": "current counted in and out",
    "rated_range": "rated range at full charge",
    "manufacturer": "stated by the manufacturer",
    "pooled": "all of them together",
}
"""What each estimator looks at, in a buyer's words."""

REASONS = {
    "too_little_evidence": "too few charges or drives were seen",
    "no_reference": "the capacity when new is not known",
    "needs_full_charge": "the battery was not charged full for long: its charge level may be wrong",
    "few_peers": "too few comparable cars",
    "few_months": "too few months were seen",
    "few_cars": "too few cars of this model",
    "widened": "the range was widened, because little was seen",
}
"""Plain words for reasons of the tables; others are shown as they are."""

NOT_MEANT = (
    "It is an estimate of usable energy at full charge against the car when new, not a guarantee.",
    "It says nothing about a single weak cell, damage by water or accident, or the charging hardware.",
    "Cold lowers range for a while without lowering health; driving style changes range, not health.",
    "The range is meant to hold the true value in 95 of 100 such reports.",
)


class NoReportError(Exception):
    """Why there is no report of this vehicle, and what to do."""


@dataclass(frozen=True)
class Health:
    """The published estimate: percent of new and kWh, each with standard deviation; 95 % range in percent."""

    soh_percent: float
    soh_sd: float
    low_percent: float
    high_percent: float
    capacity_kwh: float
    capacity_sd_kwh: float


@dataclass(frozen=True)
class Method:
    """What one estimator says, and on how much evidence."""

    name: str
    capacity_kwh: float | None
    capacity_sd_kwh: float | None
    capacity_ah: float | None
    capacity_sd_ah: float | None
    soh_percent: float | None
    n_sessions: int
    sum_delta_soc_percent: float
    note: str


@dataclass(frozen=True)
class Point:
    """Health in one month, seen or forecast."""

    month: str
    soh_percent: float
    low_percent: float
    high_percent: float
    forecast: bool


@dataclass(frozen=True)
class Report:
    """Everything that a report shows, rounded only when it is drawn."""

    vin: str
    title: str
    facts: tuple[tuple[str, str], ...]
    month: str
    health: Health | None
    why_not: str
    reference_kwh: float | None
    reference_source: str
    methods: tuple[Method, ...]
    curve: tuple[Point, ...]
    peers: tuple[tuple[str, str], ...]
    habits: tuple[tuple[str, str], ...]
    made_of: datetime
    verification: str


def build(vin: str, tables: Mapping[str, pa.Table]) -> Report:
    """The report of one vehicle.

    Args:
        vin: the vehicle.
        tables: rows of this vehicle of each of `TABLES`; a table that is absent or empty leaves its part out.

    Raises:
        NoReportError: nothing is known of the vehicle.
    """
    rows = {name: _rows(tables, name, vin) for name in TABLES}
    if not rows["results/vehicle_battery"]:
        raise NoReportError(
            f"{vin} has no battery results: check the VIN (`ev query sql` on results_vehicle_battery lists them all), "
            "or materialize results/vehicle_battery first"
        )
    car = rows["results/vehicle_battery"][0]
    name = " ".join(str(car[part]) for part in ("make", "model") if car[part])
    monthly = [row for row in rows["results/battery_health"] if row["month"] == car["month"]]
    return Report(
        vin=vin,
        title=name or "Electric vehicle",
        facts=_facts(car),
        month=car["month"] or "",
        health=_health(car),
        why_not=words(car["reasons"] or ["too_little_evidence"]),
        reference_kwh=car["reference_capacity_kwh"],
        reference_source=car["reference_source"] or "unknown",
        methods=tuple(_method(row) for row in sorted(monthly, key=lambda row: list(METHODS).index(row["method"]))),
        curve=_curve(rows["results/battery_health_filtered"], rows["results/battery_degradation"]),
        peers=_peers(rows["results/peer_percentiles"]),
        habits=_habits(car, rows["results/charging"], rows["results/soc_histogram"]),
        made_of=car["last_seen"],
        verification=verification(vin, tables),
    )


def verification(vin: str, tables: Mapping[str, pa.Table]) -> str:
    """SHA-256 of every input row of the vehicle, in an order of its own: the same data, the same id."""
    rows = [
        [name, sorted(json.dumps(row, default=_plain, sort_keys=True) for row in _rows(tables, name, vin))]
        for name in TABLES
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def words(reasons: Sequence[str]) -> str:
    """Reasons as a half-sentence."""
    return "; ".join(dict.fromkeys(REASONS.get(reason, reason.replace("_", " ")) for reason in reasons))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _rows(tables: Mapping[str, pa.Table], name: str, vin: str) -> list[dict[str, Any]]:
    table = tables.get(name)
    return [] if table is None else [row for row in table.to_pylist() if row["vin"] == vin]


def _facts(car: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = (
        ("VIN", car["vin"]),
        ("First registration", car["first_registration"] and car["first_registration"].isoformat()),
        ("Odometer", car["odometer_km"] and f"{car['odometer_km']:,.0f} km"),
        ("Cell chemistry", car["chemistry"]),
        ("Last message", car["last_seen"] and f"{car['last_seen']:%Y-%m-%d}"),
    )
    return tuple((name, value) for name, value in found if value)


def _health(car: Mapping[str, Any]) -> Health | None:
    names = ("soh_percent", "soh_sd", "soh_low_percent", "soh_high_percent", "capacity_kwh", "capacity_sd_kwh")
    values = [car[name] for name in names]
    return None if any(value is None for value in values) else Health(*values)


def _method(row: Mapping[str, Any]) -> Method:
    return Method(
        METHODS[row["method"]],
        row["capacity_kwh"],
        row["capacity_sd_kwh"],
        row["capacity_ah"],
        row["capacity_sd_ah"],
        row["soh_percent"],
        row["n_sessions"] or 0,
        row["sum_delta_soc"] or 0.0,
        words(row["reasons"] or []) if row["capacity_kwh"] is None and row["capacity_ah"] is None else "",
    )


def _curve(filtered: Sequence[Mapping[str, Any]], forecast: Sequence[Mapping[str, Any]]) -> tuple[Point, ...]:
    def points(rows: Sequence[Mapping[str, Any]], ahead: bool) -> list[Point]:
        names = ("soh_percent", "soh_low_percent", "soh_high_percent")
        return [
            Point(row["month"], row["soh_percent"], row["soh_low_percent"], row["soh_high_percent"], ahead)
            for row in rows
            if row["quantity"] == "energy" and all(row[name] is not None for name in names)
        ]

    seen = sorted(points(filtered, ahead=False), key=lambda point: point.month)
    last = seen[-1].month if seen else ""
    ahead = sorted((p for p in points(forecast, ahead=True) if p.month > last), key=lambda point: point.month)
    return (*seen, *ahead)


def _peers(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    if not rows:
        return ()
    row = rows[0]
    if row["soh_percentile"] is None:
        return (("Comparison", f"none: {words(row['reasons'] or ['few_peers'])}"),)
    found = [
        ("Compared with", f"{row['n_peers']} cars like it"),
        ("Better than", f"{row['soh_percentile']:.0f} % of them"),
    ]
    if row["soh_expected_percent"] is not None:
        found.append(("Expected at its age", f"{row['soh_expected_percent']:.1f} %"))
    return tuple(found)


def _habits(
    car: Mapping[str, Any], charges: Sequence[Mapping[str, Any]], hours: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, str], ...]:
    dc = car["dc_share_percent"]
    seen = sum(row["hours"] for row in hours if row["hours"])
    high = sum(row["hours"] for row in hours if row["hours"] and row["soc_bin"] >= 80)
    low = sum(row["hours"] for row in hours if row["hours"] and row["soc_bin"] < 20)
    found = (
        ("Charges seen", f"{len(charges)}" if charges else None),
        ("Energy charged", None if car["charged_kwh"] is None else f"{car['charged_kwh']:,.0f} kWh"),
        ("Fast charging", None if dc is None else f"{dc:.0f} % of the energy"),
        ("Full cycles so far", f"about {car['equivalent_full_cycles']:.0f}" if car["equivalent_full_cycles"] else None),
        ("Time above 80 %", f"{100 * high / seen:.0f} % of {seen:,.0f} h" if seen else None),
        ("Time below 20 %", f"{100 * low / seen:.0f} % of {seen:,.0f} h" if seen else None),
        ("Data seen", f"{car['completeness_percent']:.0f} % of the time" if car["completeness_percent"] else None),
    )  # fmt: skip
    return tuple((name, value) for name, value in found if value)

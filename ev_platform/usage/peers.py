"""A car among its peers: the same model, about the same age and mileage.

Belongs here: results/peer_percentiles. Not here: the figures that are compared (battery/, trips.py, parking.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas_results import PEER_PERCENTILES

AGE_YEARS, KM_SHARE = 1.5, 0.4
"""Peers are at most this much older or younger, and this much further or less far driven (at least 10,000 km)."""
LEAST_KM = 10_000.0
FEWEST = 5
"""With fewer peers the limits are widened to the whole model."""


def peer_percentiles(cars: Sequence[dict[str, Any]]) -> pa.Table:
    """results/peer_percentiles.

    Args:
        cars: one dict per car: vin, model, age_years, odometer_km, soh_percent, consumption (kWh/100 km), drain
            (percent per day); None where unknown. model None: the car has no peers.
    """
    rows = [_row(car, [other for other in cars if other is not car]) for car in sorted(cars, key=lambda c: c["vin"])]
    return pa.Table.from_pylist(rows, schema=PEER_PERCENTILES)


def _row(car: dict[str, Any], others: Sequence[dict[str, Any]]) -> dict[str, Any]:
    same = [other for other in others if car["model"] is not None and other["model"] == car["model"]]
    near = [other for other in same if _near(car, other)]
    reasons = []
    if len(near) < FEWEST:
        near = same
        reasons.append("widened")
    if len(near) < FEWEST:
        reasons.append("few_peers")
    enough = len(near) >= FEWEST
    known = ("vin", "model", "age_years", "odometer_km", "soh_percent")
    return {
        **{name: car[name] for name in known},
        "n_peers": len(near),
        "soh_percentile": _share_below(car["soh_percent"], _values(near, "soh_percent")) if enough else None,
        "soh_expected_percent": _expected(car, near) if enough else None,
        "consumption_percentile": _share_above(car["consumption"], _values(near, "consumption")) if enough else None,
        "drain_percentile": _share_above(car["drain"], _values(near, "drain")) if enough else None,
        "reasons": reasons + ([] if car["soh_percent"] is not None else ["no_soh"]),
    }


def _near(car: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether age and mileage are close, as far as both are known."""
    age, km = (
        None if None in pair else abs(pair[0] - pair[1])
        for pair in ((car["age_years"], other["age_years"]), (car["odometer_km"], other["odometer_km"]))
    )
    close_in_km = km is None or km <= max(KM_SHARE * car["odometer_km"], LEAST_KM)
    return bool((age is None or age <= AGE_YEARS) and close_in_km)


def _values(cars: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [car[name] for car in cars if car[name] is not None]


def _share_below(value: float | None, values: list[float]) -> float | None:
    """Percent of the values below, ties by half; None where there is nothing to compare."""
    if value is None or len(values) < FEWEST:
        return None
    return 100 * (sum(v < value for v in values) + 0.5 * sum(v == value for v in values)) / len(values)


def _share_above(value: float | None, values: list[float]) -> float | None:
    below = _share_below(value, values)
    return None if below is None else 100 - below


def _expected(car: dict[str, Any], peers: Sequence[dict[str, Any]]) -> float | None:
    """State of health of the peers at this car's age: their median, moved along the age by their common slope."""
    pairs = [(p["age_years"], p["soh_percent"]) for p in peers if p["soh_percent"] is not None]
    if len(pairs) < FEWEST:
        return None
    soh = np.array([pair[1] for pair in pairs])
    if car["age_years"] is None or any(pair[0] is None for pair in pairs):
        return float(np.median(soh))
    age = np.array([pair[0] for pair in pairs])
    spread = age - age.mean()
    # A slope of -1.8 %/a worth four cars a year apart, so that few peers cannot invent one.
    slope = (float(spread @ (soh - soh.mean())) - 1.8 * 4.0) / (float(spread @ spread) + 4.0)
    return float(np.median(soh + slope * (car["age_years"] - age)))

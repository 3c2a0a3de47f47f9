"""What must hold of every result table, as data: keys, plausible ranges, order of figures. The asset checks apply it.

Belongs here: the rules and the function that finds what breaks them. Not here: Dagster (defs/results/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl
import pyarrow as pa

Problems = dict[str, str]
"""What is wrong, by name of the rule."""


@dataclass(frozen=True)
class Rules:
    """key: columns that name a row. ranges: inclusive limits, null is allowed. rising: columns in order of size."""

    key: tuple[str, ...]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    rising: tuple[tuple[str, ...], ...] = ()
    required: tuple[str, ...] = ()


PERCENT = (0.0, 100.0)
SOH = (30.0, 130.0)
BAND = ("soh_low_percent", "soh_percent", "soh_high_percent")

RULES: dict[str, Rules] = {
    "trips": Rules(
        ("session_id",),
        {"distance_km": (0, 3000), "kwh_per_100km": (0, 100), "kwh_per_100km_gross": (0, 100), "confidence": (0, 1)},
        (("start", "end"), ("kwh_per_100km", "kwh_per_100km_gross")),
        ("vin", "start", "end"),
    ),
    "charging": Rules(
        ("session_id",),
        {"soc_start": PERCENT, "soc_end": PERCENT, "efficiency_percent": (50, 102), "energy_kwh": (-1, 300)},
        (("start", "end"),),
        ("vin", "start", "end"),
    ),
    "charge_curves": Rules(
        ("session_id", "soc_bin"), {"soc_bin": (0, 98), "power_kw": (0, 500), "n_samples": (1, 1e6)}, (), ("vin",)
    ),
    "vampire_drain": Rules(
        ("vin", "start"), {"hours": (1, 100), "asleep_share": (0, 1.0001), "soc_start": PERCENT}, (("start", "end"),)
    ),
    "soc_histogram": Rules(("vin", "soc_bin"), {"soc_bin": (0, 90), "hours": (0, 24.001), "share": (0, 1.0001)}),
    "range_estimates": Rules(
        ("vin",), {"rated_full_km": (20, 1500), "estimated_full_km": (10, 1500), "real_full_km": (10, 2000)}
    ),
    "data_quality": Rules(
        ("vin",),
        {"coverage_percent": PERCENT, "score": PERCENT, "longest_gap_min": (0, 1440), "rows": (1, 1e7)},
        (("first_seen", "last_seen"),),
    ),
    "cell_imbalance": Rules(
        ("vin",),
        {"imbalance_median_mv": (0, 1000), "cell_voltage_min_v": (1, 5)},
        (("imbalance_median_mv", "imbalance_p95_mv"),),
    ),
    "battery_health": Rules(
        ("vin", "month", "method"),
        {"capacity_kwh": (5, 300), "capacity_sd_kwh": (0, 60), "capacity_ah": (1, 1500), "soh_percent": SOH},
        (BAND,),
        ("vin", "method", "reasons"),
    ),
    "battery_health_filtered": Rules(
        ("vin", "month", "quantity"),
        {"capacity": (1, 1500), "capacity_sd": (0, 300), "soh_percent": SOH, "trend_percent_per_year": (-30, 20)},
        (BAND,),
        ("vin", "month", "capacity", "capacity_sd"),
    ),
    "battery_degradation": Rules(
        ("vin", "quantity", "horizon_months"),
        {"capacity": (1, 1500), "soh_percent": SOH, "template_a": (0, 0.3), "template_b": (0, 0.3)},
        (BAND,),
        ("vin", "capacity", "capacity_sd"),
    ),
    "consumption_by_temperature": Rules(
        ("vin", "temp_bin_c"),
        {"temp_bin_c": (-50, 60), "kwh_per_100km": (0, 100), "n_trips": (1, 1e7)},
        (("p10_kwh_per_100km", "p90_kwh_per_100km"),),
    ),
    "peer_percentiles": Rules(
        ("vin",), {"soh_percentile": PERCENT, "consumption_percentile": PERCENT, "drain_percentile": PERCENT}
    ),
    "vehicle_battery": Rules(
        ("vin",),
        {
            "soh_percent": SOH,
            "odometer_km": (0, 2e6),
            "completeness_percent": PERCENT,
            "dc_share_percent": PERCENT,
            "equivalent_full_cycles": (0, 20_000),
        },
        (BAND,),
    ),
}
"""Rules by table."""


def broken_keys(table: pa.Table, rules: Rules) -> Problems:
    """Rows that share their key, and missing values of columns that must be there."""
    rows = pl.DataFrame(pl.from_arrow(table))
    problems: Problems = {}
    repeated = rows.height - rows.unique(list(rules.key)).height
    if repeated:
        problems["unique"] = f"{repeated} rows repeat their key {', '.join(rules.key)}"
    for name in (*rules.key, *rules.required):
        if missing := rows[name].null_count():
            problems[f"missing {name}"] = f"{missing} rows without {name}"
    return problems


def implausible(table: pa.Table, rules: Rules) -> Problems:
    """Values outside their range, not finite, or in the wrong order."""
    rows = pl.DataFrame(pl.from_arrow(table))
    problems: Problems = {}
    for name, (low, high) in rules.ranges.items():
        value = pl.col(name).cast(pl.Float64)
        wrong = rows.filter(~value.is_between(low - 1e-9, high + 1e-9) | value.is_nan())
        if wrong.height:
            problems[name] = f"{wrong.height} outside {low:g} to {high:g}: {wrong[name][0]} ({wrong[rules.key[0]][0]})"
    for names in rules.rising:
        known = rows.drop_nulls(list(names))
        falls = pl.any_horizontal(*(pl.col(a) > pl.col(b) for a, b in pairwise(names)))
        wrong = known.filter(falls)
        if wrong.height:
            problems[" <= ".join(names)] = f"{wrong.height} rows, first {wrong[rules.key[0]][0]}"
    return problems

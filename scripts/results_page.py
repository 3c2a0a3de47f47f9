"""Writes docs/results.md from the schemas: `python scripts/results_page.py`. A test compares the page with them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from ev_platform.lake import schemas
from ev_platform.lake import schemas_results as more

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
HEAD = """# Results: every table that people read

Written by `python scripts/results_page.py` from the schemas; do not edit. All times are UTC. A null is "not known", and
`reasons` says why. How a figure comes about: [rules](rules/battery.md). Read them with anything that reads Parquet:

    duckdb -c "select * from read_parquet('data/lake/results/vehicle_battery/*.parquet')"
    duckdb -c "select vin, sum(distance_km) from read_parquet('data/lake/results/trips/*/*.parquet') group by vin"

| partition | file | filed under |
|---|---|---|
| day | `results/{table}/date=YYYY-MM-DD/part-….parquet` | the UTC day on which the thing starts |
| month | `results/{table}/month=YYYY-MM/part-….parquet` | the UTC month; re-opened by any of its days |
| none | `results/{table}/part-0000.parquet` | whole history, made anew when anything upstream changed |

A charge over midnight is filed when its start day is made, and again when the next day's session is stitched to it.
"""
TABLES: tuple[tuple[str, str, pa.Schema, str], ...] = (
    ("vehicle_battery", "none", more.VEHICLE_BATTERY, "The newest row per vehicle: what a dashboard reads first."),
    (
        "battery_health",
        "month",
        schemas.BATTERY_HEALTH,
        "One row per vehicle, month and method; `pooled` is published.",
    ),
    (
        "battery_health_filtered",
        "none",
        more.BATTERY_HEALTH_FILTERED,
        "Health over months, causal, with trend and band.",
    ),
    ("battery_degradation", "none", more.BATTERY_DEGRADATION, "Curve of the model and forecast of the car."),
    ("sessions", "day", schemas.SESSIONS, "Charges, drives and idle times, whole."),
    ("trips", "day", more.TRIPS, "One row per drive."),
    ("charging", "day", more.CHARGING, "One row per charge."),
    ("charge_curves", "day", more.CHARGE_CURVES, "One row per charge and 2 % of SoC."),
    ("consumption_by_temperature", "none", more.CONSUMPTION_BY_TEMPERATURE, "One row per vehicle and 5 °C."),
    ("vampire_drain", "day", more.VAMPIRE_DRAIN, "One row per parking of an hour or more."),
    ("soc_histogram", "day", more.SOC_HISTOGRAM, "One row per vehicle, day and 10 % of SoC."),
    ("range_estimates", "day", more.RANGE_ESTIMATES, "One row per vehicle and day."),
    ("peer_percentiles", "none", more.PEER_PERCENTILES, "One row per vehicle."),
    ("data_quality", "day", more.DATA_QUALITY, "One row per vehicle and day."),
    ("cell_imbalance", "day", more.CELL_IMBALANCE, "One row per vehicle and day that sends cell voltages."),
)


def page() -> str:
    """The page as text."""
    parts = [HEAD]
    for name, partition, schema, text in TABLES:
        lines = [f"## results/{name}", "", f"{text} Partition: {partition}.", "", "| column | type | unit | meaning |"]
        lines.append("|---|---|---|---|")
        lines += [_line(field) for field in schema]
        parts.append("\n".join(lines))
    lines = ["## ref/tariffs", "", "What `EV_TARIFFS_FILE` (CSV) holds; the first line that fits counts.", ""]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|", *(_line(field) for field in more.TARIFFS)]
    return "\n\n".join([*parts, "\n".join(lines)]) + "\n"


def _line(field: pa.Field) -> str:
    notes = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    meaning = notes.get("description", "").replace("|", "\\|")
    return f"| {field.name} | {field.type} | {notes.get('unit', '')} | {meaning} |"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE.name)

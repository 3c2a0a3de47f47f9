"""Small pictures made of text, for the metadata of a partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None]) -> str:
    """One character per value, its height the value between smallest and largest; a blank where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    step = (high - low) or 1.0
    return "".join(" " if v is None else _BARS[round((v - low) / step * (len(_BARS) - 1))] for v in values)


def day_plot(table: pa.Table) -> str:
    """Consumption and production over the half-hours of a day, and its quality, as Markdown."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    lines = ["| MW | smallest | | largest |", "| --- | ---: | --- | ---: |"]
    for name in ("consumption_mw", "production_mw", "solar_mw", "wind_mw", "co2_g_per_kwh"):
        if name in frame.columns:
            mean = name == "co2_g_per_kwh"
            sums = frame.group_by("instant").agg(
                pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).mean() if mean else pl.col(name).sum())
            )
            values = sums.sort("instant")[name].to_list()
            known = [value for value in values if value is not None] or [0.0]
            lines.append(f"| {name} | {min(known):,.0f} | `{sparkline(values)}` | {max(known):,.0f} |")
    return "\n".join(lines)


def counts(table: pa.Table, column: str) -> Mapping[str, int]:
    """Rows by value of a column, most first."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    found = frame[column].value_counts().sort("count", column, descending=[True, False])
    return {str(value): int(count) for value, count in found.iter_rows()}

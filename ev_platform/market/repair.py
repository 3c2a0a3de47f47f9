"""Rows whose fields stand in the wrong columns, because a comma in the trim was not quoted.

Two copies of the public data show the same rows differently: in one they still have a field too many and can be put
right whole; in the other the table had been cut to its width, so that state, seller and date are lost for good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from ev_platform.lake.layout import valid_vin
from ev_platform.market.columns import DATE_PATTERN
from ev_platform.market.csv_rows import COLUMNS
from ev_platform.market.names import canonical

SHIFTED_FROM = {
    "body": "transmission",
    "transmission": "vin",
    "vin": "state",
    "condition": "odometer",
    "odometer": "color",
    "color": "interior",
    "interior": "seller",
    "mmr": "sellingprice",
    "sellingprice": "saledate",
}
"""Right column ← the column it stands in, in a row that was shifted by one and cut."""

LOST = ("state", "seller", "saledate")
"""What a shifted and cut row no longer holds."""


def is_shifted() -> pl.Expr:
    """Whether a row of text columns is shifted by one: VIN in `state`, transmission in `vin`."""
    vin_in_state = pl.col("state").str.to_uppercase().str.contains(r"^[A-HJ-NPR-Z0-9]{17}$")
    gear_in_vin = pl.col("vin").str.to_lowercase().is_in(["automatic", "manual", ""])
    return vin_in_state & gear_in_vin


def unshift(rows: pl.DataFrame) -> pl.DataFrame:
    """Shifted rows with every field back in its column; lost ones are empty."""
    trim = pl.concat_str([pl.col("trim"), pl.col("body")], separator=",")
    back = [pl.col(source).alias(column) for column, source in SHIFTED_FROM.items()]
    return rows.with_columns(trim.alias("trim"), *back, *(pl.lit("").alias(column) for column in LOST))


def rejoin(fields: Sequence[str], header: Sequence[str]) -> dict[str, str] | None:
    """A row with one field too many, with two neighbours joined again; None unless exactly one way makes sense.

    It makes sense when VIN, state and date are where they belong; of several ways, the trim is preferred.
    """
    if len(fields) != len(header) + 1:
        return None
    found: dict[str, dict[str, str]] = {}
    for position, column in enumerate(header):
        joined = [*fields[:position], f"{fields[position]},{fields[position + 1]}", *fields[position + 2 :]]
        row = dict(zip(header, joined, strict=True))
        if _plausible(row):
            found[column] = row
    best = found.get("trim") or (next(iter(found.values())) if len(found) == 1 else None)
    return {column: best[column] for column in COLUMNS} if best else None


def _plausible(row: dict[str, str]) -> bool:
    return (
        valid_vin(row["vin"].strip().upper())
        and row["state"].strip().lower() in canonical("states")
        and row["transmission"].strip().lower() in {*canonical("transmissions"), ""}
        and re.match(DATE_PATTERN, row["saledate"].strip()) is not None
    )

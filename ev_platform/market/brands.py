"""Makes and models: canonical names by table, by likeness, by the maker's part of the VIN; one spelling per model.

Pure expressions and frames. Not here: the table itself (names/makes.csv).
"""

from __future__ import annotations

import difflib

import polars as pl

from ev_platform.market.names import canonical

CLOSE = 0.85
"""Smallest likeness (difflib ratio) at which an unknown spelling is taken for a known make."""

WMI_ROWS = 20
WMI_SHARE = 0.95
"""A make is read from the first three characters of the VIN if so many rows with them agree to such a share."""


def close_make(alias: str) -> str | None:
    """The known make that an unknown spelling is surely meant to be, or None."""
    names = canonical("makes")
    found = difflib.get_close_matches(alias, list(names), n=1, cutoff=CLOSE)
    return names[found[0]] if found else None


def close_makes(aliases: pl.Series) -> pl.Series:
    """Close makes of the few spellings that no table knows; null stays null."""
    return pl.Series([None if alias is None else close_make(alias) for alias in aliases], dtype=pl.String)


def fill_make(rows: pl.DataFrame) -> pl.DataFrame:
    """Missing makes, read from the maker's part of the VIN where the other rows leave no doubt."""
    wmi = pl.col("vin").str.slice(0, 3).alias("wmi")
    counted = rows.filter(pl.col("make").is_not_null() & pl.col("vin").is_not_null()).group_by(wmi, "make").len()
    sure = (
        counted.with_columns(pl.col("len").sum().over("wmi").alias("all"))
        .filter((pl.col("len") >= WMI_ROWS) & (pl.col("len") >= WMI_SHARE * pl.col("all")))
        .select("wmi", pl.col("make").alias("wmi_make"))
    )
    joined = rows.with_columns(wmi).join(sure, on="wmi", how="left", maintain_order="left")
    filled = pl.col("make").is_null() & pl.col("wmi_make").is_not_null()
    note = pl.col("repairs").list.concat(pl.concat_list(pl.lit("make_from_vin")))
    return joined.with_columns(
        pl.coalesce("make", "wmi_make").alias("make"),
        pl.when(filled).then(note).otherwise("repairs").alias("repairs"),
    ).drop("wmi", "wmi_make")


def normal_model(rows: pl.DataFrame) -> pl.DataFrame:
    """One spelling per model of a make: the most frequent one (the first in the alphabet of equals)."""
    alias = pl.col("model").str.to_lowercase().alias("model_alias")
    counted = rows.filter(pl.col("model").is_not_null()).group_by("make", alias, "model").len()
    best = (
        counted.sort(["len", "model"], descending=[True, False])
        .group_by("make", "model_alias", maintain_order=True)
        .agg(pl.col("model").first().alias("model_name"))
    )
    joined = rows.with_columns(alias).join(
        best, on=["make", "model_alias"], how="left", nulls_equal=True, maintain_order="left"
    )
    return joined.with_columns(pl.coalesce("model_name", "model").alias("model")).drop("model_alias", "model_name")

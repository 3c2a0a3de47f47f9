"""Marts of the sales: brands beside their peers, months, states, model years. Pure: sales in, one table each out.

Not here: how a car loses value (depreciation.py), whether the data changed (drift.py).
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_market import BRAND_PEERS, BY_MODEL_YEAR, BY_STATE, MONTHLY_TRENDS

MIN_SALES = 10
"""A rank needs this many sales."""
TRIMMED_SHARE = 0.005
"""Share of prices cut off at each end, per make and model year, before the mean of a brand is taken."""
PEERS_EACH_SIDE = 5

_PRICE = pl.col("selling_price_usd")
_RATIO = _PRICE / pl.col("mmr_usd")
_AGE = (pl.col("sold_at").dt.year() - pl.col("release_year")).clip(lower_bound=0)


def _figures() -> list[pl.Expr]:
    return [
        pl.len().cast(pl.Int64).alias("n_sales"),
        _PRICE.mean().alias("mean_price_usd"),
        _PRICE.median().alias("median_price_usd"),
        pl.col("odometer_miles").mean().alias("mean_odometer_miles"),
        pl.col("grade").mean().alias("mean_grade"),
        _RATIO.median().alias("price_over_mmr"),
    ]


def _frame(sales: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(sales))


def brand_peers(sales: pa.Table) -> pa.Table:
    """One row per make: its figures, its rank by mean price and the makes next to it."""
    rows = _frame(sales).filter(pl.col("make").is_not_null())
    place = _PRICE.rank("ordinal").over("make", "release_year")
    size = pl.len().over("make", "release_year")
    cut = (size * TRIMMED_SHARE).floor()
    kept = rows.filter((place > cut) & (place <= size - cut))
    figures = rows.group_by("make").agg(
        *(figure for figure in _figures() if figure.meta.output_name() != "mean_price_usd"),
        (_PRICE - pl.col("mmr_usd")).mean().alias("price_minus_mmr_usd"),
    )
    means = kept.group_by("make").agg(_PRICE.mean().alias("mean_price_usd"))
    joined = figures.join(means, on="make").sort(["mean_price_usd", "make"], descending=[True, False])
    enough = pl.col("n_sales") >= MIN_SALES
    joined = joined.with_columns(pl.when(enough).then(enough.cum_sum()).cast(pl.Int64).alias("price_rank"))
    ranked = joined.filter(enough)["make"].to_list()
    peers = {make: _neighbours(ranked, k) for k, make in enumerate(ranked)}
    named = pl.Series("peers", [peers.get(make, []) for make in joined["make"]], dtype=pl.List(pl.String))
    return joined.with_columns(named).select(BRAND_PEERS.names).to_arrow().cast(BRAND_PEERS)


def _neighbours(ranked: list[str], k: int) -> list[str]:
    return [make for make in ranked[max(k - PEERS_EACH_SIDE, 0) : k + PEERS_EACH_SIDE + 1] if make != ranked[k]]


def monthly_trends(sales: pa.Table) -> pa.Table:
    """One row per make and month of sale, year and month: a month of another year is another month."""
    rows = _frame(sales).filter(pl.col("make").is_not_null())
    month = pl.col("sold_at").dt.strftime("%Y-%m").alias("month")
    made = rows.group_by("make", month).agg(*_figures(), _AGE.mean().alias("mean_age_years"))
    return made.sort("make", "month").select(MONTHLY_TRENDS.names).to_arrow().cast(MONTHLY_TRENDS)


def by_state(sales: pa.Table) -> pa.Table:
    """One row per state, with the make sold most (the first in the alphabet of equals)."""
    rows = _frame(sales).filter(pl.col("state").is_not_null())
    top = (
        rows.filter(pl.col("make").is_not_null())
        .group_by("state", "make")
        .len()
        .sort(["len", "make"], descending=[True, False])
        .group_by("state", maintain_order=True)
        .agg(pl.col("make").first().alias("top_make"))
    )
    made = rows.group_by("state").agg(*_figures()).join(top, on="state", how="left").sort("state")
    return made.select(BY_STATE.names).to_arrow().cast(BY_STATE)


def price_by_model_year(sales: pa.Table) -> pa.Table:
    """One row per make, model and model year; rank 1 is the lowest price against the auction house's estimate."""
    rows = _frame(sales).filter(pl.col("make").is_not_null() & pl.col("model").is_not_null())
    made = rows.group_by("make", "model", "release_year").agg(*_figures())
    enough = (pl.col("n_sales") >= MIN_SALES) & pl.col("price_over_mmr").is_not_null()
    made = made.sort("price_over_mmr", "make", "model", "release_year", nulls_last=True)
    made = made.with_columns(pl.when(enough).then(enough.cum_sum()).cast(pl.Int64).alias("value_rank"))
    made = made.sort("make", "model", "release_year")
    return made.select(BY_MODEL_YEAR.names).to_arrow().cast(BY_MODEL_YEAR)

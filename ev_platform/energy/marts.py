"""Total and mean yearly consumption by address, commune, sector, category, activity, department, region and country.

Pure. A mean is total / sites of the rows whose sites are known, never a mean of means. Totals lack what the producer
kept back, so the number of withheld rows stands beside them. Places come from the commune set, everything coarser from
the department set (which loses less to secrecy), country and regions from the metered sets as well.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_energy import CONSUMPTION_TOTAL_MEAN

COUNTRY = "FR"
LEVELS: tuple[tuple[str, str, tuple[str, str | None, str | None]], ...] = (
    ("commune", "annual_commune", ("place_code", "place", "department_code")),
    ("department", "annual_department", ("place_code", "place", "region_code")),
    ("region", "annual_department", ("region_code", "region", None)),
    ("national", "annual_department", ("country", None, None)),
    ("sector", "annual_department", ("sector", None, None)),
    ("category", "annual_department", ("category", None, None)),
    ("naf", "annual_department", ("naf2", None, None)),
)
"""Level, table it is made from, column of its code, of its name, of what it belongs to."""


def consumption_total_mean(
    address: pl.DataFrame,
    commune: pl.DataFrame,
    department: pl.DataFrame,
    region: pl.DataFrame,
    national: pl.DataFrame,
) -> pa.Table:
    """CONSUMPTION_TOTAL_MEAN of the years in these tables."""
    tables = {"annual_commune": commune, "annual_department": department}
    parts = [_addresses(address)]
    parts += [_level(tables[table], table, level, *columns) for level, table, columns in LEVELS]
    parts += [_metered(region, "region", "annual_region"), _metered(national, "national", "annual_national")]
    names = CONSUMPTION_TOTAL_MEAN.names
    out = pl.concat([part.select(names) for part in parts], how="vertical_relaxed")
    return (
        out.sort("level", "energy", "year", "code", "source", nulls_last=True).to_arrow().cast(CONSUMPTION_TOTAL_MEAN)
    )


def _level(
    rows: pl.DataFrame, source: str, level: str, code: str, name: str | None, parent: str | None
) -> pl.DataFrame:
    """Rows summed by one column; two spellings of a name become the first in the alphabet."""
    known = pl.col("sites").is_not_null() & pl.col("total_mwh").is_not_null()
    coded = rows.with_columns(pl.lit(COUNTRY).alias("country")).filter(pl.col(code).is_not_null())
    sums = coded.group_by("year", "energy", pl.col(code).alias("code"), maintain_order=True).agg(
        (pl.col(name).drop_nulls().min() if name else pl.lit(None, pl.String)).alias("name"),
        (pl.col(parent).drop_nulls().min() if parent else pl.lit(None, pl.String)).alias("parent_code"),
        pl.col("sites").sum().alias("sites"),
        _sum("total_mwh"),
        (pl.col("total_mwh").filter(known).sum() / pl.col("sites").filter(known).sum()).alias("mean_mwh"),
        pl.len().cast(pl.Int64).alias("rows"),
        pl.col("withheld").sum().cast(pl.Int64).alias("withheld_rows"),
    )
    sums = sums.with_columns(pl.col("name").min().over("code"), pl.lit(None, pl.Float64).alias("reference_mean_mwh"))
    return _finished(sums, level, source)


def _addresses(rows: pl.DataFrame) -> pl.DataFrame:
    sums = rows.group_by(
        "year", (pl.col("commune_code") + ":" + pl.col("address").fill_null("")).alias("code"), maintain_order=True
    ).agg(
        pl.lit("electricity").alias("energy"),
        pl.col("address").first().alias("name"),
        pl.col("commune_code").first().alias("parent_code"),
        pl.col("homes").sum().alias("sites"),
        _sum("total_mwh"),
        (pl.col("total_mwh").sum() / pl.col("homes").filter(pl.col("total_mwh").is_not_null()).sum()).alias("mean_mwh"),
        pl.col("commune_mean_mwh").first().alias("reference_mean_mwh"),
        pl.len().cast(pl.Int64).alias("rows"),
        pl.lit(0, pl.Int64).alias("withheld_rows"),
    )
    return _finished(sums, "address", "annual_address")


def _metered(rows: pl.DataFrame, level: str, source: str) -> pl.DataFrame:
    """What the transport networks metered: GWh → MWh; sites are unknown, so there is no mean."""
    parts = [
        rows.select(
            "year",
            pl.lit(energy).alias("energy"),
            pl.col("region_code").fill_null(COUNTRY).alias("code"),
            pl.col("region").alias("name"),
            pl.lit(None, pl.String).alias("parent_code"),
            pl.lit(None, pl.Int64).alias("sites"),
            (pl.col(f"{energy}_gwh") * 1000).alias("total_mwh"),
            pl.lit(None, pl.Float64).alias("mean_mwh"),
            pl.lit(None, pl.Float64).alias("reference_mean_mwh"),
            pl.lit(1, pl.Int64).alias("rows"),
            pl.lit(0, pl.Int64).alias("withheld_rows"),
        ).filter(pl.col("total_mwh").is_not_null())
        for energy in ("electricity", "gas")
    ]
    return _finished(pl.concat(parts), level, source)


def _sum(name: str) -> pl.Expr:
    """A sum that is null when nothing is known."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)


def _finished(sums: pl.DataFrame, level: str, source: str) -> pl.DataFrame:
    nothing_known = pl.col("mean_mwh").is_nan() | pl.col("mean_mwh").is_infinite()
    return sums.with_columns(
        pl.lit(level).alias("level"),
        pl.lit(source).alias("source"),
        pl.when(nothing_known).then(None).otherwise(pl.col("mean_mwh")).alias("mean_mwh"),
    )

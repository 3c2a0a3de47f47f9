"""The star schema REGION / CONSUMPTION / COVERAGE_RATE from the regional half-hours, for SQL and for models.

Pure. Names are French, as dashboards on such a warehouse know them; instants (`date_heure`, UTC) and `nature` are kept,
because local date and hour alone are ambiguous. Shares are of the production; pumping is a load, so its share is
negative or zero and is no part of the hundred.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.energy.refine_grid import FRENCH
from ev_platform.energy.time_rules import PARIS
from ev_platform.lake.schemas import TIME

SHARES = (*FRENCH.items(), ("pumping", "pompage"))
_HEAD = (
    ("code_insee_region", pa.string()),
    ("date_heure", TIME),
    ("date_enreg", pa.date32()),
    ("heure_enreg", pa.string()),
)
_TAIL = (("code_insee_1", pa.string()),)

REGION = pa.schema([("code_insee_region", pa.string()), ("libelle_region", pa.string())])
CONSUMPTION = pa.schema(
    [
        ("id_consommation", pa.string()), *_HEAD, ("nature", pa.string()), ("consommation", pa.float64()),
        *((name, pa.float64()) for _, name in SHARES), ("ech_physiques", pa.float64()),
        ("production_total", pa.float64()), *((f"pct_{name}", pa.float64()) for _, name in SHARES),
        ("annee", pa.int32()), ("mois", pa.int32()), ("jour_semaine", pa.int32()), ("weekend", pa.bool_()), *_TAIL,
    ]
)  # fmt: skip
COVERAGE_RATE = pa.schema(
    [
        ("id_couverture", pa.string()), *_HEAD,
        *((f"{rate}_{name}", pa.float64()) for name in FRENCH.values() for rate in ("tco", "tch")), *_TAIL,
    ]
)  # fmt: skip


def regions(grid: pl.DataFrame) -> pa.Table:
    """REGION: every region that the half-hours name."""
    named = grid.select(pl.col("region_code").alias("code_insee_region"), pl.col("region").alias("libelle_region"))
    one = named.drop_nulls().group_by("code_insee_region").agg(pl.col("libelle_region").min())
    return one.sort("code_insee_region").to_arrow().cast(REGION)


def consumption(grid: pl.DataFrame) -> pa.Table:
    """CONSUMPTION: one row per region and half-hour that was published, with shares and calendar."""
    local = pl.col("instant").dt.convert_time_zone(PARIS)
    production = pl.col("production_mw")
    share = [
        pl.when(production > 0).then(100 * pl.col(f"{ours}_mw") / production).alias(f"pct_{name}")
        for ours, name in SHARES
    ]
    out = _keyed(grid, "id_consommation").with_columns(
        pl.col("consumption_mw").alias("consommation"),
        *(pl.col(f"{ours}_mw").alias(name) for ours, name in SHARES),
        pl.col("exchange_mw").alias("ech_physiques"),
        production.alias("production_total"),
        *share,
        local.dt.year().alias("annee"),
        local.dt.month().cast(pl.Int32).alias("mois"),
        local.dt.weekday().cast(pl.Int32).alias("jour_semaine"),
        (local.dt.weekday() >= 6).alias("weekend"),
    )
    return out.select(CONSUMPTION.names).to_arrow().cast(CONSUMPTION)


def coverage_rate(grid: pl.DataFrame) -> pa.Table:
    """COVERAGE_RATE: share of consumption (tco) and of installed power (tch) of each kind, as published."""
    rates = [("tco", "coverage"), ("tch", "load")]
    out = _keyed(grid, "id_couverture").with_columns(
        pl.col(f"{ours_rate}_{ours}_percent").alias(f"{rate}_{name}")
        for ours, name in FRENCH.items()
        for rate, ours_rate in rates
    )
    return out.select(COVERAGE_RATE.names).to_arrow().cast(COVERAGE_RATE)


def _keyed(grid: pl.DataFrame, key: str) -> pl.DataFrame:
    """Rows with their primary key `{region}-{UTC instant}`, local date and hour, and the key of their region."""
    local = pl.col("instant").dt.convert_time_zone(PARIS)
    return (
        grid.filter(pl.col("quality") != "gap")
        .sort("region_code", "instant")
        .with_columns(
            (pl.col("region_code") + "-" + pl.col("instant").dt.strftime("%Y%m%dT%H%MZ")).alias(key),
            pl.col("region_code").alias("code_insee_region"),
            pl.col("region_code").alias("code_insee_1"),
            pl.col("instant").alias("date_heure"),
            local.dt.date().alias("date_enreg"),
            local.dt.strftime("%H:%M").alias("heure_enreg"),
        )
    )

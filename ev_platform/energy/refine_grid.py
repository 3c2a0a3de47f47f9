"""éCO2mix and the half-hourly consumption sets → half-hours in UTC, one row per place and instant.

Pure. Rules: revisions by rank (definitive > consolidated > real time), daylight saving and shifts (time_rules.py),
nulls stay nulls, pumping is a load and never part of the production. Units: MW, mean power of the half-hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl
import pyarrow as pa

from ev_platform.energy.time_rules import (
    NATURES,
    half_hours,
    one_per_instant,
    with_gaps,
    with_instant,
    with_rank,
)
from ev_platform.lake.schemas_energy import GRID_LOAD_REGIONAL, GRID_MIX_NATIONAL, HALF_HOUR, KINDS

FRENCH = {
    "thermal": "thermique", "nuclear": "nucleaire", "wind": "eolien", "solar": "solaire", "hydro": "hydraulique",
    "bioenergy": "bioenergies",
}  # fmt: skip
"""Our kinds of production and the producer's."""

REGIONAL = {
    "consumption_mw": "consommation", **{f"{ours}_mw": theirs for ours, theirs in FRENCH.items()},
    "pumping_mw": "pompage", "exchange_mw": "ech_physiques", "storage_charge_mw": "stockage_batterie",
    "storage_discharge_mw": "destockage_batterie", "wind_onshore_mw": "eolien_terrestre",
    "wind_offshore_mw": "eolien_offshore",
    **{f"coverage_{ours}_percent": f"tco_{theirs}" for ours, theirs in FRENCH.items()},
    **{f"load_{ours}_percent": f"tch_{theirs}" for ours, theirs in FRENCH.items()},
}  # fmt: skip

NATIONAL = {
    "consumption_mw": "consommation", "forecast_day_ahead_mw": "prevision_j1", "forecast_same_day_mw": "prevision_j",
    "oil_mw": "fioul", "coal_mw": "charbon", "gas_mw": "gaz",
    **{f"{ours}_mw": theirs for ours, theirs in FRENCH.items() if ours != "thermal"},
    "pumping_mw": "pompage", "exchange_mw": "ech_physiques", "co2_g_per_kwh": "taux_co2",
    "exchange_england_mw": "ech_comm_angleterre", "exchange_spain_mw": "ech_comm_espagne",
    "exchange_italy_mw": "ech_comm_italie", "exchange_switzerland_mw": "ech_comm_suisse",
    "exchange_germany_belgium_mw": "ech_comm_allemagne_belgique", "oil_turbine_mw": "fioul_tac",
    "oil_cogeneration_mw": "fioul_cogen", "oil_other_mw": "fioul_autres", "gas_turbine_mw": "gaz_tac",
    "gas_cogeneration_mw": "gaz_cogen", "gas_combined_cycle_mw": "gaz_ccg", "gas_other_mw": "gaz_autres",
    "hydro_river_mw": "hydraulique_fil_eau_eclusee", "hydro_lake_mw": "hydraulique_lacs",
    "hydro_pumped_mw": "hydraulique_step_turbinage", "bioenergy_waste_mw": "bioenergies_dechets",
    "bioenergy_biomass_mw": "bioenergies_biomasse", "bioenergy_biogas_mw": "bioenergies_biogaz",
}  # fmt: skip

HALF_HOURLY = {
    "electricity_mw": "consommation_brute_electricite_rte", "gas_grtgaz_mw": "consommation_brute_gaz_grtgaz",
    "gas_terega_mw": "consommation_brute_gaz_terega", "gas_mw": "consommation_brute_gaz_totale",
    "total_mw": "consommation_brute_totale",
}  # fmt: skip


def refine_regional(settled: pl.DataFrame, real_time: pl.DataFrame, start: datetime, end: datetime) -> pa.Table:
    """GRID_LOAD_REGIONAL of [start, end): the settled rows, real time where there are none yet, gaps marked."""
    both = _merged(settled, real_time, ["code_insee_region"], list(REGIONAL.values()))
    whole = with_gaps(both, start, end, ["code_insee_region", "libelle_region"])
    production = _sum([pl.col(theirs) for theirs in FRENCH.values()])
    return _table(
        whole.select(
            pl.col("code_insee_region").alias("region_code"),
            pl.col("libelle_region").alias("region"),
            "instant",
            *(pl.col(theirs).alias(ours) for ours, theirs in REGIONAL.items()),
            production.alias("production_mw"),
            *_origin(),
        ),
        GRID_LOAD_REGIONAL,
    )


def refine_national(settled: pl.DataFrame, real_time: pl.DataFrame, start: datetime, end: datetime) -> pa.Table:
    """GRID_MIX_NATIONAL of [start, end), as above; thermal is oil + coal + gas."""
    both = _merged(settled, real_time, [], list(NATIONAL.values()))
    whole = with_gaps(both, start, end, [])
    thermal = _sum([pl.col(name) for name in ("fioul", "charbon", "gaz")])
    whole = whole.with_columns(thermal.alias("thermal_mw"))
    kinds = [pl.col("thermal_mw"), *(pl.col(FRENCH[kind]) for kind in KINDS if kind != "thermal")]
    return _table(
        whole.select(
            "instant",
            "thermal_mw",
            *(pl.col(theirs).alias(ours) for ours, theirs in NATIONAL.items()),
            _sum(kinds).alias("production_mw"),
            *_origin(),
        ),
        GRID_MIX_NATIONAL,
    )


def refine_half_hour(frame: pl.DataFrame, start: datetime, end: datetime) -> pa.Table:
    """HALF_HOUR of a month, of the country or of regions: gas is hourly, so it is null between the hours."""
    places = [name for name in ("code_insee_region", "region") if name in frame.columns]
    values = list(HALF_HOURLY.values())
    known = with_instant(frame).with_columns(pl.lit(0, pl.Int8).alias("rank"))
    known = known.filter(pl.any_horizontal(pl.col(values).is_not_null()))
    single = one_per_instant(known, places[:1], values)
    whole = with_gaps(single, start, end, places)
    nothing = pl.lit(None, pl.String)
    return _table(
        whole.select(
            (pl.col("code_insee_region") if places else nothing).alias("region_code"),
            (pl.col("region") if places else nothing).alias("region"),
            "instant",
            *(pl.col(theirs).alias(ours) for ours, theirs in HALF_HOURLY.items()),
            pl.col("statut_rte").alias("electricity_status"),
            pl.coalesce("statut_grtgaz", "statut_terega").alias("gas_status"),
            _quality(pl.lit(False)),
        ),
        HALF_HOUR,
    )


def _merged(settled: pl.DataFrame, real_time: pl.DataFrame, place: Sequence[str], values: list[str]) -> pl.DataFrame:
    """One row per place and half-hour of both; rows without any value (the future) are none."""
    known = pl.any_horizontal(pl.col(values).is_not_null())
    first = with_rank(with_instant(settled)).filter(known)
    first = first.filter(pl.col("instant") == pl.col("instant").dt.truncate("30m"))
    second = with_rank(with_instant(real_time)).filter(known)
    averaged = half_hours(one_per_instant(second, place, values), place, values)
    single = one_per_instant(first, place, values).with_columns(pl.lit(False).alias("partial"))
    together = pl.concat([single, averaged.select(single.columns)])
    return together.filter(pl.col("rank") == pl.col("rank").max().over([*place, "instant"])).unique(
        [*place, "instant"], keep="first", maintain_order=True
    )


def _sum(parts: list[pl.Expr]) -> pl.Expr:
    """A sum that leaves nulls out and is null when it has nothing to add: null is not zero."""
    return pl.when(pl.any_horizontal(*(part.is_not_null() for part in parts))).then(pl.sum_horizontal(*parts))


def _origin() -> list[pl.Expr]:
    nature = pl.col("rank").replace_strict(NATURES, default=None, return_dtype=pl.String)
    return [nature.alias("nature"), pl.col("rank"), _quality(pl.col("partial"))]


def _quality(partial: pl.Expr) -> pl.Expr:
    quality = (
        pl.when(pl.col("conflict").is_null()).then(pl.lit("gap")).when(pl.col("conflict")).then(pl.lit("conflict"))
    )
    quality = quality.when(pl.col("fits") == 0).then(pl.lit("shifted")).when(partial).then(pl.lit("partial"))
    return quality.otherwise(pl.lit("ok")).alias("quality")


def _table(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return frame.select(schema.names).to_arrow().cast(schema)

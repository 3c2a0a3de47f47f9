"""What can be wrong with the energy tables of one partition: each function returns the problems it found, by place.

Reads the lake only. Not here: when a check runs and what it stops (defs/energy/checks.py).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from zoneinfo import ZoneInfo

import polars as pl

from ev_platform.energy.data_fair import count_rows
from ev_platform.energy.explore import count_lines
from ev_platform.energy.harvest import read_manifest
from ev_platform.energy.live_rows import TABLE
from ev_platform.energy.served import overlap
from ev_platform.energy.sources import partition_bounds
from ev_platform.energy.tasks import raw_rows, read_partition, source_named
from ev_platform.energy.time_rules import PARIS, slots, unreadable_times
from ev_platform.lake.live_store import open_live_store
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

Problems = dict[str, str]

KEYS = {
    "annual_address": ["iris_code", "commune_code", "address"],
    "annual_commune": ["operator", "energy", "place_code", "category", "sector", "naf2"],
    "annual_department": ["operator", "energy", "place_code", "category", "sector", "naf2"],
    "annual_national": ["year"],
    "annual_region": ["region_code"],
    "vehicles_commune": ["commune_code", "date"],
    "half_hour_national": ["instant"],
    "half_hour_regional": ["region_code", "instant"],
    "grid_load_regional": ["region_code", "instant"],
    "grid_mix_national": ["instant"],
    "consumption_total_mean": ["year", "energy", "level", "code", "source"],
}
"""What names a row of a table within its partition."""

MEAN_TOLERANCE = 0.0007
"""MWh: both are published with three decimals."""

REGIONS_TOLERANCE_GWH = 10.0
BALANCE_MW = {"grid_load_regional": 28.0, "grid_mix_national": 1.0}
COVERAGE_TOLERANCE = 0.0051
ROUNDING = 1e-6


def raw_incomplete(settings: Settings, store: ObjectStore, source: str, partition: str) -> Problems:
    """Pieces that are gone or changed, and rows that do not add up to what the portal counted."""
    manifest = read_manifest(store, source, partition)
    if manifest is None:
        return {partition: "no complete harvest"}
    problems, rows = {}, 0
    count = (
        count_lines if source_named(settings, source).protocol == "explore" else lambda data: count_rows(data, source)
    )
    for piece in manifest.pieces:
        data, _ = store.read(str(piece["key"]))
        if data is None or hashlib.sha256(data).hexdigest() != piece["sha256"]:
            problems[str(piece["key"])] = "gone" if data is None else "changed"
        else:
            rows += count(data)
    if not problems and rows != manifest.rows:
        problems[partition] = f"{rows} rows, the portal counted {manifest.rows}"
    return problems


def repeated_keys(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Keys that more than one row has."""
    rows = read_partition(store, f"energy/{table}", partition)
    twice = rows.group_by(KEYS[table]).len().filter(pl.col("len") > 1).sort(KEYS[table], nulls_last=True)
    return {" ".join(map(str, row[:-1])): f"{row[-1]} rows" for row in twice.head(20).iter_rows()}


def wrong_means(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Rows whose published mean is not their total by their sites."""
    rows = read_partition(store, f"energy/{table}", partition)
    sites = "homes" if table == "annual_address" else "sites"
    apart = (pl.col("total_mwh") / pl.col(sites) - pl.col("mean_mwh")).abs()
    wrong = rows.filter((pl.col(sites) > 0) & (apart > MEAN_TOLERANCE))
    return _shown(wrong, KEYS[table], f"{wrong.height} rows whose mean is not total / sites")


def secrecy_zeros(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Withheld rows that look like zeros."""
    rows = read_partition(store, f"energy/{table}", partition)
    wrong = rows.filter(pl.col("sites").is_null() & pl.col("total_mwh").is_null() & pl.col("mean_mwh").is_not_null())
    return _shown(wrong, KEYS[table], f"{wrong.height} withheld rows have a mean")


def out_of_bounds(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """The country's electricity and the number of communes, against the bounds of the sources file."""
    rows = read_partition(store, f"energy/{table}", partition)
    found = {
        "electricity_mwh": float(rows.filter(pl.col("energy") == "electricity")["total_mwh"].sum()),
        "communes": float(rows["place_code"].n_unique()),
    }
    bounds = source_named(settings, table).bounds
    return {
        name: f"{found[name]:g} is not within {low:g} … {high:g}"
        for name, (low, high) in bounds.items()
        if not low <= found[name] <= high
    }


def regions_against_country(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Sums of the regions that are not the country's, where both are there."""
    regions = read_partition(store, "energy/annual_region", partition)
    country = read_partition(store, "energy/annual_national", partition)
    problems = {}
    for name in ("electricity_gwh", "gas_gwh") if regions.height and country.height else ():
        apart = abs(float(regions[name].sum()) - float(country[name].sum()))
        if apart > REGIONS_TOLERANCE_GWH:
            problems[name] = f"regions and country are {apart:g} GWh apart"
    return problems


def wrong_slots(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Places that do not have one row per half-hour of the partition."""
    rows = read_partition(store, f"energy/{table}", partition)
    expected = slots(*partition_bounds(partition)).len()
    place = pl.col("region_code") if "region_code" in rows.columns else pl.lit("FR").alias("region_code")
    counts = rows.group_by(place).agg(pl.col("instant").n_unique().alias("n")).filter(pl.col("n") != expected)
    return {str(region): f"{n} half-hours of {expected}" for region, n in counts.sort("region_code").iter_rows()}


def gaps(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Half-hours that nobody published, except the hour of autumn that never is."""
    rows = read_partition(store, f"energy/{table}", partition).filter(pl.col("quality") == "gap")
    found = rows.group_by("instant").len().sort("instant")
    zone = ZoneInfo(PARIS)
    return {
        f"{instant:%Y-%m-%dT%H:%MZ}": f"nothing published for {n} places"
        for instant, n in found.iter_rows()
        if instant.astimezone(zone).utcoffset() <= (instant + timedelta(hours=1)).astimezone(zone).utcoffset()
    }


def unbalanced(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Half-hours whose consumption is not production + pumping + exchange."""
    rows = read_partition(store, f"energy/{table}", partition)
    apart = (
        pl.col("consumption_mw") - pl.col("production_mw") - pl.col("pumping_mw").fill_null(0) - pl.col("exchange_mw")
    )
    wrong = rows.filter(apart.abs() > BALANCE_MW[table] + ROUNDING)
    return _shown(wrong, KEYS[table], f"{wrong.height} half-hours do not balance within {BALANCE_MW[table]:g} MW")


def producing_pumps(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Half-hours in which pumping is above zero: it would be taken for production."""
    rows = read_partition(store, f"energy/{table}", partition).filter(pl.col("pumping_mw") > 0)
    return _shown(rows, KEYS[table], f"{rows.height} half-hours with pumping above zero")


def wrong_coverage(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Published shares that are not kind / consumption (settled rows; real time is averaged from quarter-hours)."""
    rows = read_partition(store, f"energy/{table}", partition).filter(
        (pl.col("rank") >= 2) & (pl.col("consumption_mw") > 0)
    )
    problems = {}
    for kind in ("nuclear", "wind", "solar", "hydro"):
        apart = (100 * pl.col(f"{kind}_mw") / pl.col("consumption_mw") - pl.col(f"coverage_{kind}_percent")).abs()
        if wrong := rows.filter(apart > COVERAGE_TOLERANCE).height:
            problems[kind] = f"{wrong} half-hours"
    return problems


def unreadable(settings: Settings, store: ObjectStore, source: str, partition: str) -> Problems:
    """Raw rows whose time cannot be read: no table has them."""
    known = source_named(settings, source)
    if "date_heure" not in known.text:
        return {}
    count = unreadable_times(raw_rows(store, known, partition))
    return {partition: f"{count} rows without a readable time"} if count else {}


def mart_does_not_add_up(settings: Settings, store: ObjectStore, table: str, partition: str) -> Problems:
    """Departments, sectors and categories that do not sum to the country, and means that are not total / sites."""
    rows = read_partition(store, f"energy/{table}", partition).filter(pl.col("source") == "annual_department")
    sums = rows.group_by("energy", "level").agg(pl.col("total_mwh").sum())
    country = sums.filter(pl.col("level") == "national").select("energy", pl.col("total_mwh").alias("whole"))
    both = sums.filter(pl.col("level").is_in(["department", "region", "sector", "category"])).join(country, on="energy")
    wrong = both.filter((pl.col("total_mwh") / pl.col("whole") - 1).abs() > ROUNDING)
    return {
        f"{row['energy']} {row['level']}": f"{row['total_mwh']:g} of {row['whole']:g} MWh" for row in wrong.to_dicts()
    }


def live_disagrees(settings: Settings, store: ObjectStore) -> tuple[Problems, dict[str, float | str]]:
    """Settled half-hours that live ones were far from; and what was compared."""
    live = open_live_store(settings)
    try:
        found, rows = overlap(store, live), len(live.rows(TABLE))
    finally:
        live.close()
    figures: dict[str, float | str] = {"live_rows": rows, "compared": found.compared, "differing": found.differing}
    figures |= {"largest_percent": found.largest_percent, "worst": found.worst}
    return ({} if found.ok else {found.worst: f"{found.largest_percent} % apart"}), figures


def _shown(rows: pl.DataFrame, key: list[str], what: str) -> Problems:
    if rows.is_empty():
        return {}
    places = [" ".join(map(str, row)) for row in rows.select(key).head(5).iter_rows()]
    return {"rows": what, "first": "; ".join(places)}

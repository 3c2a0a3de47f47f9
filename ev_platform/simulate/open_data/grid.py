"""Generated half-hours of the grid: true quarter-hours first, then what the portals publish of them.

Quarter-hours are the truth of real time; settled half-hours revise their mean a little. Daylight saving is where the
publisher's 48 rows a day go wrong. Values are whole MW, as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import floor, pi, sin
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ev_platform.energy.refine_grid import FRENCH
from ev_platform.lake.schemas_energy import KINDS
from ev_platform.simulate.open_data.places import REGIONS, Region

Rows = list[dict[str, Any]]
PARIS = ZoneInfo("Europe/Paris")
QUARTER, HALF = timedelta(minutes=15), timedelta(minutes=30)
COUNTRY_MW = 48_000
NATURE = {3: "Données définitives", 2: "Données consolidées", 1: "Données temps réel"}
CO2 = {"oil_mw": 777, "coal_mw": 986, "gas_mw": 429, "bioenergy_mw": 494}
"""Grams per kWh at the plant."""


@dataclass(frozen=True)
class Grid:
    """The days that exist, and how far they are settled."""

    seed: int
    days: tuple[date, ...]
    definitive_until: datetime
    consolidated_until: datetime
    now: datetime
    """Real-time rows after this exist already, empty."""

    def instants(self, step: timedelta) -> list[datetime]:
        """Begins of all slots of the days (UTC)."""
        starts = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in self.days]
        return [start + step * n for start in starts for n in range(timedelta(days=1) // step)]

    def rank(self, instant: datetime) -> int:
        """Best rank that is published for a half-hour; 0 in the future."""
        if instant < self.definitive_until:
            return 3
        return 2 if instant < self.consolidated_until else int(instant < self.now)


@lru_cache(maxsize=4096)
def _chance(seed: int, region: str, day: int) -> list[list[float]]:
    """Uniform numbers in [0, 1) of each quarter-hour of a UTC day."""
    found: list[list[float]] = np.random.default_rng([seed, int(region), day]).random((96, 9)).tolist()
    return found


def quarter(grid: Grid, region: Region, instant: datetime) -> dict[str, int]:
    """True power of one region in one quarter-hour, whole MW; depends on nothing but seed, region and time."""
    number = int(instant.timestamp()) // 900
    chance = _chance(grid.seed, region.code, number // 96)[number % 96]
    local = instant.astimezone(PARIS)
    hour = local.hour + local.minute / 60
    shape = 1 + 0.18 * sin((hour - 9) / 24 * 2 * pi) + 0.08 * sin((hour - 15) / 12 * 2 * pi)
    size = COUNTRY_MW * region.share
    power = {
        "thermal": int(size * (0.03 + 0.07 * chance[0])),
        "nuclear": 0 if region.code in ("11", "53", "93") else int(size * (0.7 + 0.25 * chance[1])),
        "wind": int(size * (0.05 + 0.2 * chance[2])),
        "solar": int(size * 0.2 * max(sin((hour - 6) / 12 * pi), 0) * (0.6 + 0.4 * chance[3])),
        "hydro": int(size * (0.05 + 0.1 * chance[4])),
        "bioenergy": int(size * (0.01 + 0.01 * chance[5])),
        "pumping": -int(size * 0.08 * chance[6]) if hour < 6 else 0,
    }
    consumption = int(size * shape * (0.9 if local.weekday() >= 5 else 1) * (0.98 + 0.04 * chance[7]))
    production = sum(power[kind] for kind in KINDS)
    noise = int(21 * chance[8]) - 10
    return {"consumption": consumption, **power, "exchange": consumption - production - power["pumping"] + noise}


def half(grid: Grid, region: Region, instant: datetime) -> dict[str, Any]:
    """True power of a half-hour: settled values revise the mean of the quarters, real time is that mean."""
    quarters = [quarter(grid, region, instant + QUARTER * n) for n in range(2)]
    mean = {name: (quarters[0][name] + quarters[1][name]) / 2 for name in quarters[0]}
    if grid.rank(instant) < 2:
        return mean
    return {name: float(floor(value * 1.004)) for name, value in mean.items()}


def regional_truth(grid: Grid) -> Rows:
    """Copies of `_regional_truth`."""
    return [dict(row) for row in _regional_truth(grid)]


@lru_cache(maxsize=4)
def _regional_truth(grid: Grid) -> Rows:
    """One row per region and half-hour that was published, or should have been, in columns of GRID_LOAD_REGIONAL."""
    rows: Rows = []
    for instant in grid.instants(HALF):
        rank = grid.rank(instant)
        for region in REGIONS if rank else ():
            power = half(grid, region, instant)
            row = {"region_code": region.code, "region": region.name, "instant": instant}
            row |= {f"{name}_mw": value for name, value in power.items()}
            row["production_mw"] = sum(power[kind] for kind in KINDS)
            row["rank"] = rank
            rows.append(row)
    return rows


def publish_regional(grid: Grid) -> Rows:
    """The settled regional set: half-hours, 48 rows a local day, with its faults of spring and autumn."""
    rows: Rows = []
    for truth in regional_truth(grid):
        if truth["rank"] < 2 or in_autumn_hole(truth["instant"]):
            continue
        rows.append(_published(truth, NATURE[truth["rank"]], truth["instant"].astimezone(PARIS)))
        if in_spring_hour(truth["instant"]):  # the hour that does not exist stands there with the next one's instants
            rows.append(
                _published(truth, NATURE[truth["rank"]], truth["instant"].astimezone(PARIS) - timedelta(hours=1))
            )
    return rows


def publish_real_time(grid: Grid) -> Rows:
    """The real-time regional set: quarter-hours, and the rest of the last day already there without values."""
    rows: Rows = []
    for instant in grid.instants(QUARTER):
        for region in REGIONS:
            power: dict[str, Any] = dict(quarter(grid, region, instant))
            if instant >= grid.now:
                power = dict.fromkeys(power)
            row = {"region_code": region.code, "region": region.name, "instant": instant}
            row |= {f"{name}_mw": value for name, value in power.items()}
            rows.append(_published(row, NATURE[1], instant.astimezone(PARIS)))
    return rows


def _published(row: dict[str, Any], nature: str, local: datetime) -> dict[str, Any]:
    consumption = row["consumption_mw"]
    shares: dict[str, float | None] = {}
    for ours, theirs in FRENCH.items():
        value = row[f"{ours}_mw"]
        shares[f"tco_{theirs}"] = None if not consumption or value is None else round(100 * value / consumption, 2)
        shares[f"tch_{theirs}"] = None if value is None else round(min(value / 100, 100.0), 2)
    return {
        "code_insee_region": row["region_code"], "libelle_region": row["region"], "nature": nature,
        "date": local.strftime("%Y-%m-%d"), "heure": local.strftime("%H:%M"), "date_heure": row["instant"],
        "consommation": consumption, **{theirs: row[f"{ours}_mw"] for ours, theirs in FRENCH.items()},
        "pompage": row["pumping_mw"], "ech_physiques": row["exchange_mw"], "stockage_batterie": None,
        "destockage_batterie": None, "eolien_terrestre": row["wind_mw"], "eolien_offshore": None, **shares,
        "column_30": None,
    }  # fmt: skip


def national_truth(grid: Grid) -> Rows:
    """The country per half-hour: the sum of its regions, thermal split into oil, coal and gas."""
    sums: dict[datetime, dict[str, Any]] = {}
    names = ("consumption", *KINDS, "pumping", "exchange")
    for row in regional_truth(grid):
        total = sums.setdefault(row["instant"], {"instant": row["instant"], "rank": row["rank"]})
        for name in names:
            total[f"{name}_mw"] = total.get(f"{name}_mw", 0) + row[f"{name}_mw"]
    for row in sums.values():
        _split(row)
    return list(sums.values())


def _split(row: dict[str, Any]) -> None:
    """Oil, coal and gas of thermal; CO2 of it all; the balance closes within 1 MW in the national set."""
    row["oil_mw"], row["coal_mw"] = float(row["thermal_mw"] // 20), float(row["thermal_mw"] // 5)
    row["gas_mw"] = row["thermal_mw"] - row["oil_mw"] - row["coal_mw"]
    row["production_mw"] = sum(row[f"{kind}_mw"] for kind in KINDS)
    row["exchange_mw"] = row["consumption_mw"] - row["production_mw"] - row["pumping_mw"]
    emitted = sum(row[name] * grams for name, grams in CO2.items())
    row["co2_g_per_kwh"] = float(round(emitted / row["production_mw"]))


def publish_national(grid: Grid) -> Rows:
    """The settled national set. Its daylight-saving faults are those of the regional one."""
    rows: Rows = []
    for truth in national_truth(grid):
        if truth["rank"] >= 2 and not in_autumn_hole(truth["instant"]):
            rows.append(_published_national(truth, NATURE[truth["rank"]]))
    return rows


def publish_national_real_time(grid: Grid) -> Rows:
    """The national real-time set: quarter-hours, commercial exchanges only at full and half hours, unsorted."""
    rows: Rows = []
    for instant in grid.instants(QUARTER):
        regions = [quarter(grid, region, instant) for region in REGIONS]
        row: dict[str, Any] = {"instant": instant}
        row |= {f"{name}_mw": float(sum(power[name] for power in regions)) for name in regions[0]}
        _split(row)
        if instant >= grid.now:
            row = {"instant": instant, **{name: None for name in row if name != "instant"}}
        rows.append(_published_national(row, NATURE[1]))
    order = np.random.default_rng(grid.seed).permutation(len(rows))
    return [rows[int(place)] for place in order]


def _published_national(row: dict[str, Any], nature: str) -> dict[str, Any]:
    local = row["instant"].astimezone(PARIS)
    full = row["instant"].minute % 30 == 0 and row["consumption_mw"] is not None
    kinds = {theirs: row[f"{ours}_mw"] for ours, theirs in FRENCH.items() if ours != "thermal"}
    return {
        "perimetre": "France", "nature": nature, "date": local.strftime("%Y-%m-%d"), "heure": local.strftime("%H:%M"),
        "date_heure": row["instant"], "consommation": row["consumption_mw"], "prevision_j1": row["consumption_mw"],
        "prevision_j": row["consumption_mw"], "fioul": row["oil_mw"], "charbon": row["coal_mw"],
        "gaz": row["gas_mw"], **kinds, "pompage": row["pumping_mw"], "ech_physiques": row["exchange_mw"],
        "taux_co2": row["co2_g_per_kwh"], "ech_comm_angleterre": -1200.0 if full else None,
    }  # fmt: skip


def half_hourly_truth(grid: Grid, regional: bool) -> Rows:
    """Electricity and hourly gas, per region or of the country, of the settled time."""
    rows: Rows = []
    source = regional_truth(grid) if regional else national_truth(grid)
    for row in source:
        if row["rank"] < 2:
            continue
        gas = float(int(row["consumption_mw"] * 0.8)) if row["instant"].minute == 0 else None
        place = {"region_code": row.get("region_code"), "region": row.get("region")}
        total = None if gas is None else gas + row["consumption_mw"]
        rows.append(
            place
            | {"instant": row["instant"], "electricity_mw": row["consumption_mw"], "gas_mw": gas, "total_mw": total}
        )
    return rows


def publish_half_hourly(grid: Grid, regional: bool) -> Rows:
    """The half-hourly consumption sets: in spring two instants come twice, with the phantom hour's values."""
    rows: Rows = []
    for truth in half_hourly_truth(grid, regional):
        local = truth["instant"].astimezone(PARIS)
        rows.append(_published_half(truth, local, truth["gas_mw"], truth["electricity_mw"]))
        if in_spring_hour(truth["instant"]):
            phantom = None if truth["gas_mw"] is None else 0.0
            rows.append(_published_half(truth, local - timedelta(hours=1), phantom, truth["electricity_mw"] - 494.0))
    return rows


def _published_half(row: dict[str, Any], local: datetime, gas: float | None, power: float) -> dict[str, Any]:
    place = {"code_insee_region": row["region_code"], "region": row["region"]} if row["region_code"] else {}
    return {
        "date_heure": row["instant"], "date": local.strftime("%Y-%m-%d"), "heure": local.strftime("%H:%M"), **place,
        "consommation_brute_gaz_grtgaz": gas, "statut_grtgaz": "Définitif", "consommation_brute_gaz_terega": None,
        "statut_terega": "Définitif", "consommation_brute_gaz_totale": gas,
        "consommation_brute_electricite_rte": power, "statut_rte": "Définitif",
        "consommation_brute_totale": None if gas is None else gas + power, "flag_ignore": "non",
    }  # fmt: skip


def in_spring_hour(instant: datetime) -> bool:
    """Whether it is one of the two half-hours after the clock went forward."""
    return _offset(instant) > _offset(instant - timedelta(hours=1))


def in_autumn_hole(instant: datetime) -> bool:
    """Whether it is in the first of the two equal hours of autumn: nobody publishes that one."""
    return _offset(instant) > _offset(instant + timedelta(hours=1))


def _offset(instant: datetime) -> timedelta:
    return instant.astimezone(PARIS).utcoffset() or timedelta()


def switch_days(year: int) -> Sequence[date]:
    """The two days of a year on which the clock changes: last Sundays of March and October."""
    ends = [date(year, 3, 31), date(year, 10, 31)]
    return [end - timedelta(days=(end.weekday() + 1) % 7) for end in ends]

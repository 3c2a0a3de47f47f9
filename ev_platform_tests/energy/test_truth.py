"""Refined tables equal the generated truth exactly, except what the portals withheld or never published."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from ev_platform.energy import tasks
from ev_platform.simulate.open_data import annual, grid
from ev_platform_tests.energy.worlds import AUTUMN, DAYS, SPRING, YEAR

HALF = timedelta(minutes=30)


@pytest.fixture(scope="module")
def regional(shared):
    return shared.grid("grid_load_regional")


@pytest.fixture(scope="module")
def national(shared):
    return shared.grid("grid_mix_national")


def frame_of(rows, like):
    columns = [name for name in like.columns if name in rows[0]]
    return pl.DataFrame(rows, infer_schema_length=None).select(pl.col(name).cast(like.schema[name]) for name in columns)


def same(found, rows, key):
    """Every column that the truth has, in every row, exactly."""
    truth = frame_of(rows, found)
    ours = found.select(truth.columns).sort(key, nulls_last=True)
    assert ours.height == truth.height
    assert ours.equals(truth.sort(key, nulls_last=True))


PLACE_KEY = ["place_code", "energy", "operator", "category", "sector", "naf2"]


@pytest.mark.parametrize(
    ("table", "truth"), [("annual_commune", annual.place_truth), ("annual_department", annual.department_truth)]
)
def test_places_are_the_truth_where_they_are_not_withheld(shared, table, truth):
    found, rows = shared.annual(table), truth(1, YEAR)
    same(found.filter(~pl.col("withheld")), [row for row in rows if not row["withheld"]], PLACE_KEY)
    hidden = found.filter("withheld")
    secret = [row for row in rows if row["withheld"]]
    assert secret
    assert (
        hidden.select(PLACE_KEY)
        .sort(PLACE_KEY, nulls_last=True)
        .equals(frame_of(secret, found).select(PLACE_KEY).sort(PLACE_KEY, nulls_last=True))
    )
    assert hidden.select("sites", "total_mwh", "mean_mwh").null_count().row(0) == (hidden.height,) * 3


def test_true_zeros_stay_zeros(shared):
    found = shared.annual("annual_commune")
    zeros = [row for row in annual.place_truth(1, YEAR) if row["total_mwh"] == 0]
    assert zeros
    assert found.filter(pl.col("total_mwh") == 0).height == len(zeros)
    assert found.filter((pl.col("mean_mwh") == 0) & pl.col("sites").is_null()).is_empty()


def test_addresses_are_the_truth(shared):
    same(shared.annual("annual_address"), annual.address_truth(1, YEAR), ["commune_code", "address", "iris_code"])


def test_metered_years_are_the_truth(shared):
    country, regions = annual.energy_truth(1, YEAR)
    same(shared.annual("annual_national"), country, ["year"])
    found = shared.annual("annual_region")
    same(found, regions, ["region_code"])
    corse = found.filter(pl.col("region_code") == "94").row(0, named=True)
    assert (corse["gas_gwh"], corse["total_gwh"]) == (None, None)
    assert corse["gas_status"] == "Définitif"


def test_regions_sum_to_the_country_within_the_bound(shared):
    regions, country = shared.annual("annual_region"), shared.annual("annual_national")
    for energy in ("electricity_gwh", "gas_gwh"):
        assert abs(regions[energy].sum() - country[energy].sum()) <= 10


def lost(instant):
    return grid.in_autumn_hole(instant)


def test_regional_half_hours_are_the_truth_and_holes_are_marked(shared, regional):
    truth = grid.regional_truth(shared.server.world.grid)
    settled = [row for row in truth if row["rank"] >= 2 and not lost(row["instant"])]
    current = [row for row in truth if row["rank"] == 1 or (lost(row["instant"]))]
    key = ["region_code", "instant"]
    same(regional.filter(pl.col("rank") >= 2), settled, key)
    # the lost hour of autumn was never settled; real time has it, so it is not lost after all
    fallback = [{**row, "rank": 1} for row in current if not lost(row["instant"])]
    same(regional.filter((pl.col("rank") == 1) & ~pl.col("instant").is_in(holes())), fallback, key)
    assert regional.group_by(key).len()["len"].max() == 1
    ahead = regional.filter(pl.col("quality") == "gap")
    assert ahead["instant"].min() == datetime(2026, 11, 2, 18, tzinfo=UTC)
    assert ahead.select("consumption_mw", "rank", "nature").null_count().row(0) == (ahead.height,) * 3


def holes():
    start = datetime(AUTUMN.year, AUTUMN.month, AUTUMN.day, tzinfo=UTC)
    return [start, start + HALF]


def test_without_real_time_the_lost_hour_of_autumn_is_a_gap(shared):
    shared.grid("grid_load_regional", [AUTUMN])
    source = shared.source("eco2mix_regional")
    rows = tasks.raw_rows(shared.store, source, "2026-10")
    start, end = tasks.partition_bounds(AUTUMN.isoformat())
    found = pl.from_arrow(tasks.refine_grid.refine_regional(rows, rows.clear(), start, end))
    assert found.height == 12 * 48
    gaps = found.filter(pl.col("quality") == "gap")
    assert gaps["instant"].unique().sort().to_list() == holes()
    assert gaps["consumption_mw"].null_count() == 24
    assert set(gaps["region"]) == set(found["region"])


@pytest.mark.parametrize(("day", "slots"), [(SPRING, 46), (AUTUMN, 50), (DAYS[0], 48)])
def test_the_half_hours_of_a_local_day_sum_right(shared, regional, day, slots):
    """Two independent ways: the refined table cut by local day, and the quarter-hours of the generator."""
    local = pl.col("instant").dt.convert_time_zone("Europe/Paris").dt.date()
    whole = regional.filter((local == day) & (pl.col("region_code") == "32"))
    world = shared.server.world
    midnight = datetime(day.year, day.month, day.day, tzinfo=grid.PARIS)
    start, end = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
    inside = [instant for instant in world.grid.instants(HALF) if start <= instant < end]
    region = next(region for region in grid.REGIONS if region.code == "32")
    expected = sum(
        grid.half(world.grid, region, instant)["consumption"]
        if not lost(instant)
        else sum(grid.quarter(world.grid, region, instant + n * grid.QUARTER)["consumption"] for n in (0, 1)) / 2
        for instant in inside
    )
    assert (end - start) // HALF == slots
    assert whole.height == len(inside)
    assert whole["consumption_mw"].sum() == expected


def test_national_half_hours_are_the_truth_and_the_sum_of_regions(shared, regional, national):
    truth = grid.national_truth(shared.server.world.grid)
    settled = [row for row in truth if row["rank"] >= 2 and not lost(row["instant"])]
    found = national.filter(pl.col("rank") >= 2)
    same(found, settled, ["instant"])
    sums = regional.filter(pl.col("rank") >= 2).group_by("instant").agg(pl.col("consumption_mw").sum())
    both = found.join(sums, on="instant", suffix="_regions")
    assert both.height == found.height
    assert (both["consumption_mw"] - both["consumption_mw_regions"]).abs().max() == 0


def test_pumping_is_no_production_and_the_balance_closes(regional, national):
    for found, most in ((regional, 28), (national, 1)):
        assert found["pumping_mw"].drop_nulls().max() <= 0
        assert found["pumping_mw"].drop_nulls().min() < 0
        balance = pl.col("consumption_mw") - pl.col("production_mw") - pl.col("pumping_mw") - pl.col("exchange_mw")
        assert found.select(balance.abs().max()).item() <= most


@pytest.mark.parametrize(("table", "regional_set"), [("half_hour_regional", True), ("half_hour_national", False)])
def test_half_hourly_consumption_is_the_truth_and_twins_are_conflicts(shared, table, regional_set):
    parts = []
    for month in ("2026-03", "2026-10", "2026-11"):
        shared.harvest(table, month)
        parts.append(pl.from_arrow(tasks.half_hour_table(shared.settings, shared.store, table, month)))
    found = pl.concat(parts).filter(pl.col("quality") != "gap")
    same(found, grid.half_hourly_truth(shared.server.world.grid, regional_set), ["region_code", "instant"])
    twins = found.filter(pl.col("quality") == "conflict")["instant"].unique().to_list()
    assert sorted(twins) == [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]
    assert found.filter(pl.col("instant").dt.minute() == 30)["gas_mw"].null_count() == found.height / 2


def test_the_mart_is_the_truth_summed(shared):
    for table in ("annual_address", "annual_commune", "annual_department", "annual_region", "annual_national"):
        shared.annual(table)
    found = pl.from_arrow(tasks.total_mean_table(shared.store, str(YEAR)))
    assert set(found["level"]) == {
        "address",
        "commune",
        "department",
        "region",
        "national",
        "sector",
        "category",
        "naf",
    }
    known = [row for row in annual.place_truth(1, YEAR) if not row["withheld"]]
    code = known[0]["place_code"]
    mine = [row for row in known if row["place_code"] == code and row["energy"] == "electricity"]
    row = found.filter((pl.col("level") == "commune") & (pl.col("code") == code) & (pl.col("energy") == "electricity"))
    assert row["total_mwh"].item() == pytest.approx(sum(r["total_mwh"] for r in mine), rel=1e-12)
    assert row["mean_mwh"].item() == pytest.approx(row["total_mwh"].item() / sum(r["sites"] for r in mine), rel=1e-12)
    hidden = [r for r in annual.place_truth(1, YEAR) if r["withheld"]]
    assert found.filter(pl.col("level") == "commune")["withheld_rows"].sum() == len(hidden)
    country = found.filter((pl.col("level") == "national") & (pl.col("source") == "annual_national"))
    assert country.filter(pl.col("energy") == "electricity")["total_mwh"].item() == (
        1000 * annual.energy_truth(1, YEAR)[0][0]["electricity_gwh"]
    )
    assert found.filter((pl.col("level") == "department") & (pl.col("code") == "90"))["name"].n_unique() == 1


def test_the_csv_of_the_mart_has_the_same_rows(shared):
    for table in ("annual_address", "annual_commune", "annual_department", "annual_region", "annual_national"):
        shared.annual(table)
    table = pl.from_arrow(tasks.total_mean_table(shared.store, str(YEAR)))
    data = shared.store.get(f"energy/csv/consumption_total_mean/{YEAR}.csv")
    read = pl.read_csv(data, schema_overrides={name: table.schema[name] for name in table.columns})
    assert read.equals(table)

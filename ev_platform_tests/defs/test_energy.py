"""Every energy check passes on a true lake and fails on its fault; schedules ask for what they should; a run works."""

import json
import shutil
from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest

from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.energy import assets, checks, schedules
from ev_platform.defs.energy.assets import key, raw_key
from ev_platform.defs.platform import Platform
from ev_platform.defs.resources import resources_for
from ev_platform.energy import inspection, tasks
from ev_platform.energy.harvest import manifest_key
from ev_platform.lake.layout import part_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform_tests.energy.worlds import YEAR, place, small_world

DAY, MONTH = "2026-10-26", "2026-10"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A lake with one partition of every table, and its settings."""
    days = tuple(datetime.fromisoformat(day).date() for day in ("2026-10-25", DAY))
    end = datetime(2026, 10, 27, tzinfo=UTC)
    world = small_world(days=days, definitive_until=end, consolidated_until=end, now=end)
    with place(tmp_path_factory.mktemp("made"), world) as found:
        for table in tasks.ANNUAL:
            found.annual(table)
        found.write("consumption_total_mean", str(YEAR), tasks.total_mean_table(found.store, str(YEAR)))
        for table in tasks.GRID:
            found.grid(table, days)
        for table in tasks.HALF_HOURLY:
            found.harvest(table, MONTH)
            found.write(table, MONTH, tasks.half_hour_table(found.settings, found.store, table, MONTH))
        yield found


@pytest.fixture
def lake(made, tmp_path):
    shutil.copytree(made.folder / "lake", tmp_path / "lake")
    return ObjectStore(str(tmp_path / "lake"))


def partition_of(row):
    if row.asset.path[1] == "raw":
        return str(YEAR) if tasks.load_sources()[row.subject].cut == "year" else MONTH
    return {checks.axes.YEARS: str(YEAR), checks.axes.MONTHS: MONTH, checks.axes.DAYS: DAY}[row.axis]


def look(made, store, row):
    return row.find(made.settings, store, row.subject, partition_of(row))


def change(store, row, edit):
    """Rewrite the partition that a check looks at."""
    target = part_key(f"energy/{row.subject}", partition_of(row))
    frame = pl.from_arrow(from_parquet(store.get(target)))
    schema = tasks.SCHEMAS[row.subject]
    store.put(target, to_parquet(edit(frame).select(schema.names).to_arrow().cast(schema)))


def first(column, value):
    """The first row with another value."""
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


FAULTS = {
    "keys_unique": lambda frame: pl.concat([frame, frame.head(1)]),
    "instants_unique": lambda frame: pl.concat([frame, frame.head(1)]),
    "mean_fits_total": lambda frame: frame.with_columns(pl.col("mean_mwh") + 0.01),
    "no_secrecy_zero": lambda frame: frame.with_columns(pl.col("mean_mwh").fill_null(0.0)),
    "national_bounds": lambda frame: frame.head(frame.height // 2),
    "sums_to_country": lambda frame: frame.with_columns(pl.col("electricity_gwh") * 1.001),
    "slots": lambda frame: frame.tail(-1),
    "gaps": first("quality", "gap"),
    "balance": lambda frame: frame.with_columns(pl.col("exchange_mw") + 60),
    "pumping_is_a_load": lambda frame: frame.with_columns(pl.col("pumping_mw").abs() + 1),
    "coverage": lambda frame: frame.with_columns(pl.col("wind_mw") + 100),
    "adds_up": lambda frame: frame.filter(pl.col("code") != "11"),
}
"""What each check of a table is there to find."""

TABLE_CHECKS = [row for row in checks.CHECKS if row.asset.path[1] != "raw"]
RAW_CHECKS = [row for row in checks.CHECKS if row.asset.path[1] == "raw"]


def named(row):
    return f"{row.subject}-{row.name}"


@pytest.mark.parametrize("row", checks.CHECKS, ids=named)
def test_it_passes_on_a_true_lake(made, row):
    assert look(made, made.store, row) == {}


@pytest.mark.parametrize("row", TABLE_CHECKS, ids=named)
def test_it_fails_on_its_fault(made, lake, row):
    change(lake, row, FAULTS[row.name])
    assert look(made, lake, row)


@pytest.mark.parametrize("row", [row for row in RAW_CHECKS if row.name == "complete"], ids=named)
@pytest.mark.parametrize("fault", ["gone", "cut", "count", "never"])
def test_an_incomplete_harvest_is_found(made, lake, row, fault):
    manifest = manifest_key(row.subject, partition_of(row))
    body = json.loads(lake.get(manifest))
    piece = body["pieces"][0]["key"]
    if fault == "gone":
        lake.delete([piece])
    elif fault == "cut":
        lake.put(piece, lake.get(piece)[:-10])
    elif fault == "never":
        lake.delete([manifest])
    else:
        lake.put(manifest, json.dumps({**body, "rows": body["rows"] + 1}).encode())
    assert look(made, lake, row)


def test_a_time_that_cannot_be_read_is_found(made, lake):
    row = next(row for row in RAW_CHECKS if row.name == "times_readable" and row.subject == "eco2mix_regional")
    body = json.loads(lake.get(manifest_key(row.subject, MONTH)))
    piece = body["pieces"][0]["key"]
    lake.put(piece, lake.get(piece).replace(b"2026-10-26T00:00:00+00:00", b"26/10/2026", 1))
    assert look(made, lake, row) == {MONTH: "1 rows without a readable time"}


def test_the_hole_of_autumn_is_no_surprise_but_any_other_gap_is(made):
    rows = tasks.raw_rows(made.store, made.source("eco2mix_regional"), MONTH)
    start, end = tasks.partition_bounds("2026-10-25")
    table = tasks.refine_grid.refine_regional(rows, rows.clear(), start, end)
    made.store.put(part_key("energy/grid_load_regional_test", "2026-10-25"), to_parquet(table))
    tasks.SCHEMAS["grid_load_regional_test"] = tasks.SCHEMAS["grid_load_regional"]
    where = (made.settings, made.store, "grid_load_regional_test", "2026-10-25")
    assert pl.from_arrow(table).filter(pl.col("quality") == "gap").height == 24
    assert inspection.gaps(*where) == {}
    other = rows.filter(~pl.col("date_heure").str.starts_with("2026-10-25T07:00"))
    table = tasks.refine_grid.refine_regional(other, rows.clear(), start, end)
    made.store.put(part_key("energy/grid_load_regional_test", "2026-10-25"), to_parquet(table))
    assert inspection.gaps(*where) == {"2026-10-25T07:00Z": "nothing published for 12 places"}


def test_a_failed_blocking_check_stops_what_follows(made, tmp_path, instance):
    """In one run: a commune table with a doubled row is no input of the mart."""
    shutil.copytree(made.folder / "lake", tmp_path / "lake")
    store = ObjectStore(str(tmp_path / "lake"))
    body = json.loads(store.get(manifest_key("annual_commune", str(YEAR))))
    piece = body["pieces"][0]["key"]
    header, row, *rest = store.get(piece).splitlines(keepends=True)
    store.put(piece, b"".join([header, row, row, *rest]))
    platform = Platform(made.settings.with_changes(lake_url=str(tmp_path / "lake")), store)
    result = dg.materialize(
        [*assets.annual_assets, assets.consumption_total_mean, *checks.energy_checks],
        selection=[key("annual_commune"), key("consumption_total_mean")],
        partition_key=str(YEAR), instance=instance, resources=resources_for(platform), raise_on_error=False,
    )  # fmt: skip
    failed = [c.check_name for c in result.get_asset_check_evaluations() if not c.passed]
    assert failed == ["keys_unique"]
    made_assets = {event.asset_key for event in result.get_asset_materialization_events()}
    assert made_assets == {key("annual_commune")}


def test_a_run_over_a_range_writes_every_day_with_its_plot(made, tmp_path, instance):
    shutil.copytree(made.folder / "lake", tmp_path / "lake")
    store = ObjectStore(str(tmp_path / "lake"))
    before = {name: store.get(part_key("energy/grid_load_regional", name)) for name in ("2026-10-25", DAY)}
    store.delete([part_key("energy/grid_load_regional", name) for name in before])
    platform = Platform(made.settings.with_changes(lake_url=str(tmp_path / "lake")), store)
    tags = {"dagster/asset_partition_range_start": "2026-10-25", "dagster/asset_partition_range_end": DAY}
    result = dg.materialize(assets.grid_assets, tags=tags, instance=instance, resources=resources_for(platform))
    events = result.asset_materializations_for_node("energy__grid_load_regional")
    assert [event.partition for event in events] == list(before)
    assert all("█" in event.metadata["plot"].value for event in events)
    assert {name: store.get(part_key("energy/grid_load_regional", name)) for name in before} == before


# -- schedules --------------------------------------------------------------------------------------------------------


def requests_of(schedule, at):
    context = dg.build_schedule_context(
        scheduled_execution_time=at, repository_def=load_definitions().get_repository_def()
    )
    return schedule.evaluate_tick(context).run_requests


def test_every_night_two_months_and_35_days():
    at = datetime(2027, 1, 10, 4, 40, tzinfo=UTC)
    assert [r.partition_key for r in requests_of(schedules.energy_months_schedule, at)] == ["2026-12", "2027-01"]
    assert [r.partition_key for r in requests_of(schedules.energy_star_schedule, at)] == ["2026-12", "2027-01"]
    (days,) = requests_of(schedules.energy_days_schedule, at)
    assert days.tags["dagster/asset_partition_range_start"] == "2026-12-06"
    assert days.tags["dagster/asset_partition_range_end"] == "2027-01-09"


def test_every_month_what_was_revised_and_the_closed_years():
    at = datetime(2027, 1, 5, 6, tzinfo=UTC)
    months = [r.partition_key for r in requests_of(schedules.energy_revisions_schedule, at)]
    assert (len(months), months[0], months[-1]) == (18, "2025-08", "2027-01")
    assert [r.partition_key for r in requests_of(schedules.energy_years_schedule, at)] == ["2025", "2026"]


def test_schedules_are_off_until_wanted_and_live_comes_every_quarter():
    repository = load_definitions().get_repository_def()
    energy = [s for s in repository.schedule_defs if s.name.startswith("energy_")]
    assert len(energy) == 7
    assert {s.default_status for s in energy} == {dg.DefaultScheduleStatus.STOPPED}
    assert schedules.energy_live_schedule.cron_schedule == "*/15 * * * *"


def test_every_source_has_a_raw_asset_and_a_completeness_check():
    graph = load_definitions().resolve_asset_graph()
    for name in tasks.load_sources():
        assert raw_key(name) in graph.get_all_asset_keys()
        assert dg.AssetCheckKey(raw_key(name), "complete") in graph.asset_check_keys

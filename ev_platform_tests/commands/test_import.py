"""`ev import`, then `ev run`, as a user runs them: logs of two cars become segments and battery health."""

from datetime import date

import dagster as dg
import polars as pl
import pytest

from ev_platform.commands.instance import open_instance
from ev_platform.defs.raw.files import RAW_FILES
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import load_settings
from ev_platform.simulate.history import cars, write
from ev_platform_tests.commands.test_cli import ev

FIRST = date(2026, 10, 5)
DAYS = 4


def tables(folder, pattern):
    return pl.read_parquet(folder / "data/lake" / pattern)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("history")
    fleet = cars(2)
    rows = write(folder / "log.csv", 1, FIRST, fleet, period_s=20)
    per_day = rows
    rows = write(folder / "log.csv", per_day * DAYS - per_day // 2, FIRST, fleet, period_s=20)
    environment = {"EV_VEHICLES_FILE": str(folder / "log.csv.vehicles.csv"), "EV_START_DAY": "2026-10-01"}
    shown = ev("import", "log.csv", "--mapping", "leafspy", folder=folder, **environment)
    assert shown.returncode == 0, shown.stderr
    return folder, fleet, rows, environment, shown.stdout


def test_import_then_run_gives_segments_and_battery_health_near_the_truth(imported):
    folder, fleet, rows, environment, said = imported
    assert f"{rows:,}" in said
    assert f"next: ev run --from {FIRST}" in said
    last = said.rsplit(" --to ", 1)[1].split()[0]
    made = ev("run", "--from", str(FIRST), "--to", last, folder=folder, **environment)
    assert made.returncode == 0, made.stderr + made.stdout
    segments = tables(folder, "segments/**/*.parquet")
    kinds = dict(segments.group_by("kind").len().iter_rows())
    days = (date.fromisoformat(last) - FIRST).days + 1
    assert kinds["drive"] == 2 * days * len(fleet)
    assert kinds["charge"] >= days * len(fleet)
    cleaned = tables(folder, "cleaned/**/*.parquet")
    assert set(cleaned["provider"]) == {"leafspy"}
    charging = cleaned.filter(pl.col("charge_state") == "charging")
    assert charging["pack_current_a"].min() > 0  # positive into the battery here, negative in the file
    assert cleaned["soc_percent"].max() < 100
    assert cleaned.select(pl.col("gear").drop_nulls().unique().sort()).to_series().to_list() == ["D", "P"]
    health = tables(folder, "results/battery_health/**/*.parquet").filter(pl.col("method") == "pooled")
    estimates = dict(health.select("vin", "capacity_kwh").iter_rows())
    for car in fleet:
        assert estimates[car.vin] == pytest.approx(car.usable_kwh, rel=0.03)
    again = ev("import", "log.csv", "--mapping", "leafspy", folder=folder, **environment)
    assert again.returncode == 0
    assert "next:" not in again.stdout
    assert not list((folder / "data/lake").glob("temp/*"))


def test_the_days_are_told_to_dagster(imported):
    folder, _, rows, _, _ = imported
    settings = load_settings(lake_url=str(folder / "data/lake"), state_dir=folder / "data/state")
    with open_instance(settings) as instance:
        events = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=RAW_FILES), limit=100).records
    days = {record.partition_key: record.asset_materialization.metadata["records"].value for record in events}
    assert min(days) == FIRST.isoformat()
    assert sum(days.values()) == rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv", "--mapping", "generic"], "none.csv: no such file"),
        (["a.csv", "--mapping", "nothing"], "ready mappings: generic, leafspy"),
        (["a.csv", "--mapping", "generic", "--vin", "x"], "is no VIN"),
        (["a.csv", "--mapping", "generic", "--zone", "Nowhere"], "no time zone"),
        (["a.csv", "--mapping", "generic"], "none of the columns"),
    ],
)
def test_an_error_is_one_clear_line(tmp_path, arguments, said):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    shown = ev("import", *arguments, folder=tmp_path)
    assert shown.returncode == 1
    assert said in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1, shown.stderr


def test_dead_letters_are_exit_code_1_and_a_dry_run_leaves_no_lake(tmp_path):
    good = "EVPLEAF0000000001,2026-10-05T10:00:00Z,50"
    (tmp_path / "a.csv").write_text(f"vin,time,soc_percent,colour\n{good},red\nEVPLEAF0000000001,never,50,red\n")
    dry = ev("import", "a.csv", "--mapping", "generic", "--dry-run", folder=tmp_path)
    assert dry.returncode == 1
    assert "dead letter: bad_time" in dry.stdout
    assert "not mapped: colour" in dry.stdout
    assert ObjectStore(str(tmp_path / "data/lake")).keys("temp") == []
    assert ev("import", "a.csv", "--mapping", "generic", folder=tmp_path).returncode == 1
    assert len(ObjectStore(str(tmp_path / "data/lake")).keys("temp")) == 1

"""The whole `ev demo`, side domains included: no part has a problem, it repeats to the byte, it survives a kill."""

import os
import signal
import time

import pyarrow.parquet as pq
import pytest

from ev_platform.commands.demo import SIDE_DEMOS
from ev_platform_tests.dashboard.server import PAGES, dashboard, figure, open_page, tab, wrong
from ev_platform_tests.integration.demo_runs import SIZE, contents, duration, finish, start

pytestmark = pytest.mark.integration  # one file, one worker: --dist loadfile

TABLES = ("telematics/events", "energy/grid_load_regional", "market/sales", "insights/vehicle_360")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, finish(folder, options=SIZE)


def tables_of(lake):
    """What people read, without receipts of how it came about and what was polled when."""
    return {key: digest for key, digest in contents(lake).items() if not key.startswith(("ops/", "state/"))}


def test_every_side_domain_is_shown_and_leaves_its_tables(finished):
    folder, output = finished
    for place in SIDE_DEMOS:
        assert f"{place.rpartition('_')[2]} took " in output
    keys = contents(folder / "data/lake")
    for table in TABLES:
        assert [key for key in keys if key.startswith(table)], table


def test_every_page_of_the_dashboard_shows_what_the_demo_left(finished):
    folder, _ = finished
    lake = folder / "data/lake"
    with tab() as page, dashboard(lake, folder / "data/state") as url:
        for path, title in PAGES.items():
            open_page(page, f"{url}/{path}", title)
            assert wrong(page) == [], title
            assert "Run this" not in page.text() or title in ("Charging & grid", "Vehicle"), title
        open_page(page, f"{url}/", "Fleet")
        cars = pq.read_table(lake / "results/vehicle_battery").to_pandas()
        assert figure(page, "Vehicles") == str(len(cars))
        assert figure(page, "Median health") == f"{cars['soh_percent'].median():.1f} %"
        open_page(page, f"{url}/alarms", "Telematics alarms")
        assert figure(page, "Alarms") == str(len(pq.read_table(lake / "telematics/alarms")))
        open_page(page, f"{url}/charging", "Charging & grid")
        kwh = sum(pq.read_table(lake / "insights/charging_grid_load")["energy_kwh"].to_pylist())
        assert figure(page, "Charged") == f"{kwh:,.0f} kWh".replace(",", "\u202f")


def test_a_finished_demo_run_again_changes_no_byte_of_the_lake(finished):
    folder, _ = finished
    before = contents(folder / "data/lake")
    finish(folder, options=SIZE)
    after = contents(folder / "data/lake")
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == set()


def test_killed_within_the_side_domains_and_run_again_it_ends_with_the_same_tables(finished, tmp_path):
    folder, _ = finished
    process = start(tmp_path, options=SIZE)
    first_side = f"{SIDE_DEMOS[0].rpartition('_')[2]} took "
    while first_side not in (tmp_path / "output.txt").read_text():
        assert process.poll() is None, "the demo ended before it could be killed"
        time.sleep(0.1)
    time.sleep(duration(folder) * 0.1)  # somewhere within the second or third of them
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finish(tmp_path, options=SIZE)
    ours, theirs = tables_of(tmp_path / "data/lake"), tables_of(folder / "data/lake")
    assert {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)} == set()

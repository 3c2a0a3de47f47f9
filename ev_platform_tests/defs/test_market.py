"""The market as assets: sensor on a new raw file, months, checks that can fail, drift that alerts, one command."""

import logging

import dagster as dg
import pytest

from ev_platform.commands.market import refresh
from ev_platform.commands.requests import Requests
from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.market.assets import MARKET_MODELS, MARKET_SALES
from ev_platform.defs.market.checks import column_rules, error_on_sales_left_out, every_row_accounted_for, no_drift
from ev_platform.defs.market.sensors import SNAPSHOT_TAG, has_source, market_monthly, market_new_raw, market_refine_job
from ev_platform.errors import UserError
from ev_platform.lake.layout import part_key, table_key
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.market.refine import refine
from ev_platform.market.tasks import all_sales
from ev_platform.settings import load_settings
from ev_platform.simulate.kaggle_server import TOKEN, Published, kaggle_server
from ev_platform.simulate.sales import Market
from ev_platform.simulate.sales_file import write_sales
from ev_platform_tests.defs.runs import add_run

FILE = write_sales(Market(sales=1_500, seed=2))
HEAD = FILE.data.split(b"\n")[0] + b"\n"
OLD_SALE = b"2009,Kia,Rio,LX,Sedan,automatic,,ca,3,9,red,red,x,5,900,Wed Dec 15 2010 12:30:00 GMT-0800 (PST)\n"
OTHER = write_sales(Market(sales=1_500, seed=4))


@pytest.fixture(scope="module")
def definitions():
    return load_definitions()


@pytest.fixture
def made(definitions, platform, instance, tmp_path):
    """A platform whose market was made by the commands that people use, from a stand-in of Kaggle."""
    requests = Requests(definitions, instance, platform, tmp_path / "cursor.json")
    published = Published({1: FILE.data})
    with kaggle_server(published) as address:
        settings = platform.settings.with_changes(
            kaggle_url=address, kaggle_api_token=load_settings(kaggle_api_token=TOKEN).kaggle_api_token
        )
        with requests.acting_as(settings):
            yield requests, published, platform


def on_lake(definitions, platform):
    """Assets of the definitions write where `platform` says: its settings are put into the loaded platform."""
    loaded = definitions.resources["platform"]
    loaded.settings = platform.settings
    loaded.__dict__.pop("store", None)
    return loaded


@pytest.fixture(autouse=True)
def same_lake(definitions, platform):
    loaded = definitions.resources["platform"]
    before = loaded.settings
    on_lake(definitions, platform)
    yield
    loaded.settings = before
    loaded.__dict__.pop("store", None)


def test_download_to_marts_then_nothing_to_do(made):
    requests, _, platform = made
    assert refresh(requests) == 1
    assert requests.tally.failed_runs == []
    assert requests.tally.checks_failed == []
    assert requests.tally.checks_passed == 4
    assert all_sales(platform.store).to_pylist() == FILE.expected.to_pylist()
    before = {key: platform.store.get(key) for key in platform.store.keys("market")}
    assert refresh(requests) == 0
    assert {key: platform.store.get(key) for key in platform.store.keys("market")} == before


def test_a_new_version_is_refined_its_lost_months_emptied_and_drift_told(made, caplog):
    requests, published, platform = made
    refresh(requests)
    head, *lines = OTHER.data.rstrip(b"\n").split(b"\n")
    published.versions[2] = b"\n".join([head, *(line for line in lines if b" Jan " not in line and b"Dec" not in line)])
    published.updated = "2024-04-01T00:00:00Z"
    with caplog.at_level(logging.ERROR, "ev_platform.alerts"):
        assert refresh(requests) == 1
    expected = refine(published.versions[2])
    assert all_sales(platform.store).equals(expected.sales)
    assert "2014-01" not in expected.months
    emptied = from_parquet(platform.store.get(part_key("market/sales", "2014-01")))
    assert emptied.num_rows == 0
    assert [check for check in requests.tally.checks_failed if "no_drift" not in check] == []
    assert "sales market drifted" in caplog.text


def test_a_file_that_somebody_else_put_there_is_found(made):
    requests, _, platform = made
    platform.store.put("market/raw/2025-01-01/from_elsewhere.csv", OTHER.data)
    assert requests.sensor("market_new_raw") == 1
    assert all_sales(platform.store).to_pylist() == OTHER.expected.to_pylist()
    assert requests.sensor("market_new_raw") == 0


def test_a_month_made_by_hand_gives_the_same_bytes(made):
    requests, _, platform = made
    refresh(requests)
    key = part_key("market/sales", "2015-02")
    before = platform.store.get(key)
    platform.store.delete([key])
    requests.materialize([MARKET_SALES], "2015-02")
    assert platform.store.get(key) == before


def test_a_refused_key_is_one_line(made):
    requests, published, _ = made
    published.refused_terms = True
    with pytest.raises(UserError, match="accept its terms"):
        refresh(requests)


# -- the sensor -------------------------------------------------------------------------------------------------------


def tick(platform, instance):
    context = dg.build_sensor_context(instance=instance, resources={"platform": platform})
    return market_new_raw(context)


def test_the_sensor_asks_for_all_months_of_the_newest_file_in_one_run(platform, instance):
    assert isinstance(tick(platform, instance), dg.SkipReason)
    platform.store.put("market/raw/2024-01-01/a.csv", FILE.data)
    request = tick(platform, instance)
    assert request.tags[SNAPSHOT_TAG] == "market/raw/2024-01-01/a.csv"
    assert request.tags["dagster/asset_partition_range_start"] == "2014-01"
    assert request.tags["dagster/asset_partition_range_end"] == "2015-07"


def test_the_sensor_waits_for_a_run_under_way(platform, instance):
    platform.store.put("market/raw/2024-01-01/a.csv", FILE.data)
    add_run(instance, dg.DagsterRunStatus.STARTED, 5, job=market_refine_job.name)
    assert "under way" in tick(platform, instance).skip_message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"not,a\nsales,file\n", "lacks the columns"),
        (HEAD + OLD_SALE, "EV_MARKET_FIRST_MONTH"),
        (HEAD, "no sale"),
    ],
)
def test_a_file_that_cannot_be_refined_is_skipped_with_the_reason(platform, instance, data, said):
    platform.store.put("market/raw/2024-01-01/a.csv", data)
    assert said in tick(platform, instance).skip_message


def test_the_schedule_is_silent_without_a_source(platform):
    assert not has_source(load_settings())
    assert has_source(load_settings(market_csv="x.csv"))
    assert has_source(load_settings(kaggle_api_token=TOKEN))
    assert not has_source(load_settings(kaggle_username="only"))
    context = dg.build_schedule_context(resources={"platform": platform})
    assert "KAGGLE_API_TOKEN" in market_monthly(context).skip_message


# -- checks can fail --------------------------------------------------------------------------------------------------


def passes(check, platform):
    return check(platform).passed


def test_checks_of_the_sales_can_fail(made):
    requests, _, platform = made
    refresh(requests)
    assert passes(every_row_accounted_for, platform)
    assert passes(column_rules, platform)
    key = part_key("market/sales", "2015-02")
    whole = from_parquet(platform.store.get(key))
    platform.store.put(key, to_parquet(whole.slice(1)))
    assert not passes(every_row_accounted_for, platform), "a lost sale"
    platform.store.put(key, to_parquet(whole))
    platform.store.put(part_key("market/sales", "2015-03"), to_parquet(whole))
    assert not passes(column_rules, platform), "sales in the wrong month"


def test_checks_of_the_fit_and_of_drift_can_fail(made):
    requests, _, platform = made
    refresh(requests)
    assert passes(error_on_sales_left_out, platform)
    assert passes(no_drift, platform)
    key = table_key("/".join(MARKET_MODELS.path))
    models = from_parquet(platform.store.get(key))
    rows = [{**row, "cv_bias": 0.5} for row in models.to_pylist()]
    platform.store.put(key, to_parquet(models.from_pylist(rows, schema=models.schema)))
    assert not passes(error_on_sales_left_out, platform)
    platform.store.delete([key])
    assert not passes(error_on_sales_left_out, platform), "no fit at all is no good fit"
    drift = from_parquet(platform.store.get(table_key("market/drift")))
    moved = [{**row, "drifted": True, "baseline": 1.0} for row in drift.to_pylist()]
    platform.store.put(table_key("market/drift"), to_parquet(drift.from_pylist(moved, schema=drift.schema)))
    assert not passes(no_drift, platform)

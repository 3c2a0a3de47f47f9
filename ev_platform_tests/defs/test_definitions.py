"""The code location as a whole: it loads, its graph is the contract, and every asset says what it is."""

import ast
import json
from pathlib import Path

import dagster as dg
import pytest

import ev_platform
from ev_platform.definitions import defs as load_definitions
from ev_platform.providers.connect import PROVIDERS
from ev_platform.query.catalogue import tables

GOLDEN = Path(__file__).parent / "asset_graph.json"
MOST_LINES = 15


@pytest.fixture(scope="module")
def definitions():
    return load_definitions()


def graph_of(definitions):
    """Keys, dependencies, partitions, group, owners, kinds and checks of every asset."""
    graph = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): {
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitions": repr(node.partitions_def) if node.partitions_def else None,
            "group": node.group_name,
            "owners": sorted(node.owners),
            "kinds": sorted(tag.removeprefix("dagster/kind/") for tag in node.tags if tag.startswith("dagster/kind/")),
            "checks": sorted(check.name for check in node.check_keys),
        }
        for key in sorted(graph.get_all_asset_keys())
        for node in [graph.get(key)]
    }


def test_definitions_are_loadable(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_the_asset_graph_is_the_contract(definitions):
    """A change here is a change for every user: write the new golden with care."""
    assert graph_of(definitions) == json.loads(GOLDEN.read_text())


def test_every_table_with_a_schema_can_be_asked_in_sql(definitions):
    """A table that the query engines do not know is one that nobody finds."""
    graph = definitions.resolve_asset_graph()
    shown = {key for key in graph.materializable_asset_keys if "dagster/column_schema" in graph.get(key).metadata}
    folders = {"/".join(key.path).removeprefix("lake/") for key in shown}
    assert folders - {table.folder for table in tables()} == set()
    assert len(folders) > 40


def test_every_asset_and_check_is_described_and_owned(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert any(tag.startswith("dagster/kind/") for tag in node.tags), key
    for key in graph.asset_check_keys:
        assert graph.get(key).description, key


def test_one_backfill_policy_for_all_daily_assets(definitions):
    graph = definitions.resolve_asset_graph()
    policies = {
        graph.get(key).backfill_policy for key in graph.materializable_asset_keys if graph.get(key).is_partitioned
    }
    assert policies == {dg.BackfillPolicy.multi_run(30)}


def test_asset_bodies_stay_short():
    """Assets call other rooms; what is longer belongs there (decorator and docstring not counted)."""
    for path in (Path(ev_platform.__file__).parent / "defs").rglob("assets.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = [
                    part
                    for part in node.body
                    if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
                ]
                assert body[-1].end_lineno - body[0].lineno + 1 <= MOST_LINES, f"{path.name}:{node.name}"


def test_schedules_and_sensors_run_without_being_toggled(definitions):
    running = {dg.DefaultScheduleStatus.RUNNING, dg.DefaultSensorStatus.RUNNING}
    repository = definitions.get_repository_def()
    off = {f"pull_{provider}" for provider in PROVIDERS}  # until the provider is configured
    off |= {s.name for s in repository.schedule_defs if s.name.startswith("energy_")}  # EV_ENERGY_SCHEDULES
    for instigator in [*repository.schedule_defs, *repository.sensor_defs]:
        assert (instigator.default_status in running) is (instigator.name not in off), instigator.name
    assert {s.name for s in repository.sensor_defs} == {
        "insights",
        "insights_freshness",
        "kafka_lag",
        "late_data",
        "market_new_raw",
        "run_failure",
        "run_recovery",
        "platform_health",
        "telematics_lag",
    }
    assert {s.name for s in repository.schedule_defs} - off == {
        "market_monthly",
        "nightly",
        "purge_drain_runs",
        "telematics_nightly",
        "vehicle_registry",
    }

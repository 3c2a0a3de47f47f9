"""Result assets through Dagster: tables are filed, checks pass on good tables and fail on each kind of fault."""

import dagster as dg
import pyarrow as pa
import pytest

from ev_platform.defs.lake.assets import cleaned, compressed, segments
from ev_platform.defs.platform import Platform
from ev_platform.defs.resources import resources_for
from ev_platform.defs.results.assets import battery_health, sessions
from ev_platform.defs.results.checks import check_tables
from ev_platform.defs.results.history import HISTORY_KEYS, TABLES, history_tables
from ev_platform.defs.results.usage import DAILY_KEYS, daily_results
from ev_platform.engine.results_rules import RULES
from ev_platform.lake import schemas
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import load_settings
from ev_platform.usage.day import DAILY_TABLES
from ev_platform_tests.engine.fleet_lake import DAYS, fill_fleet

SCHEMAS = DAILY_TABLES | {row.name: row.schema for row in TABLES} | {"battery_health": schemas.BATTERY_HEALTH}
RANGE = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, results of three runs): a range of days, their month, the whole history."""
    folder = tmp_path_factory.mktemp("results") / "lake"
    fill_fleet(ObjectStore(str(folder)))
    resources = resources_for(Platform(load_settings(lake_url=str(folder), workers=1)))
    with dg.instance_for_test() as instance:
        chain = [compressed, cleaned, segments, sessions, daily_results]
        runs = [
            dg.materialize(chain, instance=instance, resources=resources, tags=RANGE),
            dg.materialize([battery_health], instance=instance, resources=resources, partition_key="2026-11"),
            dg.materialize(history_tables, instance=instance, resources=resources),
        ]
    return folder, runs


def test_every_table_is_filed_and_every_check_passes(made):
    folder, runs = made
    assert all(run.success for run in runs)
    keys = set(ObjectStore(str(folder)).keys("results"))
    for name in DAILY_KEYS:
        assert {f"results/{name}/date={day}/part-0000.parquet" for day in DAYS} <= keys
    for key in HISTORY_KEYS:
        assert f"results/{key.path[-1]}/part-0000.parquet" in keys
    checks = [found for run in runs for found in run.get_asset_check_evaluations()]
    ours = [found for found in checks if found.asset_key.path[-1] in RULES]
    assert len(ours) == 2 * len(RULES)
    assert [found for found in checks if not found.passed] == []


def test_each_day_of_a_range_has_its_own_row_count(made):
    folder, (days, _, _) = made
    events = [
        event.step_materialization_data.materialization
        for event in days.filter_events(lambda e: e.is_step_materialization)
    ]
    trips = {
        e.partition: e.metadata["dagster/partition_row_count"].value for e in events if e.asset_key.path[-1] == "trips"
    }
    store = ObjectStore(str(folder))
    for day in DAYS:
        table = from_parquet(store.get(f"results/trips/date={day}/part-0000.parquet"))
        assert trips[day] == table.num_rows


def test_rules_name_columns_that_exist():
    assert set(RULES) == set(SCHEMAS)
    for name, rules in RULES.items():
        named = {*rules.key, *rules.ranges, *rules.required, *(c for group in rules.rising for c in group)}
        assert named <= set(SCHEMAS[name].names), name


def results_of(name, table):
    key = dg.AssetKey(["results", name])
    return {found.check_name: found.passed for found in check_tables(key, {"x": table})}


def good_row(name):
    """A row of a table that breaks no rule: every ranged value in its middle."""
    rules, schema = RULES[name], SCHEMAS[name]
    row = {}
    for field in schema:
        if field.name in rules.ranges:
            low, high = rules.ranges[field.name]
            row[field.name] = (low + high) / 2 if pa.types.is_floating(field.type) else int((low + high) / 2)
        elif pa.types.is_string(field.type):
            row[field.name] = "x"
        elif pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
            row[field.name] = 50
        elif pa.types.is_list(field.type):
            row[field.name] = []
        elif pa.types.is_boolean(field.type):
            row[field.name] = False
        else:
            row[field.name] = 0
    return row


def table_of(name, *rows):
    return pa.Table.from_pylist(list(rows), schema=SCHEMAS[name])


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_check_can_fail(name):
    """A repeated key, a missing key, each range left on either side, each order turned round."""
    rules, row = RULES[name], _ordered(name, good_row(name))
    assert results_of(name, table_of(name, row)) == {"unique_keys": True, "plausible_values": True}
    assert not results_of(name, table_of(name, row, row))["unique_keys"]
    for column in {*rules.key, *rules.required}:
        assert not results_of(name, table_of(name, row | {column: None}))["unique_keys"], column
    for column, (low, high) in rules.ranges.items():
        whole = pa.types.is_integer(SCHEMAS[name].field(column).type)
        for wrong in (low - 1, high + 1, *(() if whole else (float("nan"),))):
            value = int(wrong) if whole else wrong
            assert not results_of(name, table_of(name, row | {column: value}))["plausible_values"], (column, wrong)
    for group in rules.rising:
        turned = row | {group[0]: row[group[-1]], group[-1]: row[group[0]]}
        assert not results_of(name, table_of(name, turned))["plausible_values"], group


def _ordered(name, row):
    """The row with every rising group really rising, inside the ranges."""
    for group in RULES[name].rising:
        ranged = [column for column in group if column in RULES[name].ranges]
        start = row[ranged[0]] if ranged else 1
        at = group.index(ranged[0]) if ranged else 0
        for step, column in enumerate(group):
            row[column] = start + (step - at)
    return row


def test_battery_health_without_a_number_breaks_no_rule():
    row = dict.fromkeys(schemas.BATTERY_HEALTH.names) | {
        "vin": "A",
        "month": "2026-11",
        "method": "pooled",
        "reasons": ["too_little_evidence"],
    }
    assert results_of("battery_health", table_of("battery_health", row)) == {
        "unique_keys": True,
        "plausible_values": True,
    }


def test_schemas_describe_every_column():
    for schema in SCHEMAS.values():
        for field in schema:
            assert field.metadata[b"description"], field.name

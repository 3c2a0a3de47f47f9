"""Every SQL of docs/query.md: DuckDB's answer is that of the files, Athena takes text and values; every table of the
assets can be asked and is in Glue."""

import json
import re
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import ev_platform
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.health import health_month
from ev_platform.engine.sessions import stitch_days
from ev_platform.lake.layout import part_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.query.athena_engine import AthenaEngine
from ev_platform.query.catalogue import TableSpec, find, tables
from ev_platform.query.duckdb_engine import DuckDBEngine
from ev_platform.query.glue import sync
from ev_platform_tests.engine.fleet_lake import DAYS, fill_fleet
from ev_platform_tests.engine.lakes import small_settings
from ev_platform_tests.query.test_athena import athena_settings, queue

ROOT = Path(ev_platform.__file__).parent.parent
PAGE = (ROOT / "docs" / "query.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"Values: ([^\n]+)\n\n```sql\n(.+?)\n```", re.DOTALL)


def documented():
    """(values, text) of every SQL of the page."""
    return [(re.findall(r"`([^`]+)`", values), text) for values, text in BLOCK.findall(PAGE)]


QUESTIONS = {re.search(r"FROM (\w+)", text)[1]: (values, text) for values, text in documented()}


def test_the_page_has_its_questions_and_every_one_is_found():
    assert len(QUESTIONS) == len(documented()) == PAGE.count("```sql") == 5
    assert {"segments", "cleaned", "results_sessions", "results_battery_health", "results_cleaning"} == set(QUESTIONS)


@pytest.fixture(scope="module")
def lake():
    """A small fleet, from raw to battery health."""
    store = ObjectStore("memory://")
    fill_fleet(store)
    settings = small_settings(store)
    for day in DAYS:
        compact_day(settings, store, day)
        clean_day(settings, store, day)
        segment_day(settings, store, day)
    stitch_days(settings, store, list(DAYS))
    for month in {day[:7] for day in DAYS}:
        store.put(part_key("results/battery_health", month), to_parquet(health_month(settings, store, month)))
    return store


def rows(lake, name):
    """The whole table by its files, with the partition columns of their paths."""
    spec = find(name)
    found = []
    for key in lake.keys(spec.folder):
        values = spec.values_of(key)
        if values is not None:
            found.append(from_parquet(lake.get(key)).to_pandas().assign(**values))
    return pd.concat(found, ignore_index=True)


def by_hand(lake, name, values):
    """The answer by pandas."""
    frame = rows(lake, name)
    if name == "results_sessions":
        frame = frame[(frame.date == values[0]) & (frame.kind != values[1])]
        made = frame.groupby(["vin", "kind"]).agg(
            n=("kind", "size"),
            km=("distance_km", lambda x: x.sum(min_count=1)),
            kwh=("energy_kwh", lambda x: x.sum(min_count=1)),
        )
        return made.reset_index()
    if name == "results_battery_health":
        frame = frame[(frame.file_month == values[0]) & (frame.method == values[1])]
        frame = frame.sort_values(["soh_percent", "vin"], na_position="last")
        return frame[["vin", "soh_percent", "soh_sd", "n_sessions", "sum_delta_soc"]]
    if name == "cleaned":
        frame = frame[frame.date.between(*values[:2]) & (frame.charge_state == values[2])]
        frame = frame[frame.soc_percent.between(20, 80)]
        frame = frame.assign(
            soc=np.floor(frame.soc_percent / 5) * 5, kw=frame.pack_voltage_v * frame.pack_current_a / 1000
        )
        return frame.groupby("soc").agg(n=("soc", "size"), kw=("kw", "mean")).reset_index()
    if name == "results_cleaning":
        made = frame[frame.date.between(*values)].groupby(["rule", "signal"], as_index=False)["n"].sum()
        return made.sort_values(["n", "rule", "signal"], ascending=[False, True, True]).head(10)
    grouped = frame[frame.date == values[0]].groupby(["kind", "energy_method"], dropna=False)
    return grouped.agg(n=("vin", "size"), confidence=("confidence", "mean")).reset_index()


@pytest.mark.parametrize("name", QUESTIONS)
def test_duckdb_answers_what_the_files_say(lake, name):
    values, text = QUESTIONS[name]
    answer = DuckDBEngine(lake).query(text, values).table.to_pandas()
    expected = by_hand(lake, name, values)
    assert len(answer) == len(expected) > 0
    pd.testing.assert_frame_equal(answer, expected.reset_index(drop=True), check_dtype=False, rtol=1e-9)


def test_the_comparison_can_fail(lake):
    values, text = QUESTIONS["results_sessions"]
    answer = DuckDBEngine(lake).query(text, [DAYS[1], *values[1:]]).table.to_pandas()
    assert not answer.equals(by_hand(lake, "results_sessions", values))


@pytest.mark.parametrize("name", QUESTIONS)
def test_athena_takes_text_and_values_and_gives_their_types(aws, lake, name):
    values, text = QUESTIONS[name]
    settings = athena_settings(aws, athena_database="documented")
    assert sync(settings)[name] in ("created", "unchanged")
    local = DuckDBEngine(lake).query(text, values).table
    kinds = ["varchar" if str(field.type) in ("string", "large_string") else "double" for field in local.schema]
    first = ["" if value is None else str(value) for value in local.to_pylist()[0].values()]
    queue(aws, list(zip(local.schema.names, kinds, strict=True)), [first])
    answer = AthenaEngine(settings).query(text, values)
    assert answer.table.schema.names == local.schema.names
    assert answer.table.num_rows == 1
    client = boto3.client("athena", region_name="us-east-1")
    executed = [
        client.get_query_execution(QueryExecutionId=one)["QueryExecution"]
        for one in client.list_query_executions()["QueryExecutionIds"]
    ]
    (mine,) = [one for one in executed if one["Query"].strip() == text]
    assert mine["ExecutionParameters"] == [f"'{value}'" for value in values]


@pytest.mark.parametrize("name", QUESTIONS)
def test_columns_of_a_question_are_columns_in_glue(aws, name):
    settings = athena_settings(aws, athena_database="documented")
    sync(settings)
    held = boto3.client("glue", region_name="us-east-1").get_table(DatabaseName="documented", Name=name)["Table"]
    columns = {column["Name"] for column in held["StorageDescriptor"]["Columns"]}
    columns |= {key["Name"] for key in held["PartitionKeys"]}
    words = set(re.findall(r"\b[a-z_]+\b", re.sub(r"AS \w+", "", QUESTIONS[name][1])))
    functions = {"count", "sum", "avg", "min", "max", "floor"}
    aliases = set(re.findall(r"AS (\w+)", QUESTIONS[name][1]))
    assert words - functions - aliases - {name} <= columns


NO_TABLES = re.compile(r"^(raw|kafka)/|^energy/(raw/.*|live|warehouse)$|^market/raw$")
"""Assets that are not Parquet tables: messages, files as received, the warehouse's own file."""


def test_every_asset_that_is_a_table_can_be_asked():
    graph = json.loads((ROOT / "ev_platform_tests" / "defs" / "asset_graph.json").read_text())
    names = {spec.folder for spec in tables()}
    missing = {key for key in graph if not NO_TABLES.match(key) and key.removeprefix("lake/") not in names}
    assert missing == set()


def test_every_table_that_a_lake_holds_is_in_the_catalogue(lake):
    parquet = {key.rsplit("/", 1)[0] for prefix in ("cleaned", "segments", "results", "compressed", "ref")
               for key in lake.keys(prefix) if key.endswith(".parquet")}  # fmt: skip
    for folder in parquet:
        assert any(spec.values_of(f"{folder}/part-0000.parquet") is not None for spec in tables()), folder


def test_a_new_column_updates_its_table_and_no_other(aws):
    settings = athena_settings(aws, athena_database="grown")
    sync(settings)
    old = find("segments")
    grown = TableSpec(old.folder, old.schema.append(pa.field("new_kwh", pa.float64())), old.filing)
    told = sync(settings, [grown if spec.name == "segments" else spec for spec in tables()])
    assert told.pop("segments") == "updated"
    assert set(told.values()) == {"unchanged"}
    held = boto3.client("glue", region_name="us-east-1").get_table(DatabaseName="grown", Name="segments")["Table"]
    assert held["StorageDescriptor"]["Columns"][-1]["Name"] == "new_kwh"
    assert set(sync(settings, [grown]).values()) == {"unchanged"}

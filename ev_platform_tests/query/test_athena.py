"""Athena and Glue against moto: tables from the schemas of the files, values as literals, bytes scanned."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import boto3
import duckdb
import pyarrow as pa
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import ev_platform
from ev_platform.errors import UserError
from ev_platform.query.athena_engine import AthenaEngine
from ev_platform.query.catalogue import Filing, TableSpec, find, tables
from ev_platform.query.engine import QueryError, open_engine
from ev_platform.query.glue import athena_type, ddl, ddl_files, projection, sync, table_input
from ev_platform.query.literals import literal
from ev_platform.query.questions import BRAND_STORY
from ev_platform.settings import load_settings
from ev_platform_tests.query.test_duckdb import INJECTIONS

DOCS = Path(ev_platform.__file__).parent.parent / "docs" / "ddl"


def athena_settings(aws, **changes):
    return load_settings(
        lake_url=f"{aws}/lake",
        query_engine="athena",
        athena_staging_url=f"{aws}/athena-results/",
        athena_region="us-east-1",
        **changes,
    )


@pytest.fixture
def glue(aws):
    return boto3.client("glue", region_name="us-east-1")


# -- Glue -------------------------------------------------------------------------------------------------------------


def test_tables_are_created_once_then_left_alone_then_updated(aws, glue):
    settings = athena_settings(aws, athena_database="fresh")
    assert set(sync(settings).values()) == {"created"}
    assert set(sync(settings).values()) == {"unchanged"}
    older = find("market_brand_peers")
    shorter = TableSpec(older.folder, pa.schema(list(older.schema)[:2]))
    assert sync(settings, [shorter]) == {"market_brand_peers": "updated"}
    assert sync(settings)["market_brand_peers"] == "updated"


def test_what_glue_holds_is_what_the_files_hold(aws, glue):
    settings = athena_settings(aws, athena_database="held")
    sync(settings)
    for table in tables():
        held = glue.get_table(DatabaseName="held", Name=table.name)["Table"]
        columns = {column["Name"]: column["Type"] for column in held["StorageDescriptor"]["Columns"]}
        assert columns == {field.name: athena_type(field.type) for field in table.schema}
        assert [key["Name"] for key in held["PartitionKeys"]] == [name for name, *_ in table.partitions]
        assert not set(columns) & {key["Name"] for key in held["PartitionKeys"]}, "Athena refuses a name twice"
        assert held["StorageDescriptor"]["Location"] == f"{aws}/lake/{table.folder}/"


@pytest.mark.parametrize(
    ("name", "values", "key"),
    [
        ("cleaned", {"date": "2026-11-01"}, "cleaned/date=2026-11-01/"),
        ("compressed", {"date": "2026/11/01"}, "compressed/2026/11/01/"),
        ("results_battery_health", {"file_month": "2026-11"}, "results/battery_health/month=2026-11/"),
        ("market_sales", {"year": "2015", "month": "02"}, "market/sales/year=2015/month=02/"),
    ],
)
def test_a_projected_partition_is_the_folder_where_the_writer_puts_it(name, values, key):
    table = find(name)
    template = projection(table, "s3://b/p", "2026-01-01")["storage.location.template"]
    folder = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], template)
    assert folder == f"s3://b/p/{key}"
    assert table.values_of(f"{key}part-0000.parquet") is not None


def test_projected_partitions_need_a_rule_for_each_column():
    for table in tables():
        properties = projection(table, "s3://b", "2026-01-01")
        for name, *_ in table.partitions:
            assert f"projection.{name}.type" in properties
            assert f"projection.{name}.range" in properties
        assert bool(properties) == (table.filing is not Filing.WHOLE)


def test_types_that_athena_does_not_have_are_refused():
    assert athena_type(pa.list_(pa.string())) == "array<string>"
    assert athena_type(pa.timestamp("us", "UTC")) == "timestamp"
    with pytest.raises(ValueError, match="no type"):
        athena_type(pa.duration("s"))


def test_a_lake_on_a_folder_cannot_be_asked_by_athena(tmp_path):
    with pytest.raises(UserError, match="EV_LAKE_URL=s3"):
        sync(load_settings(lake_url=str(tmp_path)))
    with pytest.raises(UserError, match="EV_ATHENA_STAGING_URL"):
        open_engine(load_settings(query_engine="athena"))


# -- DDL --------------------------------------------------------------------------------------------------------------


def test_the_files_in_docs_are_those_of_the_schemas():
    """Written by `ev query ddl docs/ddl`: a schema that changed without them fails here."""
    assert {file.name: file.read_text(encoding="utf-8") for file in DOCS.glob("*.sql")} == dict(ddl_files())


def test_the_text_and_the_api_say_the_same():
    for table in tables():
        text, described = ddl(table, "s3://b/p"), table_input(table, "s3://b/p", "2010-01-01")
        columns = re.findall(r"^  `(\w+)` (\S+?)(?: COMMENT .*?)?,?$", text, re.MULTILINE)
        wanted = [
            (c["Name"], c["Type"]) for c in [*described["StorageDescriptor"]["Columns"], *described["PartitionKeys"]]
        ]
        assert columns == wanted
        properties = dict(re.findall(r"^  '([^']+)' = '([^']+)'", text, re.MULTILINE))
        assert properties == described["Parameters"]


def test_moto_takes_the_text_as_athena_would(aws):
    client = boto3.client("athena", region_name="us-east-1")
    answer = client.start_query_execution(
        QueryString=ddl(find("market_sales"), aws), ResultConfiguration={"OutputLocation": f"{aws}/athena-results/"}
    )
    state = client.get_query_execution(QueryExecutionId=answer["QueryExecutionId"])["QueryExecution"]["Status"]["State"]
    assert state == "SUCCEEDED"


# -- literals ---------------------------------------------------------------------------------------------------------


def through_parser(text):
    """What a SQL parser makes of one literal: an independent reader of what `literal` writes."""
    with duckdb.connect() as connection:
        statements = connection.extract_statements(f"SELECT {text}")
        assert len(statements) == 1
        rows = connection.execute(f"SELECT {text}").fetchall()
        assert len(rows) == len(rows[0]) == 1
        return rows[0][0]


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_text_is_one_literal_whatever_it_holds(value):
    assert through_parser(literal(value)) == value


@given(
    st.one_of(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
        st.integers(),
        st.booleans(),
        st.none(),
    )
)
@settings(max_examples=100, deadline=None)
def test_any_value_is_one_literal(value):
    back = through_parser(literal(value))
    assert back == value or (isinstance(value, int) and int(back) == value)


def test_numbers_dates_and_times():
    assert through_parser(literal(0.1 + 0.2)) == 0.1 + 0.2
    assert through_parser(literal(date(2015, 2, 3))) == date(2015, 2, 3)
    assert literal(datetime(2015, 2, 3, 4, 5, 6, 7, tzinfo=UTC)) == "TIMESTAMP '2015-02-03 04:05:06.000007 UTC'"
    for wrong in (float("nan"), float("inf"), "a\x00b"):
        with pytest.raises(QueryError):
            literal(wrong)


# -- Athena -----------------------------------------------------------------------------------------------------------


def queue(aws, columns, rows):
    """What moto answers to the next question."""
    endpoint = boto3.client("s3").meta.endpoint_url
    info = [
        {"CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": n, "Label": n, "Type": kind, "Precision": 0,
         "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": False}
        for n, kind in columns
    ]  # fmt: skip
    head = {"Data": [{"VarCharValue": name} for name, _ in columns]}
    data = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
    body = {"results": [{"rows": [head, *data], "column_info": info}]}
    assert requests.post(f"{endpoint}/moto-api/static/athena/query-results", json=body, timeout=10).status_code == 201


def test_a_question_goes_to_athena_with_its_values_beside_the_text(aws):
    queue(aws, [("release_year", "integer"), ("mean_price_usd", "double")], [["2014", "17000.5"], ["2015", None]])
    value = INJECTIONS[2]
    answer = AthenaEngine(athena_settings(aws)).query(BRAND_STORY.sql, [value, 2000, 2015])
    assert answer.table.to_pylist() == [
        {"release_year": 2014, "mean_price_usd": 17000.5},
        {"release_year": 2015, "mean_price_usd": None},
    ]
    assert answer.table.schema.types == [pa.int32(), pa.float64()]
    assert answer.engine == "athena"
    assert answer.bytes_scanned >= 0
    client = boto3.client("athena", region_name="us-east-1")
    executed = [
        client.get_query_execution(QueryExecutionId=i)["QueryExecution"]
        for i in client.list_query_executions()["QueryExecutionIds"]
    ]
    (mine,) = [e for e in executed if e["Query"].strip() == BRAND_STORY.sql]
    assert value not in mine["Query"]
    assert mine["ExecutionParameters"] == ["'''; DROP TABLE market_sales; --'", "2000", "2015"]
    assert mine["QueryExecutionContext"]["Database"] == "ev_platform"


def test_the_same_rules_hold_for_the_text(aws):
    engine = AthenaEngine(athena_settings(aws))
    for text in ("DROP TABLE x", "SELECT 'x'", "SELECT 1; SELECT 2"):
        with pytest.raises(QueryError):
            engine.query(text)
    with pytest.raises(QueryError):
        engine.query("SELECT ?", [])

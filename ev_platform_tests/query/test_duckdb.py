"""DuckDB on the lake: right rows on every store, pruned reads, values that never become SQL, no way out of the lake."""

import os
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.query.catalogue import find, tables
from ev_platform.query.duckdb_engine import DuckDBEngine
from ev_platform.query.engine import QueryError, checked, open_engine
from ev_platform.query.questions import BRAND_STORY, QUESTIONS, SALES_OF_MONTH
from ev_platform.settings import load_settings

INJECTIONS = [
    "O'Brien",
    "x' OR '1'='1",
    "'; DROP TABLE market_sales; --",
    "Kia' UNION SELECT vin FROM market_sales --",
    '" OR 1=1',
    "\\' OR 1=1 --",
    "$1",
    "?",
    "%' OR '%'='",
    "/* */",
    "",
]


@pytest.fixture(scope="module")
def engine(folder_lake):
    return DuckDBEngine(folder_lake)


# -- right rows -------------------------------------------------------------------------------------------------------


def test_a_brand_story_is_that_of_pandas_on_every_store(lake, refined):
    answer = DuckDBEngine(lake).query(BRAND_STORY.sql, ["Ford", 2008, 2014])
    frame = refined.sales.to_pandas()
    frame = frame[(frame.make == "Ford") & frame.release_year.between(2008, 2014)]
    expected = frame.groupby("release_year").agg(n=("vin", "size"), mean=("selling_price_usd", "mean"))
    made = answer.table.to_pandas()
    assert made.release_year.tolist() == expected.index.tolist()
    assert made.n_sales.tolist() == expected.n.tolist()
    assert made.mean_price_usd.to_numpy() == pytest.approx(expected["mean"].to_numpy())
    assert answer.engine == "duckdb"
    assert answer.bytes_scanned > 0


def test_partition_columns_are_those_of_the_path(engine, refined):
    table = engine.query("SELECT year, month, count(*) AS n FROM market_sales GROUP BY year, month ORDER BY 1, 2").table
    found = {f"{row['year']}-{row['month']:02d}": row["n"] for row in table.to_pylist()}
    assert found == refined.months


def test_every_question_can_be_asked(engine):
    samples = {"make": "Ford", "level": "make", "vin": "V", "most": 3, "year": 2015, "month": 2}
    samples |= {"first_release_year": 2000, "last_release_year": 2015}
    samples |= {"first_day": "2026-11-01", "last_day": "2026-11-03"}
    for name, question in QUESTIONS.items():
        assert engine.query(question.sql, [samples[value] for value in question.values]).table.num_columns, name


def test_a_table_that_was_never_made_has_columns_and_no_rows():
    engine = DuckDBEngine(ObjectStore("memory://"))
    for table in tables():
        answer = engine.query(f"SELECT * FROM {table.name}")
        assert answer.table.num_rows == answer.bytes_scanned == 0
        assert answer.table.column_names == table.columns.names


def test_a_column_that_older_files_lack_is_null(tmp_path):
    store = ObjectStore(str(tmp_path))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"make": ["Kia"]}), sink)
    store.put("market/brand_peers/part-0000.parquet", bytes(sink.getvalue()))
    rows = DuckDBEngine(store).query("SELECT make, n_sales FROM market_brand_peers").table.to_pylist()
    assert rows == [{"make": "Kia", "n_sales": None}]


# -- what is read -----------------------------------------------------------------------------------------------------


def test_partitions_that_a_value_excludes_are_not_opened(engine, folder_lake):
    whole = engine.query("SELECT sum(selling_price_usd) FROM market_sales").bytes_scanned
    month = engine.query("SELECT sum(selling_price_usd) FROM market_sales WHERE year = ? AND month = ?", [2014, 1])
    size = sum(folder_lake.size(key) for key in folder_lake.keys("market/sales/year=2014/month=01"))
    assert 0 < month.bytes_scanned < size * 2, "the columns asked for, and its footer twice at most"
    assert month.bytes_scanned < whole / 4
    assert engine.query("SELECT count(*) FROM market_sales WHERE year = ?", [1999]).bytes_scanned == 0


def test_columns_that_are_not_asked_for_are_not_read(refined):
    store = ObjectStore("memory://")
    store.put("market/sales/year=2015/month=02/part-0000.parquet", to_parquet(pa.concat_tables([refined.sales] * 20)))
    engine = DuckDBEngine(store)
    one = engine.query("SELECT max(grade) FROM market_sales").bytes_scanned
    every = engine.query("SELECT * FROM market_sales").bytes_scanned
    assert one < every / 3


# -- values never become SQL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", INJECTIONS)
def test_a_value_is_only_ever_a_value(engine, value):
    count = "SELECT count(*) AS n FROM market_sales WHERE make = ?"
    assert engine.query(count, [value]).table["n"].to_pylist() == [0]
    assert engine.query("SELECT ? AS back", [value]).table["back"].to_pylist() == [value]


def test_the_injection_test_can_fail(folder_lake):
    """The same value pasted into the text, as code must never do it, does select every sale."""
    pasted = f"SELECT count(*) AS n FROM market_sales WHERE make = '{INJECTIONS[1]}'"
    assert DuckDBEngine(folder_lake).query(pasted, literals=True).table["n"].to_pylist() != [0]
    with pytest.raises(QueryError, match="as parameters"):
        DuckDBEngine(folder_lake).query(pasted)


@given(
    st.one_of(
        st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False), st.dates(), st.none()
    )
)
@settings(max_examples=60, deadline=None)
def test_any_value_comes_back_as_it_went(value):
    answer = DuckDBEngine(ObjectStore("memory://")).query("SELECT ? AS back", [value])
    assert answer.table["back"].to_pylist() == [value]


def test_times_are_asked_in_utc(engine):
    moment = datetime(2015, 2, 3, 4, 5, tzinfo=UTC)
    assert engine.query("SELECT ? AS back", [moment]).table["back"].to_pylist() == [moment]
    with pytest.raises(QueryError, match="zone"):
        engine.query("SELECT ?", [datetime(2015, 1, 1)])  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DROP TABLE market_sales",
        "INSERT INTO market_sales VALUES (1)",
        "SELECT 1; SELECT 2",
        "SELECT 1 -- comment",
        "SELECT /* hidden */ 1",
        "SELECT 'literal'",
        "SELECT $$literal$$",
        "SELECT 'open",
        "COPY market_sales TO ?",
        "WITH x AS (SELECT 1) DELETE FROM x",
        "SET threads = 1",
        "PRAGMA version",
    ],
)
def test_anything_but_one_plain_select_is_refused(engine, text):
    with pytest.raises(QueryError):
        engine.query(text, ["x"] * text.count("?"))


@pytest.mark.parametrize(("text", "values"), [("SELECT ?", []), ("SELECT 1", [1]), ("SELECT ?, ?", [1])])
def test_as_many_values_as_marks(engine, text, values):
    with pytest.raises(QueryError, match="values were given"):
        engine.query(text, values)


def test_marks_inside_names_and_allowed_literals_are_not_counted():
    assert checked('SELECT "a?b" FROM t WHERE x = ?', [1], literals=False)
    assert checked("SELECT 'a?b' FROM t WHERE x = ?", [1], literals=True)
    assert checked("SELECT 'it''s; -- fine' FROM t", [], literals=True)


@pytest.mark.parametrize("value", [b"x", [1], {"a": 1}, object()])
def test_values_of_other_types_are_refused(engine, value):
    with pytest.raises(QueryError, match="type"):
        engine.query("SELECT ?", [value])


# -- no way out of the lake -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv(?)",
        "SELECT * FROM read_text(?)",
        "SELECT * FROM read_parquet(?)",
        "SELECT * FROM glob(?)",
        "SELECT getenv(?)",
        'SELECT * FROM "/etc/passwd" WHERE ? IS NOT NULL',
    ],
)
def test_files_and_the_environment_cannot_be_reached(engine, text, tmp_path):
    file = tmp_path / "secret.csv"
    file.write_text("a\nsecret\n")
    os.environ["SECRET_NAME"] = "secret"
    with pytest.raises(QueryError) as error:
        engine.query(text, ["SECRET_NAME" if "getenv" in text else str(file)])
    assert "secret\n" not in str(error.value)


def test_variables_of_the_process_cannot_be_reached(engine):
    hidden = pa.table({"a": [1]})
    with pytest.raises(QueryError, match="hidden"):
        engine.query("SELECT * FROM hidden")
    assert hidden.num_rows == 1


def test_an_error_is_one_line(engine):
    with pytest.raises(QueryError) as error:
        engine.query("SELECT nothing FROM market_sales")
    assert "\n" not in str(error.value)


# -- the catalogue ----------------------------------------------------------------------------------------------------


def test_names_are_unique_and_folders_are_in_the_layout():
    names = [table.name for table in tables()]
    assert len(set(names)) == len(names)
    for table in tables():
        assert len(set(table.columns.names)) == len(table.columns.names), table.name
    assert find("market_sales").folder == "market/sales"
    assert find("nothing") is None


@pytest.mark.parametrize(
    ("name", "key", "values"),
    [
        ("compressed", "compressed/2026/11/01/V.parquet", {"date": "2026-11-01"}),
        ("cleaned", "cleaned/date=2026-11-01/part-0000.parquet", {"date": "2026-11-01"}),
        ("results_battery_health", "results/battery_health/month=2026-11/part-0000.parquet", {"file_month": "2026-11"}),
        ("market_sales", "market/sales/year=2015/month=02/part-0000.parquet", {"year": 2015, "month": 2}),
        ("ref_vehicles", "ref/vehicles/part-0000.parquet", {}),
        ("market_sales", "market/sales/part-0000.parquet", None),
        ("market_sales", "market/sales/year=2015/month=02/notes.txt", None),
        ("market_sales", "market/sales_by_state/part-0000.parquet", None),
    ],
)
def test_partition_values_of_a_key(name, key, values):
    assert find(name).values_of(key) == values


def test_the_engine_of_the_settings(tmp_path):
    engine = open_engine(load_settings(lake_url=str(tmp_path)))
    assert engine.name == "duckdb"
    assert engine.query(SALES_OF_MONTH.sql, [2015, 1]).table.num_rows == 0
    assert engine.query("SELECT ? AS d", [date(2026, 1, 1)]).table["d"].to_pylist() == [date(2026, 1, 1)]

"""`ev market` and `ev query` as people type them."""

import subprocess
import sys

import pytest

from ev_platform.commands.query import as_value
from ev_platform.simulate.sales import Market
from ev_platform.simulate.sales_file import write_sales


def ev(folder, *words):
    command = [sys.executable, "-m", "ev_platform.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.integration
def test_a_local_copy_to_marts_and_a_question_about_them(tmp_path):
    file = write_sales(Market(sales=800, seed=9))
    (tmp_path / "sales.csv").write_bytes(file.data)
    made = ev(tmp_path, "market", "run", "--csv", "sales.csv")
    assert made.returncode == 0, made.stderr
    assert f"{file.expected.num_rows:,} sales" in made.stdout
    text = "SELECT count(*) AS n FROM market_sales WHERE make = ? AND year = ?"
    asked = ev(tmp_path, "query", "sql", text, "Ford", "2015")
    fords = [row for row in file.expected.to_pylist() if row["make"] == "Ford" and row["sold_at"].year == 2015]
    assert asked.returncode == 0, asked.stderr
    assert str(len(fords)) in asked.stdout
    assert "bytes scanned" in asked.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("market", "run", "--csv", "nothing.csv"), "nothing.csv cannot be read"),
        (("market", "run"), "KAGGLE_API_TOKEN"),
        (("query", "sql", "DROP TABLE market_sales"), "only SELECT"),
        (("query", "sql", "SELECT * FROM nowhere"), "nowhere"),
        (("query", "sync"), "EV_LAKE_URL=s3"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line(tmp_path, words, said):
    shown = ev(tmp_path, *words)
    assert shown.returncode == 1
    assert said in shown.stderr
    assert shown.stderr.count("\n") == 1, shown.stderr


def test_tables_and_ddl(tmp_path):
    assert "market_sales" in ev(tmp_path, "query", "tables").stdout
    assert ev(tmp_path, "query", "ddl", "out").returncode == 0
    assert (tmp_path / "out" / "market_sales.sql").read_text().startswith("CREATE EXTERNAL TABLE")


def test_words_as_values():
    assert [as_value(word) for word in ("7", "7.5", "x7", "")] == [7, 7.5, "x7", ""]

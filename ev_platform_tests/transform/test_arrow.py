"""Arrow to NumPy and back over buffers equals pyarrow's own conversions, and needs no pandas."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.transform import arrow

SMALL = st.integers(-(2**40), 2**40)
LISTS = {
    pa.float64(): st.lists(st.none() | st.floats(allow_nan=False)),
    pa.int64(): st.lists(st.none() | SMALL),
    pa.bool_(): st.lists(st.none() | st.booleans()),
    pa.string(): st.lists(st.none() | st.sampled_from(["", "a", "ä", "Zürich", "a\0b"])),
}


def cut(data, values, kind):
    """The values as a column in chunks, sliced so that its buffers begin before it."""
    chunks = [pa.array([*values, *values][: len(values) + 3], kind)[: len(values)], pa.array([None, *values], kind)[1:]]
    return pa.chunked_array([chunk for chunk in chunks if data.draw(st.booleans())] or chunks[:1], kind)


@given(st.data(), LISTS[pa.float64()])
def test_floats(data, values):
    column = cut(data, values, pa.float64())
    wanted = [np.nan if v is None else v for v in column.to_pylist()]
    np.testing.assert_array_equal(arrow.floats(column), wanted)
    assert arrow.from_floats(arrow.floats(column)).to_pylist() == column.to_pylist()
    assert arrow.known(column).tolist() == [v is not None for v in column.to_pylist()]


@given(st.data(), LISTS[pa.int64()])
def test_ints(data, values):
    column = cut(data, values, pa.int64())
    assert arrow.ints(column, missing=-7).tolist() == [-7 if v is None else v for v in column.to_pylist()]
    assert arrow.from_ints(arrow.ints(column, missing=0)).to_pylist() == [v or 0 for v in column.to_pylist()]


@given(st.data(), LISTS[pa.bool_()])
def test_bools(data, values):
    column = cut(data, values, pa.bool_())
    listed = column.to_pylist()
    assert arrow.bools(column).tolist() == [bool(v) for v in listed]
    missing = np.array([v is None for v in listed], dtype=bool)
    assert arrow.from_bools(arrow.bools(column), missing).to_pylist() == listed


@given(LISTS[pa.string()])
def test_words(values):
    assert arrow.from_words(values).to_pylist() == values
    assert arrow.from_words(values).type == pa.string()
    present = [v for v in values if v is not None]
    assert arrow.from_strings(present).to_pylist() == present
    arrow.from_words(values).validate(full=True)


def test_lists():
    found = arrow.from_lists([2, 0, 1], arrow.from_words(["a", "b", "a"]))
    assert found.to_pylist() == [["a", "b"], [], ["a"]]


def test_narrow_numbers_and_times_are_widened():
    assert arrow.ints(pa.array([1, None], pa.int16())).tolist() == [1, -1]
    assert arrow.floats(pa.array([1, None], pa.int8())).tolist()[0] == 1.0
    assert arrow.ints(pa.array([5], pa.timestamp("us", tz="UTC"))).tolist() == [5]


CLEAN_A_DAY = """
import sys
from ev_platform.engine.pool import prepare_worker
prepare_worker()
import json, pyarrow.parquet as pq
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
compressed, vehicles = pq.ParquetFile(sys.argv[1]).read(), pq.ParquetFile(sys.argv[2]).read()
cleaned = clean(compressed, vehicles)
pieces = segment(cleaned.table, sys.argv[3], vehicles)
assert cleaned.table.num_rows > 100 and pieces.num_rows > 1 and cleaned.counts.num_rows
"""


@pytest.mark.parametrize(("more", "loaded"), [("", []), ("import pyarrow; pyarrow.array([1])", ["pandas"])])
def test_a_worker_that_cleans_and_segments_loads_neither_pandas_nor_polars(tmp_path, more, loaded):
    import pyarrow.parquet as pq

    from ev_platform_tests.transform.faults import damage
    from ev_platform_tests.transform.fleet import DAY, commuter, compressed, vehicles

    lives = [damage(commuter(i, period_s=60), 1, rate=0.02) for i in range(2)]
    pq.write_table(compressed(lives, DAY), tmp_path / "compressed.parquet")
    pq.write_table(vehicles(lives), tmp_path / "vehicles.parquet")
    tell = "\nprint(sorted({'pandas', 'polars'} & set(sys.modules)))"
    code = [sys.executable, "-c", CLEAN_A_DAY + more + tell]
    arguments = [str(tmp_path / "compressed.parquet"), str(tmp_path / "vehicles.parquet"), DAY]
    done = subprocess.run([*code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(loaded)

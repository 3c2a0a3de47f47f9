"""Parts of a day: bytes depend on the rows alone, and vehicles come back whole."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.engine import parts
from ev_platform.engine.items import TaskError
from ev_platform.engine.parts import PartWriter, read_part, replace_part, vehicle_batches
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet

SCHEMA = pa.schema(
    [pa.field("vin", pa.string()), pa.field("n", pa.int64()), pa.field("flags", pa.list_(pa.string()))],
    metadata={"k": "v"},
)


def table(lengths):
    """One vehicle per length, with that many rows."""
    vins = [f"V{number:03d}" for number, length in enumerate(lengths) for _ in range(length)]
    flags = [["x"] * (n % 3) for n in range(len(vins))]
    return pa.table([vins, list(range(len(vins))), flags], schema=SCHEMA)


def written(whole, cuts):
    writer = PartWriter(SCHEMA)
    bounds = sorted({0, *(min(cut, len(whole)) for cut in cuts), len(whole)})
    for start, end in pairwise(bounds):
        writer.add(whole.slice(start, end - start))
    return writer.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=12),
    st.lists(st.integers(0, 100), max_size=5),
    st.integers(1, 20),
    st.integers(1, 5),
    st.sets(st.integers(0, 12)),
)
def test_rows_come_back_as_whole_vehicles_whatever_the_cuts(lengths, cuts, group, batch, chosen):
    whole = table(lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "ROW_GROUP_ROWS", group)
        data = written(whole, cuts)
        assert data == written(whole, [])
    found = list(vehicle_batches(data, batch))
    assert pa.concat_tables(found).equals(whole)
    assert [len(part["vin"].unique()) for part in found[:-1]] == [batch] * (len(found) - 1)
    seen = [vin for part in found for vin in part["vin"].unique().to_pylist()]
    assert len(seen) == len(set(seen)) == len(lengths)

    wanted = [f"V{number:03d}" for number in sorted(chosen)]
    some = list(vehicle_batches(data, batch, ["n", "vin", "no_such_column"], wanted))
    rows = [row for row in whole.to_pylist() if row["vin"] in wanted]
    assert [row["n"] for part in some for row in part.to_pylist()] == [row["n"] for row in rows]
    assert all(set(part.column_names) == {"n", "vin"} for part in some)


def test_a_part_is_what_the_one_writer_of_tables_would_write():
    whole = table([3, 5, 2])
    assert written(whole, [4]) == to_parquet(whole)


def test_no_rows_make_no_part(tmp_path):
    store = ObjectStore(str(tmp_path))
    assert PartWriter(SCHEMA).close() is None
    assert replace_part(store, "a/part.parquet", None) == (0, 0)
    assert replace_part(store, "a/part.parquet", b"x") == (1, 0)
    assert replace_part(store, "a/part.parquet", b"x") == (0, 0)
    assert replace_part(store, "a/part.parquet", None) == (0, 1)
    assert store.keys("") == []


def test_a_part_that_is_not_parquet_is_named(tmp_path):
    store = ObjectStore(str(tmp_path))
    store.put("a/part.parquet", b"no")
    with pytest.raises(TaskError, match=r"a/part\.parquet cannot be read"):
        list(read_part(store, "a/part.parquet", 5))
    assert list(read_part(store, "a/other.parquet", 5)) == []

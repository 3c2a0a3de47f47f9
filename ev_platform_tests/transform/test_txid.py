"""Holes in the vehicles' own numbering: found where they are, and only there."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.transform.txid import count_missing, holes, numbered

T0 = datetime(2026, 11, 1, tzinfo=UTC)
A, B = "a" * 22, "b" * 22
UUID = "9b2f7c1e-0000-4000-8000-000000000001"


def rows(*found):
    """(source, txid) pairs, a second apart."""
    return pl.DataFrame(
        [{"source": s, "txid": t, "event_time": T0 + timedelta(seconds=n)} for n, (s, t) in enumerate(found)],
        schema={"source": pl.String, "txid": pl.String, "event_time": pl.Datetime("us", "UTC")},
    )


def v(number, connection=A, source="tesla_V"):
    return source, f"{connection}-{number:09d}"


def missing(*found):
    frame = rows(*found)
    result = holes(numbered(frame))
    assert count_missing(frame.to_arrow()) == result["missing"].sum()
    return [
        (r["connection"], r["counter"], r["after"], r["before"], r["missing"]) for r in result.iter_rows(named=True)
    ]


def test_a_hole_is_named_with_both_sides_and_their_times():
    frame = rows(v(1), v(2), v(7), v(8))
    (hole,) = holes(numbered(frame)).iter_rows(named=True)
    assert hole == {
        "connection": A,
        "counter": "",
        "after": 2,
        "before": 7,
        "missing": 4,
        "from_time": T0 + timedelta(seconds=1),
        "to_time": T0 + timedelta(seconds=2),
    }


def test_order_and_repeats_do_not_matter():
    assert missing(v(3), v(1), v(2), v(2), v(3)) == []
    assert missing(v(5), v(1), v(5), v(4)) == [(A, "", 1, 4, 2)]


def test_connections_are_apart():
    assert missing(v(1), v(5, B), v(2), v(6, B)) == []


def test_one_counter_for_all_record_types():
    assert missing(v(1), v(2, source="tesla_alerts"), v(3)) == []
    assert missing(v(1), v(2, source="tesla_alerts"), v(4)) == [(A, "", 2, 4, 1)]


def test_a_number_used_by_two_types_means_two_counters():
    alerts = [v(1, source="tesla_alerts"), v(3, source="tesla_alerts")]
    assert missing(v(1), v(2), v(3), *alerts) == [(A, "tesla_alerts", 1, 3, 1)]


@pytest.mark.parametrize(
    "text", [None, "", UUID, "abc", f"{A}-12", f"{A}-0000000012", f"{A}-00000001x", f"-{1:09d}", A + "-" + "\u0661" * 9]
)
def test_what_is_no_number_is_ignored(text):
    assert missing(("tesla_V", text), v(1), v(2)) == []
    assert missing(("tesla_V", text)) == []


@settings(max_examples=100, deadline=None)
@given(
    sent=st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from(["tesla_V", "tesla_alerts"])), max_size=60),
    lost=st.sets(st.integers(0, 59)),
    shared=st.booleans(),
)
def test_exactly_the_lost_records_between_others_are_missing(sent, lost, shared):
    counters, numbers = {}, []
    for connection, source in sent:
        place = (connection, "" if shared else source)
        counters[place] = counters.get(place, 0) + 1
        numbers.append((place, source, counters[place]))
    received = [one for n, one in enumerate(numbers) if n not in lost]
    frame = rows(*(v(number, place[0], source) for place, source, number in received))
    found = int(holes(numbered(frame))["missing"].sum())
    assert count_missing(frame.to_arrow()) == found
    assert count_missing(pa.Table.from_pylist([], schema=frame.to_arrow().schema)) == 0
    if shared:  # otherwise the received ones may not tell that there are two counters
        expected = 0
        for place in counters:
            mine = [number for p, _, number in received if p == place]
            expected += max(mine) - min(mine) + 1 - len(mine) if mine else 0
        assert found == expected

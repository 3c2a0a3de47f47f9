"""Event times: one meaning, whatever the spelling."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest import event_time
from ev_platform.ingest.event_time import EventTime, broker_day, parse_event_time
from ev_platform.transform.compact_time import parse_times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    seconds=st.integers(86_400, 7_258_118_400),
    fraction=st.text("0123456789", max_size=9),
    minutes=st.integers(-23 * 60 - 59, 23 * 60 + 59) | st.none(),
)
def test_agrees_with_datetime_and_with_compaction(seconds, fraction, minutes):
    zone = UTC if minutes is None else timezone(timedelta(minutes=minutes))
    moment = datetime.fromtimestamp(seconds, zone)
    sign = "-" if minutes is not None and minutes < 0 else "+"
    offset = "Z" if minutes is None else f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    text = f"{moment:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}{offset}"
    exact = (moment - EPOCH) // timedelta(seconds=1) * 1000 + int((fraction + "000")[:3])
    parsed = parse_event_time(text)
    assert parsed == EventTime(exact, moment.astimezone(UTC).date().isoformat())
    assert parse_times([text])[0] // 10**6 == parsed.milliseconds


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:.{1,14}Z?", fullmatch=True))
def test_the_short_way_agrees_with_the_long_way(text):
    assert parse_event_time(text) == event_time._parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-01",
        "2026-11-01T10:00Z",
        "2026-11-01T10:00:00",  # no offset: whose time is it?
        "2026-11-01T10:00:00.Z",
        "2026-11-01T10:00:00.1234567890Z",
        "2026-11-01 10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T10:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-11-01T10:00:0٣Z",
        "2026-11-01T10:00:00+24:00",
        "0001-01-01T00:00:00+01:00",
        "0000-01-01T00:00:00Z",
        "20261101T100000Z",
        "2026-11-01T10:00:00Z\n",
        "1793527200",
    ],
)
def test_refuses(text):
    assert parse_event_time(text) is None


def test_cuts_and_never_rounds_over_midnight():
    assert parse_event_time("2026-11-01T23:59:59.999999999Z") == EventTime(1793577599999, "2026-11-01")
    assert parse_event_time("2026-11-02T00:30:00.5+01:00").day == "2026-11-01"
    assert parse_event_time("2026-11-01T23:30:00-01:00").day == "2026-11-02"


@pytest.mark.parametrize(
    ("milliseconds", "day"),
    [(1793491200000, "2026-11-01"), (1793491199999, "2026-10-31"), (-1, "1970-01-01"), (2**62, "9999-12-31")],
)
def test_broker_day_holds_for_whatever_a_producer_sets(milliseconds, day):
    assert broker_day(milliseconds) == day

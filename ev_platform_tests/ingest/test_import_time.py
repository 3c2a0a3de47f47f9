"""Times of imported rows against the standard library: every zone's gaps and folds, epochs digit by digit, any form."""

# ruff: noqa: DTZ001 - times of a wall clock have no zone

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest.import_mapping import TimeRule
from ev_platform.ingest.import_time import AMBIGUOUS, MISSING, NOT_THERE, UNREADABLE, parse_times

ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "America/Sao_Paulo"]
LOCAL = st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)).map(lambda t: t.replace(second=0, microsecond=0))


def read(texts, formats=("iso",), zone="UTC", ambiguous="dead_letter"):
    time, why = parse_times(pl.Series(texts, dtype=pl.String), TimeRule(("t",), tuple(formats), zone, ambiguous))
    return list(zip(time.to_list(), why.to_list(), strict=True))


def oracle(local, zone, ambiguous):
    """The same by zoneinfo alone: what a wall clock of that zone can have meant."""
    readings = {local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
    real = sorted(t for t in readings if t.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local)
    if not real:
        return None, NOT_THERE
    if len(real) == 2 and ambiguous == "dead_letter":
        return None, AMBIGUOUS
    return real[-1 if ambiguous == "latest" else 0], None


@given(
    st.lists(LOCAL, min_size=1, max_size=20),
    st.sampled_from(ZONES),
    st.sampled_from(["dead_letter", "earliest", "latest"]),
)
def test_local_times_of_any_zone(times, zone, ambiguous):
    # most random times are harmless: look at the hours around the zone's changes too
    near = [datetime(2024, 3, 31, 2, 30), datetime(2024, 10, 27, 2, 30), datetime(2024, 3, 10, 2, 15),
            datetime(2024, 11, 3, 1, 45), datetime(2024, 4, 7, 1, 45), datetime(2024, 10, 6, 2, 10)]  # fmt: skip
    times = [*times, *near]
    found = read([t.strftime("%Y-%m-%d %H:%M:%S") for t in times], zone=zone, ambiguous=ambiguous)
    assert found == [oracle(t, zone, ambiguous) for t in times]


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), min_size=1), st.integers(-14 * 60, 14 * 60))
def test_times_with_an_offset_need_no_zone(times, minutes):
    here = timezone(timedelta(minutes=minutes))
    texts = [t.replace(tzinfo=UTC).astimezone(here).isoformat() for t in times]
    assert read(texts, zone="Asia/Kolkata") == [(t.replace(tzinfo=UTC), None) for t in times]


@given(st.lists(st.integers(0, 4_000_000_000_000_000), min_size=1), st.integers(0, 9))
def test_epochs_are_cut_to_microseconds_never_rounded(micros, more):
    expected = [(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=m), None) for m in micros]
    assert read([f"{m // 10**6}.{m % 10**6:06d}{more}" for m in micros], ["epoch_s"]) == expected
    assert read([f"{m // 10**3}.{m % 10**3:03d}{more}" for m in micros], ["epoch_ms"]) == expected
    assert read([str(m) for m in micros], ["epoch_us"]) == expected


def test_the_last_instant_of_a_day_stays_on_it():
    for text, form in (("2024-03-01T23:59:59.9999999Z", "iso"), ("1709337599.9999999", "epoch_s")):
        ((found, _),) = read([text], [form])
        assert found == datetime(2024, 3, 1, 23, 59, 59, 999999, UTC)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("03/25/2014 18:01:02", "%m/%d/%Y %H:%M:%S", datetime(2014, 3, 25, 18, 1, 2, tzinfo=UTC)),
        ("25.03.2014 18:01", "%d.%m.%Y %H:%M", datetime(2014, 3, 25, 18, 1, tzinfo=UTC)),
        ("25.03.2014", "%d.%m.%Y", datetime(2014, 3, 25, tzinfo=UTC)),
        ("3/5/2014 6:01:02 PM", "%m/%d/%Y %I:%M:%S %p", datetime(2014, 3, 5, 18, 1, 2, tzinfo=UTC)),
        ("2014-03-25 18:01:02 +0200", "%Y-%m-%d %H:%M:%S %z", datetime(2014, 3, 25, 16, 1, 2, tzinfo=UTC)),
        ("2014-03-25", "iso", datetime(2014, 3, 25, tzinfo=UTC)),
        ("2014-03-25T18:01", "iso", datetime(2014, 3, 25, 18, 1, tzinfo=UTC)),
        ("2014-03-25 18:01:02,5", "iso", datetime(2014, 3, 25, 18, 1, 2, 500000, UTC)),
        ("2014-03-25 18:01:02+05:30", "iso", datetime(2014, 3, 25, 12, 31, 2, tzinfo=UTC)),
        ("2014-03-25 18:01:02-03", "iso", datetime(2014, 3, 25, 21, 1, 2, tzinfo=UTC)),
        ("1396000000", "epoch_s", datetime(2014, 3, 28, 9, 46, 40, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_forms(text, form, expected):
    assert read([text], [form]) == [(expected, None)]


def test_formats_are_tried_in_order_for_each_row():
    found = read(["2014-03-25 10:00:00", "1396000000", "25.03.2014", "x"], ["iso", "epoch_s", "%d.%m.%Y"])
    assert [why for _, why in found] == [None, None, None, UNREADABLE]


@pytest.mark.parametrize("bad", ["02:15.3", "1.5976E+12", "-5", "99999999999999999999", "2024-02-30", "24:00", "soon"])
def test_what_is_no_time(bad):
    assert read([bad], ["iso", "epoch_s"]) == [(None, UNREADABLE)]


def test_missing():
    assert read([None, "", "  "]) == [(None, MISSING)] * 3

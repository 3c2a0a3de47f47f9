"""Runs of alarms against a plain loop, over midnights, in any order of days; driving style by hand."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ev_platform.engine.telematics import alarms_days, events_day, style_day
from ev_platform.lake.layout import part_key
from ev_platform.lake.store import ObjectStore
from ev_platform.telematics.variables import BANDS
from ev_platform_tests.telematics.cases import DAY_MS, DEVICE, OTHER, T0, make, put_raw, reading, table

MINUTE = 60_000
DAYS = [f"2026-11-{day:02d}" for day in range(1, 6)]


def memory():
    return ObjectStore("memory://")


def oracle(bodies):
    """(device, variable, band, start, end, count) of every run, by a plain loop."""
    found, open_runs = [], {}
    distinct = {(b["deviceId"], b["variable"], b["timeMili"], b["value"]): b for b in reversed(bodies)}
    for b in sorted(distinct.values(), key=lambda b: b["timeMili"]):
        key, at, band = (b["deviceId"], b["variable"]), b["timeMili"], BANDS[b["alarmClass"]]
        run = open_runs.get(key)
        if run and (run[0] != band or at - run[2] > 30 * MINUTE):
            found.append((*key, *run))
            del open_runs[key]
        if band in ("very_low", "very_high"):
            began = open_runs.get(key, (band, at, at, 0))
            open_runs[key] = (band, began[1], at, began[3] + 1)
    return sorted(found + [(*key, *run) for key, run in open_runs.items()])


def filed(store):
    """The same of the tables, and the day each stands under."""
    found = []
    for day in DAYS:
        for row in table(store, "alarms", day):
            start, end = (round(row[name].timestamp() * 1000) for name in ("start", "end"))
            assert row["start"].strftime("%Y-%m-%d") == day
            assert row["duration_s"] == pytest.approx((end - start) / 1000)
            found.append((row["device_id"], row["variable"], row["band"], start, end, row["count"]))
    return sorted(found)


@st.composite
def streams(draw):
    """Readings of a few days: gaps of minutes and hours, bands that last, two devices and variables."""
    bodies, at = [], T0 + draw(st.integers(0, 1200)) * MINUTE
    for number in range(draw(st.integers(1, 40))):
        at += draw(st.sampled_from([1, 5, 29, 30, 31, 200, 700])) * MINUTE
        if at >= T0 + len(DAYS) * DAY_MS:
            break
        device, variable = draw(
            st.sampled_from([(DEVICE, "ENGINE RPM"), (DEVICE, "Vehicle speed"), (OTHER, "ENGINE RPM")])
        )
        bodies.append(reading(at, str(number), variable, draw(st.sampled_from([0, 1, 1, 1, 4, 4, 2])), device))
    return bodies


@hypothesis_settings(max_examples=40, deadline=None)
@given(streams(), st.randoms(), st.booleans())
def test_runs_are_those_of_a_plain_loop_however_days_are_cut(bodies, shuffle, late):
    if not bodies:
        return
    store = memory()
    held = [n for n in range(len(bodies)) if late and shuffle.random() < 0.3]
    for n, body in enumerate(bodies):
        if n not in held:
            put_raw(store, [body], first=n)
    order = DAYS.copy()
    shuffle.shuffle(order)
    make(store, *order)
    for n in held:
        put_raw(store, [bodies[n]], first=n)
    late_days = {datetime.fromtimestamp(bodies[n]["timeMili"] / 1000, UTC).strftime("%Y-%m-%d") for n in held}
    make(store, *sorted(late_days, reverse=True))
    assert filed(store) == oracle(bodies)


def test_a_run_over_two_midnights_is_one_alarm_of_its_start_day():
    store = memory()
    bodies = [reading(T0 + DAY_MS - 40 * MINUTE + n * 20 * MINUTE, "1", "EXTERNAL BATTERY", 1) for n in range(76)]
    put_raw(store, bodies)
    for day in DAYS[:3]:
        events_day(store, day)
    receipts = alarms_days(store, ["2026-11-03"])
    assert [row["count"] for row in table(store, "alarms", "2026-11-01")] == [76]
    assert table(store, "alarms", "2026-11-02") == table(store, "alarms", "2026-11-03") == []
    assert set(receipts) == {"2026-11-01", "2026-11-02", "2026-11-03"}
    assert set(alarms_days(store, ["2026-11-03"])) == {"2026-11-03"}  # others are told only when they change


def test_the_same_run_made_day_by_day_is_re_filed():
    store = memory()
    put_raw(store, [reading(T0 + DAY_MS - 10 * MINUTE, "1", "X", 4), reading(T0 + DAY_MS + 10 * MINUTE, "2", "X", 4)])
    make(store, "2026-11-02")  # the later day first: the run seems to start there
    assert len(table(store, "alarms", "2026-11-02")) == 1
    make(store, "2026-11-01")
    assert table(store, "alarms", "2026-11-02") == []
    (row,) = table(store, "alarms", "2026-11-01")
    assert (row["count"], row["minimum"], row["maximum"]) == (2, 1, 2)


def test_repeats_do_not_lengthen_a_run():
    store = memory()
    put_raw(store, [reading(T0, "1", "X", 4)] * 5)
    make(store, "2026-11-01")
    assert [row["count"] for row in table(store, "alarms", "2026-11-01")] == [1]


# -- driving style ----------------------------------------------------------------------------------------------------


def styled(bodies, day="2026-11-01"):
    store = memory()
    put_raw(store, bodies)
    make(store, day)
    return {row["device_id"]: row for row in style_day(store, day).to_pylist()}


def at(minutes, value, variable="Vehicle speed", alarm_class=0, device=DEVICE):
    return reading(T0 + round(minutes * MINUTE), value, variable, alarm_class, device)


def test_durations_hold_a_value_until_the_next_but_not_for_ever_and_not_over_midnight():
    bodies = [at(0, "30"), at(2, "60"), at(3, "0"), at(10, "90"), at(60, "0"), at(24 * 60 - 1, "10")]
    bodies += [at(0, "1", "IDLING"), at(1, "0", "IDLING", 5), at(50, "1", "IDLING")]
    row = styled(bodies)[DEVICE]
    assert row["driving_s"] == 120 + 60 + 300 + 60
    assert row["speed_mean_kmh"] == pytest.approx((30 * 120 + 60 * 60 + 90 * 300 + 10 * 60) / 540)
    assert row["speed_max_kmh"] == 90
    assert row["idling_s"] == 60 + 300
    assert row["idling_share"] == pytest.approx(360 / 900)


def test_events_are_changes_and_alarms_are_runs():
    bodies = [at(n, v, "TOWING", 0 if v == "1" else 5) for n, v in enumerate("0110100")]
    bodies += [at(n, v, "IGNITION_STATUS", 0 if v == "1" else 5) for n, v in enumerate("0011001")]
    bodies += [at(n, "9", "ACCELERATION X", c) for n, c in enumerate([4, 4, 0, 4, 1, 1])]
    bodies += [at(n, "9", "Vehicle speed", 4) for n in range(3)] + [
        at(9, "9", "ENGINE RPM", 4),
        at(9, "9", "TIMING ADVANCE", 1),
    ]
    row = styled(bodies)[DEVICE]
    assert (row["towing_events"], row["ignition_offs"]) == (2, 2)
    assert (row["harsh_accelerations"], row["harsh_brakings"]) == (2, 1)
    assert (row["speed_alarms"], row["rpm_alarms"], row["alarms"]) == (1, 1, 6)


def test_positions_without_a_fix_and_devices_that_send_little():
    bodies = [
        at(0, "0,0,5", "POSITION"),
        at(1, "1,1,5", "POSITION"),
        at(2, "1,2,5", "POSITION"),
        at(3, "0,0,1", "POSITION"),
    ]
    found = styled([*bodies, at(0, "1", "HARDWARE STATUS", device=OTHER)])
    assert found[DEVICE]["no_fix_share"] == 0.5
    other = found[OTHER]
    assert other["readings"] == 1
    assert other["no_fix_share"] is other["speed_mean_kmh"] is other["idling_share"] is other["speed_max_kmh"] is None
    assert (other["alarms"], other["driving_s"]) == (0, 0)


def test_the_order_of_arrival_changes_no_byte():
    bodies = [
        at(n * 7 % 1000, str(n % 5), v, c)
        for n, (v, c) in enumerate([("Vehicle speed", 0), ("IDLING", 0), ("X", 4)] * 30)
    ]
    tables = []
    for seed in range(2):
        random.Random(seed).shuffle(bodies)
        store = memory()
        for n, body in enumerate(bodies):
            put_raw(store, [body], first=n)
        make(store, "2026-11-01")
        tables.append((store.get(part_key("telematics/alarms", "2026-11-01")), style_day(store, "2026-11-01")))
    assert tables[0][0] == tables[1][0]
    assert tables[0][1].equals(tables[1][1])


def test_the_demo_generator_tells_the_truth():
    from ev_platform.simulate.telematics import readings

    first = datetime(2026, 11, 1, tzinfo=UTC).date()
    rows = [one.as_row() for one in readings(first, 2, 3, 1)]
    assert rows == [one.as_row() for one in readings(first, 2, 3, 1)]
    store = memory()
    put_raw(store, rows)
    make(store, "2026-11-01", "2026-11-02")
    over = [row for row in table(store, "alarms", "2026-11-01") if row["variable"] == "EXTERNAL BATTERY"]
    assert [(row["count"], row["end"] - row["start"]) for row in over] == [(9, timedelta(minutes=40))]
    assert len(filed(store)) == len(oracle(rows))

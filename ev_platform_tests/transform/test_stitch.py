"""Sessions over midnight: the same rules as within a day, bounded chains, stable ids."""

import itertools

import pyarrow as pa
import pytest

from ev_platform.lake.schemas import SEGMENTS, SESSIONS, VEHICLES
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import links, passes_through, stitch
from ev_platform.transform.stitch_figures import session_id
from ev_platform_tests.transform.fleet import DAY, HOUR, MIDNIGHT, compressed, vehicles
from ev_platform_tests.transform.scenes import CHARGING, DRIVING, PARKED, every, kinds, odometer, scene, sessions, soc

NEXT = "2026-11-04"
AFTER = "2026-11-05"
EVENING = MIDNIGHT + 20 * HOUR
"""Scenes begin at 20:00: minute 240 is midnight."""


def night(*steps):
    return scene(*steps, start=EVENING)


def park(first, last, period=1, **more):
    return every(period, first, last, PARKED | {"Soc": 60.0} | more)


def drive(first, last, km=1000.0, level=60.0):
    return every(1 / 6, first, last, DRIVING | {"Odometer": odometer(km, 60), "Soc": soc(level, -15)})


def charge(first, last, level=60.0, **more):
    return every(1 / 6, first, last, CHARGING | {"Soc": soc(level, 17)} | more)


def spans(rows):
    """(kind, start, end) in minutes after 20:00."""
    return [
        (kind, *(round((row[k].timestamp() * 1e6 - EVENING) / 60e6, 2) for k in ("start", "end")))
        for kind, row in zip(kinds(rows), [r for r in rows if r["end"] > r["start"]], strict=True)
    ]


def both_days(life):
    registry = vehicles([life])
    return [segment(clean(compressed([life], day), registry).table, day, registry) for day in (DAY, NEXT)]


def test_charge_over_midnight_equals_the_same_charge_on_one_day():
    steps = [*park(190, 199), *charge(200, 320, DCChargingEnergyIn=lambda m: 10.36 * m / 60)]
    steps += park(320.5, 330, Soc=94.0, DetailedChargeState="Complete", DCChargingEnergyIn=20.72)
    over = sessions(night(*steps), [DAY, NEXT])
    same_day = sessions(scene(*steps), [DAY])
    assert kinds(over) == kinds(same_day) == ["idle", "charge", "idle"]
    one, other = over[1], same_day[1]
    assert (one["n_pieces"], other["n_pieces"]) == (2, 1)
    for name in ("soc_start", "soc_end", "n_samples", "truncated", "inferred", "reasons", "charge_type", "confidence"):
        assert one[name] == other[name], name
    assert one["end"] - one["start"] == other["end"] - other["start"]
    assert one["energy_method"] == other["energy_method"] == "counter"
    assert one["energy_kwh"] == pytest.approx(other["energy_kwh"], rel=0.005)
    assert one["power_mean_kw"] == pytest.approx(other["power_mean_kw"], rel=0.005)


def test_drive_over_midnight():
    rows = sessions(night(*park(220, 229), *drive(230, 260), *park(261, 280, Soc=52.5)), [DAY, NEXT])
    assert [(k, s, e) for k, s, e in spans(rows) if k == "drive"] == [("drive", 230.0, 261.0)]
    session = next(row for row in rows if row["kind"] == "drive")
    assert session["distance_km"] == pytest.approx(30, abs=0.5)
    assert session["energy_kwh"] == pytest.approx(-350 * 30 / 1000 * 31 / 60, rel=0.05)
    assert not session["truncated"]
    assert session["start"].isoformat().startswith(DAY)


@pytest.mark.parametrize(("silence", "count"), [(13, 1), (16, 2)])
def test_contact_lost_over_midnight_is_bridged_up_to_fifteen_minutes(silence, count):
    steps = [
        *park(200, 209),
        *drive(210, 236),
        *drive(236 + silence, 280, km=1026, level=53.5),
        *park(281, 290, Soc=45),
    ]
    rows = sessions(night(*[(m, {k: v for k, v in d.items() if k != "Odometer"}) for m, d in steps]), [DAY, NEXT])
    assert kinds(rows).count("drive") == count
    assert [row["truncated"] for row in rows if row["kind"] == "drive"] == ([False] if count == 1 else [True, True])


@pytest.mark.parametrize(("stop", "count"), [(4.5, 1), (5.5, 2)])
def test_a_stop_at_midnight_belongs_to_the_drive(stop, count):
    middle = every(0.25, 238, 238 + stop - 0.25, PARKED | {"Soc": 53.0})
    steps = [*drive(210, 237.9), *middle, *drive(238 + stop, 270, km=1028, level=53.0), *park(271, 280, Soc=45.0)]
    assert kinds(sessions(night(*steps), [DAY, NEXT])).count("drive") == count


@pytest.mark.parametrize(("state", "count"), [("Stopped", 1), ("Disconnected", 2)])
def test_a_pause_of_a_charge_at_midnight_merges_while_plugged(state, count):
    pause = every(0.5, 234, 243.5, PARKED | {"Soc": 69.3, "DetailedChargeState": state})
    steps = [*charge(200, 233.5), *pause, *charge(244, 290, level=69.3), *park(291, 300, Soc=82.4)]
    assert kinds(sessions(night(*steps), [DAY, NEXT])).count("charge") == count


def test_a_small_piece_before_midnight_is_not_lost():
    """Half a minute of driving on one side is below every threshold; with the other side it is the drive's begin."""
    steps = [*park(220, 239), *drive(239.5, 260), *park(261, 280, Soc=55.0)]
    first, second = both_days(night(*steps))
    assert first["kind"].to_pylist()[-1] == "drive"
    rows = stitch(pa.concat_tables([first, second])).to_pylist()
    assert [s for s in spans(rows) if s[0] == "drive"] == [("drive", 239.5, 261.0)]
    # alone it stays too small, and becomes idle in the session
    alone = night(*park(220, 239), *drive(239.5, 239.8), *park(239.9, 280))
    assert "drive" in both_days(alone)[0]["kind"].to_pylist()
    assert "drive" not in kinds(sessions(alone, [DAY, NEXT]))


def test_what_only_the_last_row_announces():
    steps = [*park(220, 239.5), (239.9, CHARGING | {"Soc": 60.0}), *charge(240.1, 280), *park(281, 290, Soc=71.0)]
    rows = sessions(night(*steps), [DAY, NEXT])
    assert [s for s in spans(rows) if s[0] == "charge"] == [("charge", 239.9, 281.0)]
    steps = [*park(220, 229), (230.5, DRIVING | {"Soc": 60.0}), *drive(242, 270, level=58.0), *park(271, 280, Soc=51.0)]
    steps = [(m, {k: v for k, v in d.items() if k != "Odometer"}) for m, d in steps]
    rows = sessions(night(*steps), [DAY, NEXT])
    assert [s for s in spans(rows) if s[0] == "drive"] == [("drive", 230.5, 271.0)]


def test_silence_over_midnight_is_no_drive_when_the_odometer_stood():
    steps = [*park(200, 209), *drive(210, 236), *drive(246, 280, km=1026, level=53.5), *park(281, 290, Soc=45)]
    assert kinds(sessions(night(*steps), [DAY, NEXT])).count("drive") == 2


def test_sleep_over_midnight_is_one_session():
    rows = sessions(
        night(*drive(0, 20), *park(21, 30, Soc=55.0), *park(600, 610, Soc=54.6), *drive(611, 640)), [DAY, NEXT]
    )
    assert spans(rows) == [
        ("drive", 0.0, 21.0),
        ("idle", 21.0, 30.0),
        ("asleep", 30.0, 600.0),
        ("idle", 600.0, 611.0),
        ("drive", 611.0, 640.0),
    ]
    asleep = rows[2]
    assert (asleep["soc_start"], asleep["soc_end"], asleep["gap_seconds"]) == (55.0, 54.6, 570 * 60)
    assert asleep["energy_kwh"] == pytest.approx(-0.24)


def test_charge_inferred_over_midnight():
    life = night(*drive(0, 20), *park(21, 30, Soc=55.0), *park(600, 610, Soc=80.0))
    rows = sessions(life, [DAY, NEXT])
    assert spans(rows)[2] == ("charge", 30.0, 600.0)
    assert rows[2]["inferred"]
    assert rows[2]["energy_kwh"] == pytest.approx(0.25 * 60)
    assert rows[2]["energy_method"] == "soc_capacity"
    without = stitch(pa.concat_tables(both_days(life))).to_pylist()[2]
    assert (without["kind"], without["energy_kwh"], without["energy_method"]) == ("charge", None, "none")
    assert "energy_unknown" in without["reasons"]


@pytest.mark.parametrize(("level", "truncated"), [(55.0, False), (57.0, True)])
def test_begin_after_a_night_without_contact(level, truncated):
    """The car wakes because it charges: its begin was missed only if SoC has risen since the last message."""
    steps = [*park(21, 30, Soc=55.0), *charge(600, 660, level=level), *park(661, 670, Soc=level + 17)]
    rows = sessions(night(*steps), [DAY, NEXT])
    (session,) = [row for row in rows if row["kind"] == "charge"]
    assert session["truncated"] is truncated
    assert ("begin_not_seen" in session["reasons"]) is truncated


def test_a_charge_that_only_its_last_row_announced_keeps_the_better_energy_of_the_next_day():
    counter = {"DCChargingEnergyIn": lambda m: 1.7 + 10.2 * m / 60}
    first = (235, CHARGING | {"Soc": 60.0, "DCChargingEnergyIn": 0.0})
    steps = [*park(220, 234.5), first, *charge(245, 265, level=62.83, **counter)]
    rows = sessions(night(*steps, *park(266, 275, Soc=68.5, DetailedChargeState="Complete")), [DAY, NEXT])
    (session,) = [row for row in rows if row["kind"] == "charge"]
    assert session["energy_method"] == "counter"
    assert session["energy_kwh"] == pytest.approx(10.2 * 31 / 60, rel=0.05)


def test_no_charge_is_inferred_from_a_rise_that_no_charger_makes():
    rows = sessions(night(*park(200, 237, Soc=30.0), *park(242.5, 260, Soc=95.0)), [DAY, NEXT])
    assert set(kinds(rows)) == {"idle"}
    rows = sessions(night(*park(200, 237, Soc=30.0), *park(252.5, 260, Soc=95.0)), [DAY, NEXT])
    assert "charge" in kinds(rows)


def test_a_charge_inferred_over_midnight_stands_alone():
    steps = [*drive(0, 20), *park(21, 30, Soc=55.0), *charge(600, 660, level=62.0), *park(661, 670, Soc=79.0)]
    rows = sessions(night(*steps), [DAY, NEXT])
    assert spans(rows)[2:4] == [("charge", 30.0, 600.0), ("charge", 600.0, 661.0)]
    assert [row["inferred"] for row in rows[2:4]] == [True, False]
    # also when the gap lies within a day
    rows = sessions(scene(*steps), [DAY])
    assert [row["inferred"] for row in rows if row["kind"] == "charge"] == [True, False]
    # under way on both sides of the lost contact it is one
    steps = [*park(190, 199), *charge(200, 232), *charge(255, 290, level=75.6), *park(291, 300, Soc=85.5)]
    rows = sessions(night(*steps), [DAY, NEXT])
    assert spans(rows)[1] == ("charge", 200.0, 291.0)
    assert kinds(rows) == kinds(sessions(scene(*steps), [DAY])) == ["idle", "charge", "idle"]


def test_days_that_do_not_follow_each_other_are_not_joined():
    later = [(m + 24 * 60, d) for m, d in park(300, 330, Soc=90.0)]
    rows = sessions(night(*drive(0, 20), *park(21, 30, Soc=55.0), *later), [DAY, NEXT, AFTER])
    assert spans(rows) == [("drive", 0.0, 21.0), ("idle", 21.0, 30.0), ("idle", 1740.0, 1770.0)]


def test_idle_sessions_stay_bounded():
    """A car that only stands and reports every ten minutes for days: no session grows beyond one day and its gap."""
    steps = [(10 * i, PARKED | {"Soc": 60.0}) for i in range(6 * 24 * 3)]
    rows = sessions(night(*steps), [DAY, NEXT, AFTER, "2026-11-06"])
    assert kinds(rows) == ["idle"] * 4
    assert max((row["end"] - row["start"]).total_seconds() for row in rows) <= 86_400
    assert all(a["end"] == b["start"] for a, b in itertools.pairwise(rows))
    # one message a day: a session from message to message
    rows = sessions(night(*[(1440 * i, {"Soc": 60.0 - i}) for i in range(4)]), [DAY, NEXT, AFTER, "2026-11-06"])
    assert kinds(rows) == ["asleep"] * 3
    assert [(row["end"] - row["start"]).total_seconds() for row in rows] == [86_400.0] * 3 + [0.0]


def test_a_charge_longer_than_a_day_is_one_session():
    steps = [*park(0, 9), *every(5, 10, 10 + 40 * 60, CHARGING | {"PackCurrent": 6.0, "Soc": soc(5, 2)})]
    life = night(*steps, *park(2415, 2420, Soc=85.0, DetailedChargeState="Complete"))
    rows = sessions(life, [DAY, NEXT, AFTER])
    assert kinds(rows) == ["idle", "charge", "idle"]
    assert rows[1]["n_pieces"] == 3
    middle = both_days(life)[1]
    assert passes_through(middle) == {life.vin}
    assert passes_through(both_days(night(*drive(0, 20), *park(21, 300)))[0]) == set()


def test_ids_are_stable_and_late_data_touches_only_its_session():
    early = [*drive(0, 20), *park(21, 30, Soc=55.0)]
    late = [*park(120, 129, Soc=55.0), *drive(130, 150, km=1020, level=55.0), *park(151, 160, Soc=50.0)]
    before = sessions(night(*early, *late[10:]), [DAY])
    after = sessions(night(*early, *late), [DAY])
    ids = [{row["session_id"] for row in rows} for rows in (before, after)]
    same = [row for row in before if row["session_id"] in ids[1]]
    assert len(same) >= 3
    assert {row["kind"] for row in same} == {"drive", "idle"}
    row = after[0]
    assert row["session_id"] == session_id(row["vin"], row["kind"], round(row["start"].timestamp() * 1e6))
    assert len({row["session_id"] for row in after}) == len(after)


def test_links_and_empty_input():
    first, second = both_days(night(*drive(230, 260), *park(261, 280, Soc=52.5)))
    vin = first["vin"][0].as_py()
    assert links(first, second) == {vin}
    assert links(first, SEGMENTS.empty_table()) == set()
    assert passes_through(SEGMENTS.empty_table()) == set()
    assert stitch(SEGMENTS.empty_table()).equals(SESSIONS.empty_table())
    found = stitch(pa.concat_tables([first, second]), VEHICLES.empty_table())
    assert found.schema.equals(SESSIONS, check_metadata=True)

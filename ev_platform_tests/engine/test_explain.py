"""`ev explain`: raw value, cleaned value and rule of one moment, from stored files alone; counts by rule and day."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from ev_platform.commands.explain import parse_time, run_explain
from ev_platform.engine.daily import CLEANING_TABLE, clean_day, segment_day
from ev_platform.engine.explain import explain
from ev_platform.engine.sessions import stitch_days
from ev_platform.errors import UserError
from ev_platform.lake.layout import compressed_key, part_key
from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import Settings
from ev_platform.transform.clean import clean
from ev_platform.transform.rules import CLEANING, SEGMENTS
from ev_platform.transform.segment_rules import PENALTIES, PLUGGED, UNPLUGGED
from ev_platform_tests.transform.faults import damage
from ev_platform_tests.transform.fleet import DAY, INVALID, commuter, compressed
from ev_platform_tests.transform.scenes import every, scene

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    """One vehicle that drives for an hour, with four faults at known minutes."""
    steps = every(1, 0, 60, {"Soc": lambda m: 80 - m / 4, "Odometer": lambda m: 1000 + m / 2, "VehicleSpeed": 30.0})
    steps = [(minute, dict(data)) for minute, data in steps]
    steps[10][1]["Soc"] = 0.0
    steps[20][1]["Odometer"] = 900.0
    steps[30][1]["VehicleSpeed"] = INVALID
    steps[40][1]["MediaAudioVolume"] = 3.5
    life = scene(*steps)
    store = ObjectStore(str(tmp_path / "lake"))
    store.put(compressed_key(DAY, life.vin), to_parquet(compressed([life])))
    settings = Settings(_env_file=None, lake_url=store.url, workers=1)
    clean_day(settings, store, DAY)
    segment_day(settings, store, DAY)
    stitch_days(settings, store, [DAY])
    return settings, store, life


def at(store, life, minute, seconds=20):
    return explain(store, 1, life.vin, NOON + timedelta(minutes=minute), timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("minute", "signal", "raw", "cleaned", "rule"),
    [
        (10, "Soc", "0", None, ("soc_zero",)),
        (20, "Odometer", "900", None, ("spike",)),
        (30, "VehicleSpeed", "invalid", None, ("invalid",)),
        (40, "MediaAudioVolume", "3.5", None, ("unmapped",)),
        (50, "Soc", "67.5", 67.5, ()),
    ],
)
def test_raw_cleaned_and_rule_stand_side_by_side(lake, minute, signal, raw, cleaned, rule):
    _, store, life = lake
    sent = {one.signal: one for one in at(store, life, minute).sent}
    assert (sent[signal].raw, sent[signal].cleaned, sent[signal].rules) == (raw, cleaned, rule)
    assert sent["Odometer"].cleaned is None or sent["Odometer"].cleaned == pytest.approx(1.609344 * (1000 + minute / 2))
    others = {one.signal for one in sent.values() if one.rules} - {signal}
    assert others == set()


def test_the_segment_and_the_session_that_hold_the_time(lake):
    _, store, life = lake
    found = at(store, life, 30)
    assert found.segment["kind"] == found.session["kind"] == "drive"
    assert found.session["session_id"]
    assert at(store, life, 300).sent == []
    assert at(store, life, 300).segment is None


def test_counts_are_stored_by_vehicle_rule_and_signal(lake):
    settings, store, life = lake
    counts = from_parquet(store.get(part_key(CLEANING_TABLE, DAY))).to_pylist()
    wanted = clean(compressed([life]), VEHICLES.empty_table()).counts.to_pylist()
    assert counts == wanted
    assert {(row["rule"], row["n"]) for row in counts} >= {("soc_zero", 1), ("spike", 1), ("unmapped", 1)}
    store.delete([compressed_key(DAY, life.vin)])
    clean_day(settings, store, DAY)
    assert store.keys(CLEANING_TABLE) == []


def test_events_add_up_to_the_counts_and_every_rule_is_described():
    lives = [damage(commuter(i, seed=5, period_s=60), 5, rate=0.2) for i in range(3)]
    result = clean(compressed(lives), VEHICLES.empty_table(), keep_events=True)
    grouped = result.events.group_by(["vin", "rule", "signal"]).aggregate([("time", "count")])
    counted = {(row["vin"], row["rule"], row["signal"]): row["time_count"] for row in grouped.to_pylist()}
    assert counted == {(row["vin"], row["rule"], row["signal"]): row["n"] for row in result.counts.to_pylist()}
    assert set(result.counts["rule"].to_pylist()) <= CLEANING.keys()
    assert len(set(result.counts["rule"].to_pylist())) >= 12
    assert clean(compressed(lives), VEHICLES.empty_table()).events.num_rows == 0
    assert SEGMENTS.keys() == {*PENALTIES, PLUGGED, UNPLUGGED}


def test_what_is_printed(lake, capsys):
    settings, _, life = lake
    run_explain(settings, life.vin, "2026-11-03T13:10:00+01:00", 60)
    shown = capsys.readouterr().out
    for text in ("soc_zero", "null", CLEANING["soc_zero"][:30], "segment: drive", "session ", "whole day: "):
        assert text in shown
    run_explain(settings, life.vin, "2026-11-03T20:00:00", 60)
    assert "sent nothing within 60 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("vin", "when", "said"),
    [
        ("../etc", "2026-11-03T12:00:00", "is not a VIN"),
        ("EVPTEST0000000001", "noon", "is no time"),
        ("EVPTEST0000000001", "2026-11-05T12:00:00", "nothing is stored .* it has data on 2026-11-03"),
        ("EVPTEST0000000001", "2026-12-05T12:00:00", "nor within 7 days"),
    ],
)
def test_wrong_questions_get_one_clear_line(lake, vin, when, said):
    with pytest.raises(UserError, match=said):
        run_explain(lake[0], vin, when, 60)


def test_times_without_an_offset_are_utc():
    assert parse_time("2026-11-03 12:00") == parse_time("2026-11-03T13:00+01:00") == NOON
    assert pa.scalar(parse_time("2026-11-03"), pa.timestamp("us", "UTC")).as_py() == NOON - timedelta(hours=12)

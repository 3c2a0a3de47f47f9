"""Polls against the stand-ins: only news is stored, one vehicle's failure stops no other, a crash loses nothing."""

import json

import pytest

from ev_platform.engine.compaction import compact_day
from ev_platform.engine.leaf_audit import lost_leaves
from ev_platform.ingest.dead_letters import count_dead_letters
from ev_platform.lake.layout import compressed_key, compressed_prefix
from ev_platform.lake.tables import from_parquet
from ev_platform.providers.base import AuthError
from ev_platform.providers.pull import pull
from ev_platform.providers.state import STRIKES, parked, paused_until
from ev_platform.signals import cleaned_schema
from ev_platform.simulate.standins.server import Fault, Reply
from ev_platform.transform.clean import clean
from ev_platform_tests.providers.conftest import DAY, NOW, SERVERS, VINS

ALL = sorted(SERVERS)
EMPTY_REGISTRY = __import__("ev_platform.lake.schemas", fromlist=["VEHICLES"]).VEHICLES.empty_table()


def poll(bench, **more):
    client, access = bench.client()
    return pull(client, access, bench.store, "2026-10-01", **more)


def compact(bench, day=DAY):
    return compact_day(bench.settings, bench.store, day)


def table(bench, vin, day=DAY):
    return from_parquet(bench.store.get(compressed_key(day, vin)))


@pytest.mark.parametrize("name", ALL)
def test_a_poll_stores_every_car_and_the_next_one_only_what_changed(bench, name):
    b = bench(name, 2)
    first = poll(b)
    assert (first.changed, first.failed, first.dead_letters, first.stopped) == (2, {}, {}, "")
    assert set(first.days) == {DAY}
    if name != "bmw":
        b.clock.advance(60)
    before = b.store.keys("temp")
    second = poll(b)
    assert (second.changed, second.unchanged) == (0, 0 if name == "bmw" else 2), "the last known state again"
    assert b.store.keys("temp") == before
    b.clock.advance(600)
    assert poll(b).changed == (0 if name == "bmw" else 2), "BMW: every hour each, for two cars"
    b.clock.advance(3600)
    assert poll(b).changed == 2


@pytest.mark.parametrize("name", ALL)
def test_what_was_polled_is_compacted_once_and_cleaned_into_the_same_columns(bench, name):
    b = bench(name, 2)
    for _ in range(4):
        poll(b)
        b.clock.advance(4000 if name == "bmw" else 600)
    expected = {key.split("/")[1] for key in b.store.keys("temp")}
    receipt = compact(b)
    assert receipt.quarantined_lines == 0
    assert expected == set(VINS[:2])
    assert lost_leaves(b.store, DAY) == {}
    raw = table(b, VINS[0])
    assert len(set(raw["record_hash"].to_pylist())) == len(raw), "every value once"
    assert set(raw["provider"].to_pylist()) == {name}
    cleaned = clean(raw, EMPTY_REGISTRY)
    assert cleaned.table.schema == cleaned_schema()
    frame = cleaned.table.to_pandas()
    assert frame["soc_percent"].dropna().between(40, 91).all()
    assert abs(frame["odometer_km"].dropna().iloc[0] - 41203.5) <= 0.5
    assert set(frame["charge_state"].dropna()) == {"charging"}
    assert abs(frame["estimated_range_km"].dropna().iloc[0] - 4 * frame["soc_percent"].dropna().iloc[0]) <= 4
    if name != "bmw":
        assert abs(frame["outside_temp_c"].dropna().iloc[0] - 7.5) < 0.01
    if name == "tesla_rest":
        assert frame["pack_power_kw"].dropna().iloc[0] == 7, "positive into the battery"
    if name == "bmw":
        assert abs(frame["charge_power_kw"].dropna().iloc[0] - 7.4) < 0.01
        assert frame["battery_capacity_kwh"].isna().all(), "-NA- is no number"


@pytest.mark.parametrize("name", ALL)
def test_compaction_gives_the_same_bytes_however_it_is_cut(bench, name, tmp_path):
    b = bench(name, 2)
    for turn in range(3):
        poll(b)
        if turn == 1:
            compact(b)
        b.clock.advance(4000 if name == "bmw" else 600)
    compact(b)
    cut = {key: b.store.get(key) for key in b.store.keys(compressed_prefix(DAY))}
    b.store.delete([*b.store.keys("state"), *b.store.keys("compressed")])
    b.clock.ms = NOW
    b.server.requests_ms = []
    for _ in range(3):
        poll(b)
        b.clock.advance(4000 if name == "bmw" else 600)
    compact(b)
    assert {key: b.store.get(key) for key in b.store.keys(compressed_prefix(DAY))} == cut


def test_a_payload_goes_into_every_day_that_a_changed_value_falls_in(bench):
    b = bench("high_mobility", 1)
    b.clock.ms = NOW + 12 * 3_600_000 + 60_000  # a minute past midnight: the odometer is of yesterday
    report = poll(b)
    days = sorted(report.days)
    assert days == [DAY, "2026-11-03"]
    keys = b.store.keys("temp")
    assert len(keys) == 2
    assert b.store.get(keys[0]) == b.store.get(keys[1]), "whole in each"
    for day in days:
        compact(b, day)
        assert lost_leaves(b.store, day) == {}
    rows = [table(b, VINS[0], day) for day in days]
    assert sum(map(len, rows)) == report.leaves + 1, "every value in its own day only (and the request's id)"
    b.clock.advance(600)
    report = poll(b)
    assert sorted(report.days) == ["2026-11-03"], "yesterday's values did not change"


@pytest.mark.parametrize("name", ["high_mobility", "tesla_rest"])
def test_one_broken_vehicle_of_fifty_is_reported_and_does_not_stop_the_others(bench, name):
    b = bench(name, 50)
    b.server.faults.append(Fault(VINS[17], Reply(200, b'{"vin": "EVPT'), 10**6))
    report = poll(b)
    assert report.changed == 49
    assert set(report.failed) == {VINS[17]}
    assert count_dead_letters(b.store) == {"not_json": 1}
    poll(b)
    assert count_dead_letters(b.store) == {"not_json": 1}, "the same payload is a dead letter once"


@pytest.mark.parametrize(("name", "status"), [("high_mobility", 404), ("high_mobility", 422), ("tesla_rest", 403)])
def test_a_vehicle_that_is_not_for_us_is_parked_with_its_reason(bench, name, status):
    b = bench(name)
    b.server.faults.append(Fault(f"{VINS[1]}", Reply(status, b"{}"), 10**6))
    for _ in range(STRIKES):
        report = poll(b)
        b.clock.advance(60)
    assert report.parked == {VINS[1]: f"HTTP {status}"}
    before = b.server.requests(VINS[1])
    report = poll(b)
    assert b.server.requests(VINS[1]) == before == STRIKES, "nobody asks again"
    assert parked(b.store, name) == {VINS[1]: f"HTTP {status}"}
    assert report.failed == {}


def test_vehicles_without_clearance_are_not_asked(bench):
    b = bench("high_mobility", clearance={VINS[2]: "pending"})
    report = poll(b)
    assert report.not_active == {VINS[2]: "clearance pending"}
    assert b.server.requests(f"autoapi-13/{VINS[2]}") == 0


def test_a_sleeping_car_is_never_woken_nor_asked(bench):
    b = bench("tesla_rest", asleep={VINS[0]})
    b.server.faults.append(Fault(f"{VINS[1]}/vehicle_data", Reply(408, b"{}"), 1))  # fell asleep meanwhile
    report = poll(b)
    assert report.not_active == {VINS[0]: "asleep"}
    assert (report.asleep, report.changed, report.failed) == (1, 1, {})
    assert b.server.requests(f"{VINS[0]}/vehicle_data") == 0
    assert b.server.requests(f"{VINS[1]}/vehicle_data") == 1, "408 is an answer here, not to be repeated"
    assert b.server.woken == []


def test_a_storm_of_429_waits_as_asked_and_then_goes_on(bench):
    b = bench("high_mobility")
    b.server.faults.append(Fault("vehicle-data", Reply(429, b"{}", {"Retry-After": "7"}), 3))
    report = poll(b)
    assert report.changed == 3
    assert b.clock.slept == [7.0, 7.0, 7.0]


def test_a_long_retry_after_ends_the_poll_keeps_what_came_and_is_honoured_by_the_next(bench):
    b = bench("high_mobility")
    b.server.faults.append(Fault(VINS[1], Reply(429, b"{}", {"Retry-After": "900"}), 1))
    report = poll(b)
    assert (report.changed, report.asked) == (1, 1)
    assert "patience" in report.stopped
    asked = len(b.server.log)
    b.clock.advance(600)
    assert "paused" in poll(b).stopped
    assert len(b.server.log) == asked, "nobody asks before it is over"
    b.clock.advance(301)
    assert poll(b).changed == 3


def test_retry_after_as_a_date_is_read_by_the_servers_clock(bench):
    b = bench("high_mobility")
    b.server.clock_error_ms = 5 * 3_600_000
    when = "Mon, 02 Nov 2026 17:00:05 GMT"
    b.server.faults.append(Fault("vehicle-data", Reply(503, b"{}", {"Retry-After": when}), 1))
    assert poll(b).changed == 3
    assert b.clock.slept == [5.0]


def test_a_provider_that_is_down_is_not_asked_for_every_car(bench):
    b = bench("high_mobility", 50)
    b.server.faults.append(Fault("vehicle-data", Reply(502, b"<html>"), 10**6))
    report = poll(b)
    assert "down" in report.stopped
    assert report.asked == 3
    assert b.server.requests("vehicle-data") == 3 * 5
    assert paused_until(b.store, "high_mobility")[0] > b.clock.ms


@pytest.mark.parametrize("name", ALL)
def test_a_refused_token_is_renewed_once(bench, name):
    b = bench(name, 2)
    poll(b)
    b.clock.advance(2 * 3600)
    if name == "mobilisights":
        b.server.revoke()
    if name in ("tesla_rest",):
        b.server._access.clear()
    report = poll(b)
    assert (report.changed, report.stopped) == (2, "")
    b.server.faults.append(Fault("vehicle" if name != "mobilisights" else "exports", Reply(401, b"{}"), 10**6))
    b.clock.advance(2 * 3600)
    with pytest.raises(AuthError):
        poll(b)


@pytest.mark.parametrize(("error_ms", "stored"), [(0, True), (-2 * 3_600_000, False), (3_600_000, True)])
def test_the_providers_clock_decides_what_is_ahead_and_ours_nothing(bench, error_ms, stored):
    b = bench("high_mobility", 1)
    b.server.clock_error_ms = error_ms
    ours = type(b.clock)(NOW - 10**9)  # our own clock is days slow
    client, access = b.client(clock=ours)
    b.server.clock.ms = NOW
    report = pull(client, access, b.store, "2026-10-01")
    b.server._tokens = dict.fromkeys(b.server._tokens, NOW * 2)
    assert ("clock_ahead" in report.dead_letters) is not stored
    compact(b)
    assert lost_leaves(b.store, DAY) == {}
    if not stored:
        assert table(b, VINS[0])["signal"].to_pylist().count("charging.battery_level") == 0


def test_values_before_the_first_day_are_a_dead_letter_once(bench):
    b = bench("high_mobility", 1)
    client, access = b.client()
    report = pull(client, access, b.store, "2026-11-03")
    assert report.dead_letters == {"before_start": 1}
    assert b.store.keys("temp") == []
    assert pull(client, access, b.store, "2026-11-03").dead_letters == {}


def test_a_stream_that_breaks_off_gives_the_cars_that_came(bench):
    b = bench("mobilisights", 40)
    b.server.faults.append(Fault("exports", lambda reply: reply._replace(cut=len(reply.body) // 2), 1))
    report = poll(b)
    assert 10 <= report.changed < 40
    assert any("broke off" in why or "closing bracket" in why for why in report.failed.values())
    assert poll(b).changed == 40 - report.changed


def test_a_stream_without_its_end_is_noticed(bench):
    b = bench("mobilisights", 4)

    def shorter(reply):
        return reply._replace(body=reply.body[: reply.body.rindex(b"{", 0, len(reply.body) // 2 + 600)].rstrip())

    b.server.faults.append(Fault("exports", shorter, 1))
    report = poll(b)
    assert any("closing bracket" in why for why in report.failed.values())


@pytest.mark.parametrize("point", ["put_many", "barrier", "stored", "write_states"])
def test_a_poll_killed_anywhere_loses_nothing(bench, point, monkeypatch):
    """The crash comes right before or in the named step; the next poll starts with what is on disk."""
    b = bench("high_mobility")
    told = []

    class KilledError(BaseException):
        pass

    def die(*_args, **_kw):
        raise KilledError

    def stored(days):
        if point == "stored":
            die()
        told.append(dict(days))

    with monkeypatch.context() as patch:
        if point == "write_states":
            patch.setattr("ev_platform.providers.pull.write_states", die)
        elif point != "stored":
            patch.setattr(type(b.store), point, die)
        with pytest.raises(KilledError):
            poll(b, stored=stored)
    point = ""
    report = poll(b, stored=stored)
    assert report.changed == 3
    assert told[-1] == report.days
    compact(b)
    assert lost_leaves(b.store, DAY) == {}
    assert {key.rsplit("/", 1)[-1] for key in b.store.keys(compressed_prefix(DAY))} == {
        f"{v}.parquet" for v in VINS[:3]
    }


def test_lost_values_are_found(bench):
    b = bench("high_mobility")
    poll(b)
    assert lost_leaves(b.store, DAY) == {}, "still in temp/"
    b.store.delete([b.store.keys("temp")[0]])
    compact(b)
    assert list(lost_leaves(b.store, DAY)) == [VINS[0]]


def test_a_payload_of_another_vehicle_is_refused(bench):
    b = bench("high_mobility", 2)
    other = json.dumps({"vin": VINS[5], "charging": {}}).encode()
    b.server.faults.append(Fault(VINS[0], Reply(200, other), 1))
    report = poll(b)
    assert report.failed == {VINS[0]: "bad_vin"}
    assert report.changed == 1

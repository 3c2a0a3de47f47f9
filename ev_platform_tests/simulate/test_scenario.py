"""The sequence: same seed same bytes, any day on its own, in order."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest

from ev_platform.simulate.fields import Intervals
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.streams import day_of_ms
from ev_platform.simulate.vehicle import make_vin
from ev_platform.simulate.wire import partition_of
from ev_platform_tests.simulate.cases import DAYS, FIRST, SEED, VEHICLES

ROOT = Path(__file__).parents[2]
DIGEST = """
import sys
from datetime import date
from ev_platform.simulate.scenario import Scenario
from ev_platform_tests.simulate.test_scenario import digest
print(digest(Scenario(int(sys.argv[1]), 5, date(2026, 11, 1)), [date(2026, 11, 2)]))
"""


def digest(scenario: Scenario, days: list[date]) -> str:
    whole = hashlib.sha256(scenario.topic.encode())
    for day in days:
        for message in scenario.day_messages(day):
            whole.update(repr(tuple(message)).encode())
    return whole.hexdigest()


def digest_in_a_process(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", DIGEST, str(seed)], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    return run.stdout.strip()


def test_two_processes_make_the_same_bytes_and_another_seed_makes_others():
    assert digest_in_a_process(3, "1") == digest_in_a_process(3, "2") != digest_in_a_process(4, "1")


def test_a_day_does_not_depend_on_what_was_asked_before():
    in_order, fresh = Scenario(SEED, 4, FIRST), Scenario(SEED, 4, FIRST)
    by_day = {day: in_order.day_messages(day) for day in DAYS}
    order = [DAYS[2], DAYS[0], DAYS[2], DAYS[3], DAYS[1]]
    assert [fresh.day_messages(day) == by_day[day] for day in order] == [True] * 5
    asked_for_truth = Scenario(SEED, 4, FIRST)
    asked_for_truth.truth(DAYS[3])
    assert asked_for_truth.day_messages(DAYS[1]) == by_day[DAYS[1]]


def test_nothing_before_the_first_day(scenario):
    assert scenario.day_messages(FIRST - timedelta(days=1)) == []


def test_timestamps_never_go_back_and_lie_in_their_day(scenario, messages):
    newest: Counter = Counter()
    for message in messages:
        assert message.timestamp_ms >= newest[message.partition]
        newest[message.partition] = message.timestamp_ms
    assert len(newest) == scenario.partitions
    assert {day_of_ms(m.timestamp_ms) for m in scenario.day_messages(DAYS[2])} == {DAYS[2]}


def test_a_key_is_always_in_its_own_partition(messages):
    for message in messages:
        assert message.partition == partition_of(message.key, 4)


def test_one_vehicles_messages_do_not_depend_on_the_size_of_the_fleet(messages):
    vin = make_vin(SEED, 1).encode()
    small = Scenario(SEED, 2, FIRST)

    def readable(found):
        return [m for m in found if m.key == vin and m.expected in ("", "clock_ahead")]

    ours = [m for m in messages if day_of_ms(m.timestamp_ms) == DAYS[1]]
    assert readable(small.day_messages(DAYS[1])) == readable(ours)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"vehicles": 15},
        {"first_day": date(2026, 11, 2)},
        {"faults": False},
        {"partitions": 3},
        {"intervals": Intervals(drive_seconds=10)},
    ],
)
def test_another_sequence_has_another_topic(scenario, change):
    base = {"seed": SEED, "vehicles": VEHICLES, "first_day": FIRST}
    other = Scenario(**{**base, **change})
    assert other.topic != scenario.topic
    assert re.fullmatch(r"[A-Za-z0-9_]+_V", other.topic)


def test_volume_and_size(scenario, messages):
    readable = [m for m in messages if not m.expected]
    per_vehicle_day = len(readable) / len(DAYS) / scenario.vehicles
    assert 800 < per_vehicle_day < 2500
    sizes = [len(m.value) for m in readable]
    assert 200 < sum(sizes) / len(sizes) < 500
    assert max(sizes) < 1_000_000


def test_all_but_the_broken_ones_are_json_of_their_key(messages):
    for message in messages:
        if not message.expected:
            record = orjson.loads(message.value)
            assert record["vin"].encode() == message.key
            assert set(record) == {"data", "createdAt", "vin", "isResend"}
            assert record["data"]


def test_headers_are_those_of_fleet_telemetry(messages):
    names = ["vin", "receivedat", "txid", "timestamp", "txtype", "version", "device_client_version"]
    connections = defaultdict(list)
    for message in messages:
        headers = dict(message.headers)
        assert [name for name, _ in message.headers] == names
        assert headers["vin"] == message.key
        assert (headers["timestamp"], headers["version"], headers["txtype"]) == (b"0", b"0", b"V")
        assert re.fullmatch(rb"[0-9a-f]{22}-[0-9]{9}", headers["txid"])
        if not message.expected:
            connection, _, number = headers["txid"].partition(b"-")
            connections[message.key, connection].append(int(number))
    whole = sum(sorted(set(n)) == list(range(1, max(n) + 1)) for n in connections.values())
    assert whole > 0.9 * len(connections)  # a wrong clock or the end of the days tears a few


def test_expected_dead_letters_are_counted(scenario, messages):
    counted = Counter(m.expected for m in messages if m.expected)
    second_day = Counter(m.expected for m in messages if m.expected and day_of_ms(m.timestamp_ms) == DAYS[1])
    assert scenario.dead_letters(DAYS[1], DAYS[1]) == second_day
    assert {"not_json", "bad_vin", "no_created_at", "before_start", "clock_ahead", "tombstone"} == set(counted)


def test_impossible_intervals_are_refused():
    with pytest.raises(ValueError, match="2 s"):
        Intervals(drive_seconds=1)


def test_fleets_of_other_seeds_share_no_vehicle():
    fleets = [{car.vin for car in Scenario(seed, 5, FIRST).fleet.cars} for seed in (1, 2)]
    assert not fleets[0] & fleets[1]

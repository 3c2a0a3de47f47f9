"""Every fault is there, and none of them without faults: each detector is shown to be able to stay silent."""

from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from ev_platform.ingest.record import Dead, Record, Router
from ev_platform.simulate.faults import FAULT_RATES, NO_FAULTS
from ev_platform.simulate.streams import DAY_MS, HOUR_MS, day_of_ms
from ev_platform_tests.simulate.cases import DAYS, FIRST, VEHICLES, numbers, value_of


class AsConsumed:
    """A message as ingest sees it."""

    def __init__(self, message, offset):
        self._message, self._offset = message, offset

    def topic(self):
        return "simulated"

    def partition(self):
        return self._message.partition

    def offset(self):
        return self._offset

    def timestamp(self):
        return 1, self._message.timestamp_ms

    def key(self):
        return self._message.key

    def value(self):
        return self._message.value

    def headers(self):
        return self._message.headers


def test_ingest_gives_each_message_the_fate_the_simulator_expects(messages):
    router = Router(FIRST, 2**20)
    fates = Counter()
    for offset, message in enumerate(messages):
        answer = router.route(AsConsumed(message, offset))
        fate = {Dead: lambda a: a.reason.value, Record: lambda _: ""}.get(type(answer), lambda _: "tombstone")(answer)
        assert fate == message.expected, (answer, message.value)
        fates[fate] += 1
    assert len(fates) == 7


def copies(seen):
    return sum(count - 1 for count in Counter((m.connection, m.number, m.value) for m in seen).values())


def out_of_order(seen):
    """Messages with an older event than one of the same vehicle that came before."""
    newest, count = defaultdict(int), 0
    for message in seen:
        count += message.event_ms < newest[message.vin]
        newest[message.vin] = max(newest[message.vin], message.event_ms)
    return count


def hours_late(seen):
    return sum(m.sent_ms - m.event_ms > HOUR_MS for m in seen)


def after_compaction(seen):
    """Messages of a day that arrive after 06:00 of the next, when that day was closed."""
    return sum(m.sent_ms > (m.event_ms // DAY_MS + 1) * DAY_MS + 6 * HOUR_MS for m in seen)


def steps_back(seen):
    count = 0
    for vin in {m.vin for m in seen}:
        counter = numbers(seen, vin, "DCChargingEnergyIn")[:, 1]
        step = np.diff(counter)
        count += int(((step < 0) & (counter[1:] > 0.5) & (step > -0.6)).sum())
    return count


def resends(seen):
    return sum(m.is_resend for m in seen)


def wrong_invalid_soc(seen):
    return sum("Soc" in m.data and value_of(m.data["Soc"]) is None for m in seen)


def stale_heads(seen):
    """First records of a connection whose Soc is far from the next one within some seconds."""
    by_connection = defaultdict(list)
    for m in seen:
        if "Soc" in m.data and value_of(m.data["Soc"]) is not None and not m.is_resend:
            by_connection[m.connection].append((m.event_ms, float(value_of(m.data["Soc"]))))
    count = 0
    for values in by_connection.values():
        first = sorted(values)[:3]
        moved = [abs(b[1] - a[1]) for a, b in pairwise(first) if b[0] - a[0] < 10_000]
        count += bool(moved) and max(moved) > 2
    return count


@pytest.mark.parametrize(
    ("detector", "least"),
    [
        (copies, 50),
        (resends, 50),
        (out_of_order, 500),
        (hours_late, 200),
        (after_compaction, 100),
        (steps_back, 5),
        (wrong_invalid_soc, 3),
        (stale_heads, 1),
    ],
)
def test_a_fault_is_there_and_absent_without_faults(detector, least, seen, clean_seen):
    assert detector(seen) >= least
    assert detector(clean_seen) == 0


def test_nothing_is_unreadable_without_faults(clean_messages):
    assert {message.expected for message in clean_messages} == {""}


def test_some_charges_end_without_a_record(scenario):
    sessions = [s for index in range(VEHICLES) for day in DAYS for s in scenario.fleet.car_day(index, day).sessions]
    assert sum(session.end_missing for session in sessions) >= 1
    assert sum(session.lost for session in sessions) >= 1


def last_words(seen, vin, until_ms):
    said = [m for m in seen if m.vin == vin and "DetailedChargeState" in m.data and m.event_ms < until_ms]
    return value_of(max(said, key=lambda m: m.event_ms).data["DetailedChargeState"])


def test_a_missing_end_leaves_the_car_charging_until_it_wakes(scenario, seen):
    """What the flag promises is what the topic shows: the next word on charging is from the next connection."""
    checked = 0
    for index, car in enumerate(scenario.fleet.cars):
        sessions = [s for day in DAYS for s in scenario.fleet.car_day(index, day).sessions]
        for session, following in pairwise(sessions):
            if session.end_missing and not session.lost and following.stretches:
                begins = int(following.stretches[0][1].time_ms[0])
                if day_of_ms(begins) <= DAYS[-1]:
                    checked += last_words(seen, car.vin, begins - 600) == "DetailedChargeStateCharging"
    assert checked >= 1


def test_lost_telemetry_is_marked_in_the_truth(scenario, seen):
    charges = scenario.truth(DAYS[-1]).charges.to_pylist()
    lost = [charge for charge in charges if not charge["observed"]]
    assert lost
    for charge in charges:
        inside = [
            m.event_ms
            for m in seen
            if m.vin == charge["vin"]
            and charge["start"].timestamp() * 1000 < m.event_ms < charge["end"].timestamp() * 1000
        ]
        late_end = charge["end"].date() >= DAYS[-1]  # may still be on its way
        assert bool(inside) == charge["observed"] or late_end


def test_current_sensors_of_some_cars_are_off_by_more_than_an_ampere(scenario, clean_scenario):
    offsets = [abs(car.current_offset_a) for car in scenario.fleet.cars]
    assert sum(offset >= 1.0 for offset in offsets) == 2
    assert all(abs(car.current_offset_a) < 0.6 for car in clean_scenario.fleet.cars)


def test_ideal_range_is_a_sentinel_on_s_and_x_only(scenario, seen):
    for car in scenario.fleet.cars:
        ranges = set(numbers(seen, car.vin, "IdealBatteryRange")[:, 1])
        assert (ranges == {999.0}) == (car.model.car_type in ("ModelS", "ModelX"))


def test_a_clock_ahead_is_ahead_by_more_than_the_tolerance_of_every_reader(messages):
    """No expected dead letter is a matter of rounding."""
    for message in messages:
        if message.expected == "clock_ahead":
            created = message.value.split(b'"createdAt"')[1].split(b'"')[1].decode()
            event_ms = int(np.datetime64(created[:-1], "ms").astype("int64"))
            assert event_ms - message.timestamp_ms > 5 * 60_000 + 60_000


def test_nothing_is_later_than_two_days(seen):
    assert max(m.sent_ms - m.event_ms for m in seen) < 2 * DAY_MS
    assert min(m.event_ms for m in seen) >= int(np.datetime64(FIRST, "ms").astype("int64"))


def test_the_rates_without_faults_are_all_zero():
    assert set(vars(NO_FAULTS).values()) == {0}
    assert all(rate > 0 for rate in vars(FAULT_RATES).values())


def test_broken_messages_are_spread_over_all_days(scenario):
    for day in DAYS[1:2]:
        found = scenario.dead_letters(day, day)
        assert found["not_json"] == FAULT_RATES.truncated_per_day
        assert found["bad_vin"] == FAULT_RATES.bad_vin_per_day
    assert scenario.dead_letters(FIRST - timedelta(days=2), FIRST - timedelta(days=1)) == Counter()

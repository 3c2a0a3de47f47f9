"""The vehicle buffer: the safe offset never passes anything undurable, whatever the order of events."""

import zlib
from collections import Counter

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ev_platform.ingest.buffer import DEAD, FlushReason, Limits, VehicleBuffer
from ev_platform.lake.layout import KafkaName, parse_temp_key
from ev_platform_tests.ingest.helpers import vin

P = ("tesla_V", 0)


def limits(**changes):
    base = {"max_messages": 1000, "flush_seconds": 30, "min_bytes": 0, "max_seconds": 300, "memory_bytes": 2**30}
    return Limits(**(base | changes))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class BufferMachine(RuleBasedStateMachine):
    """Any order of add, skip, timer, upload done, revoke; a plain model says what is durable."""

    buffer_class = VehicleBuffer

    def __init__(self):
        super().__init__()
        self.next = Counter()
        self.durable = {}
        self.undurable = {}
        self.in_flight = []
        self.forgotten = []
        self.stored = Counter()
        self.added = Counter()

    @initialize(
        count=st.integers(1, 5),
        size=st.integers(20, 200),
        memory=st.integers(50, 600),
        minimum=st.sampled_from([0, 40]),
    )
    def start(self, count, size, memory, minimum):
        self.clock = Clock()
        found = limits(max_messages=count, max_bytes=size, memory_bytes=memory, min_bytes=minimum)
        self.memory = memory
        self.buffer = self.buffer_class(found, self.clock)

    def launch(self, flushes):
        for flush in flushes:
            assert flush.n == flush.data.count(b"\n")
            self.in_flight.append(flush)

    @rule(
        partition=st.integers(0, 1),
        car=st.integers(0, 2),
        day=st.integers(1, 3),
        late=st.integers(0, 2),
        skip=st.integers(0, 2),
    )
    def add(self, partition, car, day, late, skip):
        place = ("tesla_V", partition)
        offset = self.next[place] + skip
        self.next[place] = offset + 1
        who = DEAD if car == 2 else vin(car)
        line = b'{"_o":%d}\n' % offset
        self.undurable.setdefault(place, set()).add(offset)
        self.added[place, offset] += 1
        self.launch(self.buffer.add(place, offset, who, f"2026-11-0{day}", line, f"2026-11-0{min(3, day + late)}"))

    @rule(partition=st.integers(0, 1), by=st.integers(1, 3))
    def skip(self, partition, by):
        place = ("tesla_V", partition)
        self.next[place] += by
        self.buffer.advance(place, self.next[place])

    @rule(seconds=st.integers(0, 400))
    def wait(self, seconds):
        self.clock.now += seconds
        self.launch(self.buffer.due())

    @rule(partition=st.none() | st.integers(0, 1))
    def flush(self, partition):
        self.launch(self.buffer.flush_all(FlushReason.STOP, None if partition is None else [("tesla_V", partition)]))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def upload_done(self, data):
        flush = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        place = (flush.source, flush.partition)
        if not any(flush is old for old in self.forgotten):
            offsets = {int(line[6:-1]) for line in flush.data.splitlines()}
            assert offsets <= self.undurable[place]
            assert (min(offsets), max(offsets)) == (flush.first, flush.last)
            self.undurable[place] -= offsets
            self.stored.update((place, offset) for offset in offsets)
        self.buffer.done(flush)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def upload_failed(self, data):
        """It goes to the end of the line and is tried again: nothing is given back, so nothing may be committed."""
        self.in_flight.append(self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1))))

    @precondition(lambda self: self.next)
    @rule(partition=st.integers(0, 1))
    def revoke(self, partition):
        """Another member reads from the committed offset on; what was undurable is read again there."""
        place = ("tesla_V", partition)
        self.buffer.forget(place)
        self.forgotten += [flush for flush in self.in_flight if flush.partition == partition]
        for offset in self.undurable.pop(place, ()):
            del self.added[place, offset]

    @invariant()
    def safe_is_at_or_below_everything_undurable(self):
        for place in self.buffer.places() if hasattr(self, "buffer") else []:
            waiting = self.undurable.get(place, set())
            safe = self.buffer.safe_offset(place)
            assert all(safe <= offset for offset in waiting), (place, safe, waiting)
            if not waiting:
                assert safe == self.buffer.next_position(place)
            else:
                assert safe == min(waiting)

    @invariant()
    def memory_is_counted_and_bounded(self):
        if not hasattr(self, "buffer"):
            return
        live = [flush for flush in self.in_flight if not any(flush is old for old in self.forgotten)]
        assert self.buffer.in_flight_bytes == sum(len(flush.data) for flush in live)
        held = sum(len(b'{"_o":%d}\n' % o) for offsets in self.undurable.values() for o in offsets)
        assert self.buffer.open_bytes + self.buffer.in_flight_bytes == held
        assert self.buffer.open_bytes <= max(self.memory, 30)

    def teardown(self):
        if hasattr(self, "buffer"):
            self.launch(self.buffer.flush_all(FlushReason.END))
            for flush in self.in_flight:
                if not any(flush is old for old in self.forgotten):
                    self.buffer.done(flush)
                    place = (flush.source, flush.partition)
                    self.stored.update((place, int(line[6:-1])) for line in flush.data.splitlines())
            assert self.stored == self.added  # every line went out exactly once
            assert self.buffer.open_bytes == self.buffer.in_flight_bytes == 0


def test_the_safe_offset_holds_in_any_order():
    run_state_machine_as_test(BufferMachine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


class CommitsWhatWasRead(VehicleBuffer):
    def safe_offset(self, place):
        return self.next_position(place)


class ForgetsInFlight(VehicleBuffer):
    def safe_offset(self, place):
        opened = self._partitions[place].open.values()
        return min((one.first for one in opened), default=self.next_position(place))


class HighestFlushed(VehicleBuffer):
    def safe_offset(self, place):
        flying = self._partitions[place].in_flight
        return max((one.first for one in flying), default=super().safe_offset(place))


@pytest.mark.parametrize("mutant", [CommitsWhatWasRead, ForgetsInFlight, HighestFlushed])
def test_a_broken_rule_is_caught(mutant):
    machine = type("Mutant", (BufferMachine,), {"buffer_class": mutant})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine, settings=settings(max_examples=200, deadline=None, database=None, phases=[Phase.generate])
        )


def fill(buffer, lines, place=P, broker_day="2026-11-01"):
    return [
        flush
        for offset, (who, day, line) in enumerate(lines)
        for flush in buffer.add(place, offset, who, day, line, broker_day)
    ]


def test_flush_by_count_and_by_bytes():
    buffer = VehicleBuffer(limits(max_messages=3), Clock())
    found = fill(buffer, [(vin(1), "2026-11-01", b"x\n")] * 7)
    assert [(flush.first, flush.last, flush.n, flush.reason) for flush in found] == [
        (0, 2, 3, "count"),
        (3, 5, 3, "count"),
    ]
    buffer = VehicleBuffer(limits(max_bytes=10), Clock())
    found = fill(buffer, [(vin(1), "2026-11-01", b"xxx\n")] * 7)
    assert [(flush.n, flush.reason) for flush in found] == [(3, "bytes"), (3, "bytes")]
    assert buffer.reasons == {"bytes": 2}


def test_flush_by_age_counts_from_the_first_message():
    clock = Clock()
    buffer = VehicleBuffer(limits(flush_seconds=30, max_seconds=300, min_bytes=10), clock)
    buffer.add(P, 0, vin(1), "2026-11-01", b"long enough\n")
    buffer.add(P, 1, vin(2), "2026-11-01", b"x\n")
    clock.now = 20
    buffer.add(P, 2, vin(1), "2026-11-01", b"more\n")
    clock.now = 29.9
    assert buffer.due() == []
    clock.now = 30
    assert [(flush.vin, flush.n) for flush in buffer.due()] == [(vin(1), 2)]
    clock.now = 299
    assert buffer.due() == []
    clock.now = 300
    assert [(flush.vin, flush.reason) for flush in buffer.due()] == [(vin(2), "age")]


def test_dead_letters_go_by_the_longest_timer_and_never_by_day():
    """Without any timer one dead letter would hold the commits of a service for ever."""
    clock = Clock()
    buffer = VehicleBuffer(limits(max_messages=2), clock)
    buffer.add(P, 0, DEAD, "2026-11-01", b"x\n", "2026-11-01")
    clock.now = 299
    assert buffer.due() == []
    assert buffer.add(P, 1, vin(1), "2026-11-02", b"x\n", "2026-11-02") == []
    assert buffer.safe_offset(P) == 0  # they hold the commit back until they are durable
    assert [flush.dead for flush in buffer.add(P, 2, DEAD, "2026-11-01", b"x\n", "2026-11-02")] == [True]
    buffer.add(P, 3, DEAD, "2026-11-01", b"x\n", "2026-11-02")
    clock.now = 599
    assert [(flush.dead, flush.reason) for flush in buffer.due()] == [(False, "age"), (True, "age")]


def test_a_new_day_of_the_stream_closes_the_days_before_once():
    buffer = VehicleBuffer(limits(), Clock())
    lines = [(vin(1), "2026-11-01", b"a\n"), (vin(2), "2026-11-01", b"b\n")]
    assert fill(buffer, lines) == []
    over = buffer.add(P, 2, vin(1), "2026-11-02", b"c\n", "2026-11-02")
    assert [(flush.vin, flush.day, flush.reason) for flush in over] == [
        (vin(1), "2026-11-01", "day"),
        (vin(2), "2026-11-01", "day"),
    ]
    assert buffer.add(P, 3, vin(1), "2026-11-01", b"late\n", "2026-11-02") == []  # late data waits like any other
    assert buffer.add(P, 4, vin(1), "2026-11-02", b"d\n", "2026-11-02") == []


def test_memory_takes_the_largest_first():
    buffer = VehicleBuffer(limits(memory_bytes=100), Clock())
    buffer.add(P, 0, vin(1), "2026-11-01", b"s" * 10)
    buffer.add(P, 1, vin(2), "2026-11-01", b"l" * 60)
    found = buffer.add(P, 2, vin(3), "2026-11-01", b"m" * 35)
    assert [(flush.vin, flush.reason) for flush in found] == [(vin(2), "memory")]
    assert (buffer.open_bytes, buffer.in_flight_bytes) == (45, 60)


def test_names_follow_from_content_alone():
    def one(clock_start, memory):
        clock = Clock()
        clock.now = clock_start
        buffer = VehicleBuffer(limits(memory_bytes=memory), clock)
        lines = [(vin(n % 2), "2026-11-01", b'{"n":%d}\n' % n) for n in range(6)]
        fill(buffer, lines)
        return {flush.key(): flush.data for flush in buffer.flush_all(FlushReason.END)}

    first, again = one(0, 2**30), one(9999, 2**20)
    assert first == again
    for key, data in first.items():
        who, day, name = parse_temp_key(key)
        assert (who in {vin(0), vin(1)}, day) == (True, "2026-11-01")
        assert name == KafkaName("tesla_V", 0, name.first, name.last, data.count(b"\n"), zlib.crc32(data))


def test_dead_letter_key():
    buffer = VehicleBuffer(limits(), Clock())
    buffer.add(P, 7, DEAD, "2026-11-03", b"x\n")
    (flush,) = buffer.flush_all(FlushReason.END)
    assert flush.key().startswith(f"dead_letter/2026/11/03/tesla_V-00000-{7:020d}-{7:020d}-1-")

"""The feed: the broker always gets the one sequence, whatever happened before. Against real mock brokers."""

import functools
import itertools
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from ev_platform.errors import UserError
from ev_platform.simulate import feed as feed_module
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.pacing import Ahead, Pace, batches
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.sequence import Walk, cut, numbered_days
from ev_platform.simulate.wire import Message
from ev_platform_tests.simulate.cases import DAYS, FIRST

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECOND_NOON = NOON + timedelta(days=1)
BUDGET = 200_000


class Remembered(Scenario):
    """Makes each day once: these tests are about sending."""

    @functools.cache  # noqa: B019 - one scenario per module
    def day_messages(self, day):
        return super().day_messages(day)


@pytest.fixture(scope="module")
def small() -> Scenario:
    return Remembered(seed=5, vehicles=5, first_day=FIRST)


@pytest.fixture(scope="module")
def wanted(small):
    """(partition, offset, timestamp, key, value, headers) of everything before the second noon."""
    limit, result = SECOND_NOON.timestamp() * 1000, []
    for day, messages in numbered_days(small):
        if day > DAYS[1]:
            return sorted(result)
        result += [
            (m.partition, o, m.timestamp_ms, m.key or b"", m.value or b"", m.headers)
            for o, m in messages
            if m.timestamp_ms < limit
        ]
    return result


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch):
    monkeypatch.setattr("ev_platform.simulate.pacing._POLL_SECONDS", 0.005)


def consume(bootstrap, scenario, count):
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "check", "log_level": 0, "fetch.wait.max.ms": 10})
    reader.assign([TopicPartition(scenario.topic, p, 0) for p in range(scenario.partitions)])
    found, deadline = [], time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline:
        found += reader.consume(5000, 0.1)
    found += reader.consume(10, 0.2)  # nothing may follow
    reader.close()
    return sorted(
        (m.partition(), m.offset(), m.timestamp()[1], m.key() or b"", m.value() or b"", m.headers()) for m in found
    )


def advance_to(feed, until, steps=10_000):
    """Chunks sent (sizes), at most `steps` calls."""
    sizes = []
    for _ in range(steps):
        step = feed.advance(until, BUDGET)
        sizes.append(step.messages)
        if step.reached:
            break
    return sizes


def test_the_broker_gets_exactly_the_sequence(small, wanted, new_broker):
    bootstrap = new_broker()
    with Feed(bootstrap, small, "group", {}) as feed:
        sizes = advance_to(feed, SECOND_NOON)
        assert len(sizes) > 4
        again = feed.advance(SECOND_NOON, BUDGET)
        assert (again.messages, again.bytes, again.reached) == (0, 0, True)
    assert consume(bootstrap, small, len(wanted)) == wanted


def test_another_feed_goes_on_where_the_broker_stands_with_the_same_chunks(small, wanted, new_broker):
    whole_way, in_two = new_broker(), new_broker()
    with Feed(whole_way, small, "group", {}) as feed:
        sizes = advance_to(feed, SECOND_NOON)
    with Feed(in_two, small, "group", {}) as feed:
        first = advance_to(feed, SECOND_NOON, steps=3)
    with Feed(in_two, small, "group", {}) as feed:
        second = advance_to(feed, SECOND_NOON)
    assert first + second == sizes
    assert consume(in_two, small, len(wanted)) == wanted


def test_a_feed_stopped_in_the_middle_of_a_chunk_ends_at_the_same_border(small, new_broker):
    """Only some partitions of a chunk have arrived, as after a kill: the rest of that chunk comes first."""
    bootstrap = new_broker()
    walk = Walk(small, BUDGET)
    chunk = [(o, m) for o, m in walk.chunk.messages if m.partition == 1]
    with Feed(bootstrap, small, "group", {}) as feed:
        feed._send(chunk[: len(chunk) // 2], feed.high_watermarks())
    with Feed(bootstrap, small, "group", {}) as feed:
        step = feed.advance(SECOND_NOON, BUDGET)
        assert step.messages == len(walk.chunk.messages) - len(chunk) // 2
        walk.move()
        assert feed.high_watermarks() == list(walk.chunk.first)


def test_a_broker_that_lost_everything_gets_the_identical_sequence(small, wanted, new_broker):
    first, second = new_broker(), new_broker()
    with Feed(first, small, "group", {}) as feed:
        advance_to(feed, SECOND_NOON)
    with Feed(second, small, "group", {}) as feed:
        advance_to(feed, SECOND_NOON)
    assert consume(second, small, len(wanted)) == consume(first, small, len(wanted)) == wanted


def test_a_feed_notices_that_its_broker_is_empty_again(small, wanted, new_broker, monkeypatch):
    """The same feed object, in the middle of a day: it starts from the beginning, not at the next chunk."""
    bootstrap = new_broker()
    with Feed(bootstrap, small, "group", {}) as feed:
        advance_to(feed, SECOND_NOON, steps=3)
        sent = []
        monkeypatch.setattr(feed, "_send", lambda messages, high: sent.extend(messages))
        monkeypatch.setattr(feed, "high_watermarks", lambda: [0] * small.partitions)
        feed.advance(SECOND_NOON, BUDGET)
    assert {m.partition: o for o, m in reversed(sent)} == dict.fromkeys(range(small.partitions), 0)


def test_until_in_the_middle_of_a_chunk_stops_there(small, wanted, new_broker):
    bootstrap = new_broker()
    until = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
    with Feed(bootstrap, small, "group", {}) as feed:
        while not feed.advance(until).reached:
            pass
        before = sum(feed.high_watermarks())
        assert before == sum(row[2] < until.timestamp() * 1000 for row in wanted)
        advance_to(feed, SECOND_NOON)
    assert consume(bootstrap, small, len(wanted)) == wanted


def test_chunks_respect_the_budget_and_leave_nothing_out(small):
    messages = small.day_messages(FIRST)
    chunks = cut(messages, (10, 0, 0, 0), BUDGET)
    assert len(chunks) > 3
    assert [m for chunk in chunks for _, m in chunk.messages] == messages
    expected = [10, 0, 0, 0]
    for chunk in chunks:
        assert chunk.first == tuple(expected)
        used = [0] * 4
        for offset, message in chunk.messages:
            assert offset == expected[message.partition]
            expected[message.partition] += 1
            used[message.partition] += message.size
        assert max(used) <= BUDGET
    fuller = cut(messages, (0, 0, 0, 0), 2 * BUDGET)
    assert len(fuller) < len(chunks)


def test_another_producer_in_the_topic_is_an_error(small, new_broker):
    bootstrap = new_broker()
    with Feed(bootstrap, small, "group", {}) as feed:
        feed.advance(NOON, BUDGET)
        stranger = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
        high = feed.high_watermarks()
        waiting = [(o, m) for o, m in Walk(small, 2**40).chunk.messages if o >= high[m.partition]]
        for partition in range(4):
            stranger.produce(small.topic, b"x", partition=partition)
        stranger.flush(10)
        with pytest.raises(UserError, match="another producer"):
            feed._send(waiting, high)


def test_a_topic_with_too_few_partitions_is_one_clear_line(new_broker):
    wide = Scenario(seed=5, vehicles=5, first_day=FIRST, partitions=6)
    with pytest.raises(UserError, match="has 4 partitions, the scenario needs 6") as error:
        Feed(new_broker(), wide, "group", {})
    assert "\n" not in str(error.value)


def test_no_broker_is_one_clear_line_within_the_limit(small, monkeypatch):
    assert feed_module._TIMEOUT_SECONDS < 15
    monkeypatch.setattr(feed_module, "_TIMEOUT_SECONDS", 1.0)
    with pytest.raises(UserError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        Feed("127.0.0.1:1", small, "group", {})


def test_options_that_do_not_exist_are_one_clear_line(small):
    with pytest.raises(UserError, match="EV_KAFKA_OPTIONS"):
        Feed("127.0.0.1:1", small, "group", {"no.such.option": "1"})


# -- the long-running form ---------------------------------------------------------------------------------------------


def test_run_sends_the_same_sequence_and_waits_for_the_reader(small, wanted, new_broker):
    """A slow reader commits step by step: unread bytes never exceed the budget, and all arrives."""
    bootstrap = new_broker()
    limit = SECOND_NOON.timestamp() * 1000
    two_days = itertools.islice(numbered_days(small), 2)
    sizes = {(m.partition, o): m.size for _, row in two_days for o, m in row if m.timestamp_ms < limit}
    budget, most, done = 100_000, 0, threading.Event()
    total = []

    def produce():
        with Feed(bootstrap, small, "slow", {}) as feed:
            total.append(feed.run(SECOND_NOON, real_time=False, max_bytes_ahead=budget))
        done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "slow", "log_level": 0})
    partitions = [TopicPartition(small.topic, p, 0) for p in range(small.partitions)]
    deadline = time.monotonic() + 40
    while not done.is_set() and time.monotonic() < deadline:
        time.sleep(0.03)
        for part in partitions:
            try:
                high = reader.get_watermark_offsets(TopicPartition(small.topic, part.partition), timeout=5)[1]
            except Exception:  # the topic is not there yet
                continue
            unread = sum(sizes[part.partition, offset] for offset in range(part.offset, high))
            most = max(most, unread)
            part.offset = high
        reader.commit(offsets=partitions, asynchronous=False)
    thread.join(10)
    reader.close()
    assert total == [len(wanted)]
    assert 0 < most <= budget
    assert consume(bootstrap, small, len(wanted)) == wanted


def test_run_without_a_reader_stops_at_the_budget_and_on_request(small, new_broker):
    bootstrap, begin = new_broker(), time.monotonic()
    with Feed(bootstrap, small, "nobody", {}) as feed:
        sent = feed.run(
            SECOND_NOON, real_time=False, stop=lambda: time.monotonic() - begin > 1.5, max_bytes_ahead=100_000
        )
        on_broker = sum(feed.high_watermarks())
        assert sent == on_broker > 0
        held, high = [0] * 4, feed.high_watermarks()
        for offset, message in next(numbered_days(small))[1]:
            if offset < high[message.partition]:
                held[message.partition] += message.size
        assert max(held) <= 100_000
        # What an earlier run left unread counts as well.
        begin = time.monotonic()
        assert feed.run(NOON, real_time=False, stop=lambda: time.monotonic() - begin > 0.5, max_bytes_ahead=1000) == 0


def test_run_starts_again_when_the_broker_lost_everything(small, new_broker, monkeypatch):
    bootstrap = new_broker()
    with Feed(bootstrap, small, "group", {}) as feed:
        real, calls = feed._send, []

        def lose_once(messages, high):
            calls.append(messages[0][0])
            if len(calls) == 2:
                raise feed_module._BrokerLostData
            real(messages, feed.high_watermarks())

        monkeypatch.setattr(feed, "_send", lose_once)
        feed.run(NOON, real_time=False, max_bytes_ahead=2**30)
        until_noon = sum(m.timestamp_ms < NOON.timestamp() * 1000 for m in small.day_messages(FIRST))
        assert sum(feed.high_watermarks()) == until_noon


def test_sending_at_the_wrong_place_is_refused(small, new_broker):
    """The guard itself: less on the broker than expected is loss, more is another producer."""
    with Feed(new_broker(), small, "group", {}) as feed:
        messages = Walk(small, BUDGET).chunk.messages
        behind = [(o + 1, m) for o, m in messages]
        with pytest.raises(feed_module._BrokerLostData):
            feed._send(behind, feed.high_watermarks())
        with pytest.raises(UserError, match="another producer"):
            feed._send(messages, [5] * small.partitions)
        assert feed.high_watermarks() == [0] * small.partitions


def message(partition, timestamp_ms, size):
    return Message(partition, timestamp_ms, None, b"x" * (size - 12), [])


def test_batches_respect_span_and_budget():
    row = [(n, message(n % 2, 100 * n, 100)) for n in range(20)]
    by_time = batches(row, span_ms=300, budget=10**9)
    assert [len(batch) for batch in by_time] == [4] * 5
    by_size = batches(row, span_ms=10**9, budget=250)
    assert [len(batch) for batch in by_size] == [4] * 5
    assert [pair for batch in by_size for pair in batch] == row


def test_ahead_counts_only_what_the_reader_has_not_committed():
    ahead = Ahead([0, 0], budget=1000)
    first = [(n, message(0, n, 300)) for n in range(3)]
    ahead.add(first)
    more = [(3, message(0, 4, 300))]
    other = [(0, message(1, 4, 300))]
    assert not ahead.fits(more, lambda: [0, 0])
    assert ahead.fits(other, lambda: [0, 0])
    assert ahead.fits(more, lambda: [2, 0])
    huge = [(0, message(1, 4, 5000))]
    assert ahead.fits(huge, lambda: [2, 0])


def test_pace_follows_the_clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("ev_platform.simulate.pacing.time.monotonic", lambda: now[0])
    pace = Pace(speed=10.0)
    assert pace.reached(5_000)
    assert not pace.reached(6_000)
    now[0] += 0.11
    assert pace.reached(6_000)
    assert Pace(speed=0.0).reached(10**15)

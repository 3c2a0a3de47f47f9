"""The long-running consumer on every broker: what it stores, when, and what it leaves to whoever comes next."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from ev_platform.errors import UserError
from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import drain
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.group import members
from ev_platform.ingest.service import Service
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.ingest.helpers import (
    Sent,
    commit,
    committed,
    filled,
    fleet,
    identities,
    lake_objects,
    payload,
    send,
    vin,
)
from ev_platform_tests.services import RealKafka

PATIENCE = 120.0
"""Seconds until a test gives up waiting: far beyond what a loaded machine needs."""


@pytest.fixture
def quick(settings):
    return settings.with_changes(
        buffer_max_messages=50,
        buffer_flush_seconds=0.3,
        buffer_max_seconds=0.6,
        commit_seconds=0.2,
        kafka_options={"session.timeout.ms": "6000", "heartbeat.interval.ms": "300"},
    )


def eventually(what, *alive):
    """Wait until it is true; a service that died meanwhile shows its error."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        for one in alive:
            if one.error is not None:
                raise one.error
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Running:
    """A service in a thread."""

    def __init__(self, settings, store, kind=Service, **options):
        self.stop = threading.Event()
        self.error = None
        self.days = Counter()
        self.service = kind(settings, store, stop=self.stop.is_set, **{"stored": self.days.update, **options})
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.service.run()
        except Exception as error:
            self.error = error

    @property
    def report(self):
        return self.service.report

    def end(self):
        self.stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error


@contextmanager
def running(settings, store, **options):
    one = Running(settings, store, **options)
    try:
        yield one
    finally:
        one.stop.set()
    one.end()


def all_committed(settings, total):
    return lambda: sum(offset or 0 for offset in committed(settings).values()) == total


def test_everything_is_stored_told_and_committed(cluster, quick, store, topic):
    messages = fleet(600)
    messages[10].value, messages[11].value = b"bad", None
    filled(cluster, topic, messages)
    with running(quick, store) as one:
        eventually(all_committed(quick, 600), one)
        send(cluster.bootstrap, topic, fleet(90))
        eventually(all_committed(quick, 690), one)
    found = audit(store, committed(quick))
    assert str(found) == "0 lost, 0 doubled"
    assert sum(part.stored for part in found.partitions) == 688
    assert len(identities(store)) == len(set(identities(store))) == 688
    assert (one.report.records, one.report.tombstones, one.report.dead_letters["not_json"]) == (688, 1, 1)
    assert one.days == one.report.days
    assert one.report.flushes["age"] > 0
    assert sum(one.report.latency.values()) == one.report.objects == len(store.keys("temp")) + 1
    assert one.report.lag_messages == 0


def test_the_same_records_as_a_drain(cluster, quick, store, topic, tmp_path):
    filled(cluster, topic, fleet(300))
    with running(quick, store) as one:
        eventually(all_committed(quick, 300), one)
    other = quick.with_changes(kafka_group=f"{topic}-drain", lake_url=str(tmp_path / "drained"))
    drain(other, ObjectStore(other.lake), None)

    def lines(lake):
        return sorted(line for key, data in lake_objects(lake).items() for line in data.splitlines() if "temp" in key)

    assert lines(store) == lines(ObjectStore(other.lake))


def test_nothing_is_committed_before_it_is_durable(cluster, quick, store, topic):
    """Uploads that hang hold every commit of their partition, whatever else was stored."""
    filled(cluster, topic, fleet(300, partitions=1), 1)
    hang = threading.Event()

    class Hanging(Service):
        def put(self, key, data):
            if vin(3) in key and not hang.is_set():
                hang.wait(PATIENCE)
            super().put(key, data)

    with running(quick, store, kind=Hanging) as one:
        eventually(lambda: one.report.records == 300 and one.service.figures.committed.get((topic, 0), 0) > 0, one)
        assert committed(quick) == {(topic, 0): 3}
        assert len(set(identities(store))) > 200
        hang.set()
        eventually(all_committed(quick, 300), one)


def test_stopped_it_stores_commits_and_leaves(cluster, quick, store, topic):
    filled(cluster, topic, fleet(300, days=1))
    slow = quick.with_changes(buffer_flush_seconds=3600, buffer_max_seconds=3600, buffer_max_messages=10**6)
    with running(slow, store) as one:
        eventually(lambda: one.report.messages == 300, one)
        assert lake_objects(store) == {}
        assert members(quick) == 1
    assert one.report.flushes == {"stop": 10}
    assert all_committed(quick, 300)()
    if isinstance(cluster, RealKafka):  # the embedded broker never forgets that a group had members
        eventually(lambda: members(quick) == 0)
    assert audit(store, committed(quick)).ok
    assert drain(quick, store, None).messages == 0


def test_two_members_share_and_hand_over(cluster, quick, store, topic):
    filled(cluster, topic, fleet(300))
    with running(quick, store) as first:
        eventually(all_committed(quick, 300), first)
        with running(quick, ObjectStore(quick.lake)) as second:
            eventually(lambda: second.service.figures.committed, first, second)
            eventually(lambda: len(first.service.figures.committed) + len(second.service.figures.committed) == 3)
            send(cluster.bootstrap, topic, fleet(600))
            eventually(all_committed(quick, 900), first, second)
            assert first.report.records + second.report.records == 900
        eventually(lambda: len(first.service.figures.committed) == 3, first)
        send(cluster.bootstrap, topic, fleet(90))
        eventually(all_committed(quick, 990), first)
    assert audit(store, committed(quick)).ok
    assert len(identities(store)) == len(set(identities(store))) == 990


def test_drains_wait_while_it_lives(cluster, quick, store, topic):
    filled(cluster, topic, fleet(30))
    with running(quick, store) as one:
        eventually(all_committed(quick, 30), one)
        send(cluster.bootstrap, topic, fleet(30))
        assert "in the group" in drain(quick, store, None).refused
        eventually(all_committed(quick, 60), one)
    assert one.report.records == 60


def test_what_expired_before_it_was_read_is_a_known_gap(cluster, quick, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, quick.kafka_group, {(topic, 0): 10})
    cluster.delete_records(topic, 0, 40)
    with running(quick, store) as one:
        eventually(all_committed(quick, 300), one)
    assert [(gap.partition, gap.first, gap.last) for gap in known_gaps(store)] == [(0, 10, 39)]
    assert one.report.records == 260
    assert [part.gaps for part in audit(store, committed(quick)).partitions] == [30, 0, 0]


def test_reading_pauses_at_the_memory_limit_and_goes_on(cluster, quick, store, topic):
    cluster.create_topic(topic, 1)
    big = [Sent(payload(n % 5, n=n, filler="x" * 20_000), 0, vin(n % 5).encode()) for n in range(150)]
    send(cluster.bootstrap, topic, big)
    jam = threading.Event()

    class Jammed(Service):
        def put(self, key, data):
            jam.wait(PATIENCE)
            super().put(key, data)

    tight = quick.with_changes(buffer_memory_bytes=2**20)
    with running(tight, store, kind=Jammed) as one:
        eventually(lambda: one.service.figures.paused, one)
        held = one.service.buffer.open_bytes + one.service.buffer.in_flight_bytes
        assert held <= sum(len(sent.value) + 100 for sent in big)
        assert committed(quick)[topic, 0] in (None, 0)
        send(cluster.bootstrap, topic, big)
        time.sleep(1)
        assert one.report.messages < 300  # what comes meanwhile waits in Kafka
        jam.set()
        eventually(all_committed(quick, 300), one)
    assert one.service.figures.pauses > 0
    assert audit(store, committed(quick)).ok


def test_a_lake_that_fails_for_a_while_is_waited_for(cluster, quick, store, topic):
    filled(cluster, topic, fleet(90))
    failures = iter(range(25))

    class Flaky(Service):
        def put(self, key, data):
            if next(failures, None) is not None:
                raise OSError("503 slow down")
            super().put(key, data)

    with running(quick, store, kind=Flaky) as one:
        eventually(all_committed(quick, 90), one)
    assert one.report.retries + one.report.commit_errors == 25
    assert audit(store, committed(quick)).ok


def test_whoever_has_to_hear_of_a_day_does_before_its_commit(cluster, quick, store, topic):
    filled(cluster, topic, fleet(90))
    answers = iter([RuntimeError("database is down"), RuntimeError("database is down")])
    heard = Counter()

    def tell(days):
        error = next(answers, None)
        if error is not None:
            assert not any(committed(quick).values())
            raise error
        heard.update(days)

    with running(quick, store, stored=tell) as one:
        eventually(all_committed(quick, 90), one)
    assert one.report.commit_errors == 2
    assert heard == {"2026-11-01": 45, "2026-11-02": 45}


def test_a_lake_that_forbids_writing_ends_it_with_one_line(cluster, quick, store, topic):
    filled(cluster, topic, fleet(30))

    class Forbidden(Service):
        def put(self, key, data):
            raise PermissionError("access denied")

    one = Running(quick, store, kind=Forbidden)
    with pytest.raises(UserError, match="cannot be written"):
        eventually(lambda: False, one)
    assert not any(committed(quick).values())


def test_no_broker_is_one_clear_line(quick, store):
    with pytest.raises(UserError, match="does not answer"):
        Service(quick.with_changes(kafka_bootstrap="127.0.0.1:1", kafka_timeout_seconds=1), store).run()


@pytest.fixture
def kip_848(quick):
    return quick.with_changes(kafka_options={"group.protocol": "consumer"})


def test_the_new_group_protocol(real_kafka, kip_848, store, topic):
    """KIP-848, which only a real broker of version 4 has: the same promises, and drains under the same options."""
    mine = kip_848.with_changes(kafka_bootstrap=real_kafka.bootstrap)
    filled(real_kafka, topic, fleet(300))
    with running(mine, store) as first:
        eventually(all_committed(mine, 300), first)
        assert members(mine) == 1
        assert "in the group" in drain(mine, store, None).refused
        with running(mine, ObjectStore(mine.lake)) as second:
            eventually(lambda: second.service.figures.committed, first, second)
            send(real_kafka.bootstrap, topic, fleet(300))
            eventually(all_committed(mine, 600), first, second)
    eventually(lambda: members(mine) == 0)
    send(real_kafka.bootstrap, topic, fleet(90))
    assert drain(mine, store, None).records == 90
    assert audit(store, committed(mine)).ok

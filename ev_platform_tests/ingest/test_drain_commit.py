"""What a drain commits, and what it says about offsets that expired: forward only, no jump, no silent gap."""

import logging
import threading
import time
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer

from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import Drain, OffsetRange, drain
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.group import members
from ev_platform.ingest.lag import probe
from ev_platform.ingest.offsets import Gap
from ev_platform_tests.ingest.helpers import (
    commit,
    committed,
    filled,
    fleet,
    identities,
    lake_objects,
)
from ev_platform_tests.services import RealKafka

# -- the commit -----------------------------------------------------------------------------------------------------


def test_an_old_range_never_moves_the_commit_back(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 90})
    report = drain(settings, store, [OffsetRange(topic, 0, 0, 50)])
    assert (report.messages, report.committed, report.not_committed) == (50, {}, {})
    assert committed(settings)[topic, 0] == 90


def test_a_drain_that_was_overtaken_never_moves_the_commit_back(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))

    class Slow(Drain):
        def write_receipt(self, ledger):
            super().write_receipt(ledger)
            commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 90})

    assert Slow(settings, store).run([OffsetRange(topic, 0, 0, 50)]).committed == {}
    assert committed(settings)[topic, 0] == 90


def test_a_commit_never_jumps_over_what_was_not_read(cluster, settings, store, topic, caplog):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10})
    with caplog.at_level(logging.WARNING):
        report = drain(settings, store, [OffsetRange(topic, 0, 20, 50), OffsetRange(topic, 1, 5, 50)])
    assert report.records == 75
    assert report.committed == {}
    assert report.not_committed == {
        (topic, 0): "offsets 10 to 19 were not read",
        (topic, 1): "offsets 0 to 4 were not read",
    }
    assert "not committed" in caplog.text
    assert committed(settings) == {(topic, 0): 10, (topic, 1): None, (topic, 2): None}


def test_a_range_that_overlaps_the_commit_moves_it_forward(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10})
    assert drain(settings, store, [OffsetRange(topic, 0, 5, 50)]).committed == {(topic, 0): 50}


@contextmanager
def a_member(cluster, settings, topic):
    """Somebody who has joined the group, as the service does."""
    options = {"enable.auto.commit": False, "log_level": 0}
    member = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": settings.kafka_group, **options})
    joined = threading.Event()
    member.subscribe([topic], on_assign=lambda *_: joined.set())
    while not joined.is_set():
        member.poll(0.1)
    yield
    member.close()


def test_a_drain_does_not_begin_while_a_member_of_the_group_lives(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    with a_member(cluster, settings, topic):
        report = drain(settings, store, None)
        assert "1 in the group" in report.refused
        assert (report.messages, report.committed, lake_objects(store)) == (0, {}, {})
        assert drain(settings, store, [OffsetRange(topic, 0, 0, 50)], commit=False).messages == 50  # a replay may
    if isinstance(cluster, RealKafka):  # the embedded broker never forgets that a group had members
        while members(settings):
            time.sleep(0.05)
        assert drain(settings, store, None).records == 300


def test_refused_when_a_member_joins_while_it_drains(cluster, settings, store, topic, monkeypatch):
    monkeypatch.setattr("ev_platform.ingest.drain.members", lambda _: 0)  # it looked before the member was there
    filled(cluster, topic, fleet(300))
    with a_member(cluster, settings, topic):
        report = drain(settings, store, None)
        assert report.records == 300
        assert report.committed == {}
        assert report.commit_errors == 1
        assert set(report.not_committed) == {(topic, 0), (topic, 1), (topic, 2)}
        assert "nknown member" in next(iter(report.not_committed.values()))
        assert len(set(identities(store))) == 300
        before = lake_objects(store)
        assert drain(settings, store, None).records == 300  # read again, and the same again
        assert lake_objects(store) == before
        assert committed(settings) == dict.fromkeys(report.not_committed)


def test_an_empty_range_and_a_topic_that_is_gone(cluster, settings, store, topic):
    report = drain(settings, store, [OffsetRange(topic, 0, 0, 50)])
    assert (report.messages, report.committed) == (0, {})
    assert drain(settings, store, None).messages == 0
    cluster.create_topic(topic, 1)
    assert drain(settings, store, [OffsetRange(topic, 0, 0, 0), OffsetRange(topic, 5, 0, 9)]).messages == 0
    assert lake_objects(store) == {}


def test_a_log_that_was_created_again_is_read_from_its_start(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 5000})
    report = drain(settings, store, None)
    assert report.records == 300
    assert report.committed == committed(settings)
    assert audit(store, committed(settings)).ok


# -- retention ------------------------------------------------------------------------------------------------------


def test_what_expired_unread_is_a_known_gap(cluster, settings, store, topic, caplog):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10})
    cluster.delete_records(topic, 0, 40)
    cluster.delete_records(topic, 1, 30)
    cluster.delete_records(topic, 2, 7)
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 2): 7})
    gaps = [Gap(topic, 0, 10, 39, "expired before it was read"), Gap(topic, 1, 0, 29, "expired before it was read")]
    report = drain(settings, store, None)
    assert report.gaps == known_gaps(store) == gaps
    assert "are lost" in caplog.text
    assert report.committed == committed(settings)
    found = audit(store, committed(settings))
    assert found.ok
    assert [part.gaps for part in found.partitions] == [30, 30, 0]


def test_without_the_gap_the_audit_would_see_a_loss(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    drain(settings, store, [OffsetRange(topic, 0, 0, 10)])
    cluster.delete_records(topic, 0, 40)
    drain(settings, store, None)
    assert audit(store, committed(settings)).ok
    store.delete(store.keys("ops/gaps"))
    found = audit(store, committed(settings))
    assert found.partitions[0].missing == found.partitions[0].unreceipted == [[10, 39]]


@pytest.mark.parametrize(("start", "end"), [(10, 80), (10, 30), (0, 80)])
def test_explicit_ranges_that_expired(cluster, settings, store, topic, start, end):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10})
    cluster.delete_records(topic, 0, 40)
    report = drain(settings, store, [OffsetRange(topic, 0, start, end)])
    assert report.messages == max(0, end - 40)
    assert known_gaps(store) == [Gap(topic, 0, 10, 39, "expired before it was read")]
    assert committed(settings)[topic, 0] == max(40, end)
    assert audit(store, committed(settings)).ok


def test_expired_while_reading(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))

    class Retention(Drain):
        def readable(self, ranges, state):
            found = super().readable(ranges, state)
            cluster.delete_records(topic, 0, 40)
            return found

    report = Retention(settings, store).run(None)
    assert known_gaps(store) == report.gaps == [Gap(topic, 0, 0, 39, "expired while it was read")]
    assert committed(settings)[topic, 0] == probe(settings)[0].high
    assert audit(store, committed(settings)).ok

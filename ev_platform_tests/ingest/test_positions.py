"""Moving committed offsets: nothing is skipped without a known gap, nothing moves while somebody reads."""

import json
import time

import pytest
from confluent_kafka import Consumer
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.errors import UserError
from ev_platform.ingest import intervals, kafka, positions
from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import OffsetRange, drain
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.lag import PartitionLag, probe
from ev_platform.ingest.offsets import Gap
from ev_platform.ingest.positions import EXPIRED, SKIPPED, apply, plan
from ev_platform_tests.ingest.helpers import commit, committed, filled, fleet, identities, lake_objects


@given(
    low=st.integers(0, 30), kept=st.integers(0, 30), committed_=st.none() | st.integers(0, 80), to=st.integers(0, 60)
)
def test_a_move_explains_exactly_what_it_skips(low, kept, committed_, to):
    lag = PartitionLag("t", 0, committed_, low, low + kept)
    if not low <= to <= low + kept:
        with pytest.raises(UserError, match=f"holds offsets {low} to {low + kept}"):
            plan([lag], {("t", 0): to})
        return
    for move in plan([lag], {("t", 0): to}):
        first = 0 if committed_ is None or lag.restarted else committed_
        skipped = [[gap.first, gap.last] for gap in move.gaps]
        assert intervals.union(skipped) == intervals.union([[first, to - 1]])
        assert intervals.count(skipped) == max(0, to - first)
        for gap in move.gaps:
            assert (gap.reason == EXPIRED) == (gap.last < low)
            assert gap.reason in (EXPIRED, SKIPPED)
        assert move.again == max(0, lag.start - to)


def test_skipping_leaves_a_known_gap_and_the_audit_adds_up(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10, (topic, 1): 0, (topic, 2): 0})
    cluster.delete_records(topic, 0, 40)
    moves = plan(probe(settings), {(topic, 0): 60, (topic, 1): 30})
    apply(settings, store, moves, 1_793_491_200_000, "bad firmware")
    assert known_gaps(store) == [
        Gap(topic, 0, 10, 39, EXPIRED),
        Gap(topic, 0, 40, 59, SKIPPED),
        Gap(topic, 1, 0, 29, SKIPPED),
    ]
    (note,) = store.keys("ops/offset_changes")
    body = json.loads(store.get(note))
    assert (body["why"], body["group"]) == ("bad firmware", settings.kafka_group)
    assert body["changes"] == [
        {"source": topic, "partition": 0, "from": 10, "to": 60},
        {"source": topic, "partition": 1, "from": 0, "to": 30},
    ]
    report = drain(settings, store, None)
    assert report.messages == (120 - 60) + (90 - 30) + 90
    assert audit(store, committed(settings)).ok
    assert plan(probe(settings), {(topic, 0): 120}) == []


def test_without_the_gap_the_audit_sees_a_loss(cluster, settings, store, topic, monkeypatch):
    """The control."""
    filled(cluster, topic, fleet(300))
    drain(settings, store, [OffsetRange(topic, 0, 0, 50)])
    monkeypatch.setattr(positions.Move, "gaps", [])
    apply(settings, store, plan(probe(settings), {(topic, 0): 70}), 0, "")
    found = audit(store, committed(settings))
    assert found.lost == 20
    assert not found.ok


def test_moving_back_reads_again_and_doubles_nothing(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    drain(settings, store, None)
    apply(settings, store, plan(probe(settings), {(topic, 0): 20, (topic, 1): 0}), 0, "")
    assert known_gaps(store) == []
    assert drain(settings, store, None).messages == 100 + 90
    assert len(set(identities(store))) == 300
    assert audit(store, committed(settings)).ok


def test_a_living_member_keeps_everything_where_it_is(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10})
    member = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": settings.kafka_group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    member.subscribe([topic])
    deadline = time.monotonic() + 30
    while not member.assignment() and time.monotonic() < deadline:
        member.poll(0.2)
    before = lake_objects(store)
    with pytest.raises(UserError, match=r"refused to move .*stop `ev ingest`"):
        apply(settings, store, plan(probe(settings), {(topic, 0): 60}), 0, "")
    member.close()
    assert committed(settings)[topic, 0] == 10
    assert lake_objects(store) == before


def test_an_answer_that_was_lost_is_no_refusal(cluster, settings, store, topic, monkeypatch):
    filled(cluster, topic, fleet(300))
    real = kafka.commit

    def lost(*arguments):
        assert real(*arguments) is None
        return "the broker did not answer in time"

    monkeypatch.setattr(kafka, "commit", lost)
    apply(settings, store, plan(probe(settings), {(topic, 0): 60}), 0, "")
    assert committed(settings)[topic, 0] == 60
    assert [gap.last for gap in known_gaps(store)] == [59]


def test_a_gap_known_before_survives_a_refusal(cluster, settings, store, topic, monkeypatch):
    filled(cluster, topic, fleet(300))
    moves = plan(probe(settings), {(topic, 0): 60})
    apply(settings, store, moves, 0, "")
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 0})
    monkeypatch.setattr(kafka, "commit", lambda *_: "no")
    with pytest.raises(UserError):
        apply(settings, store, plan(probe(settings), {(topic, 0): 60}), 1, "")
    assert len(known_gaps(store)) == 1


def test_a_partition_that_does_not_exist(cluster, settings, topic):
    filled(cluster, topic, fleet(3))
    with pytest.raises(UserError, match="is no partition of EV_KAFKA_TOPICS"):
        plan(probe(settings), {(topic, 9): 0})


def test_expired_messages_are_told_before_the_commit(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 0): 10})
    cluster.delete_records(topic, 0, 40)
    told = []

    def tell(gaps):
        assert committed(settings)[topic, 0] == 10
        assert known_gaps(store) == gaps
        told.extend(gaps)

    drain(settings, store, None, lost=tell)
    assert told == [Gap(topic, 0, 10, 39, EXPIRED)]
    assert audit(store, committed(settings)).ok
    drain(settings, store, None, lost=tell)
    assert len(told) == 1

"""The circuit breaker: a topic that turns unreadable is not drained into dead letters, not even drop by drop."""

import json
import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest import breaker as breaker_module
from ev_platform.ingest.audit import audit
from ev_platform.ingest.breaker import WINDOW, Breaker, PoisonedTopicError, stopped
from ev_platform.ingest.drain import OffsetRange, drain
from ev_platform.ingest.record import Dead, Reason
from ev_platform.lake.layout import breaker_key
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.ingest.helpers import Sent, committed, filled, payload, send

DEAD = Dead(Reason.NOT_JSON, "bad")


def poison(count, partition=0):
    return [Sent(b"\xff" * 50, partition) for _ in range(count)]


def good(count, partition=0):
    return [Sent(payload(n % 5, n=n), partition) for n in range(count)]


@given(
    fates=st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_it_stops_exactly_when_too_many_of_the_last_messages_are_dead(settings_like, fates, seed, share):
    """Against a plain window that holds every message."""
    chance, window = random.Random(seed), deque(maxlen=WINDOW)
    breaker = Breaker(settings_like.with_changes(dead_letter_max_share=share))
    seen = 0
    for chances in fates:
        for _ in range(400):
            seen += 1
            dead = chance.random() < chances
            window.append(dead)
            if not dead:
                continue
            if sum(window) > share * WINDOW:
                with pytest.raises(PoisonedTopicError):
                    breaker.dead(seen, ("t", 0), seen, DEAD)
                return
            breaker.dead(seen, ("t", 0), seen, DEAD)


@pytest.fixture(scope="module")
def settings_like():
    from ev_platform.settings import Settings

    return Settings(_env_file=None)


@given(cuts=st.lists(st.integers(1, 300), max_size=20))
def test_drains_of_any_size_stop_where_one_long_drain_does(settings_like, cuts):
    """Up to the even spread that is assumed between drains."""
    store = ObjectStore("memory://")
    at, done = 0, False
    for cut in [*cuts, *[100] * 20]:
        breaker = Breaker(settings_like)
        breaker.load(store)
        for seen in range(1, cut + 1):
            at += 1
            if at % 4:  # three of four are dead: the 501st dead one is message 667
                try:
                    breaker.dead(seen, ("t", 0), at, DEAD)
                except PoisonedTopicError:
                    done = True
                    break
        if done:
            break
        breaker.save(store, cut)
    assert done
    assert abs(at - 667) <= 3


@given(
    drains=st.lists(st.tuples(st.integers(0, 2500), st.floats(0, 0.4)), min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_what_is_stored_does_not_depend_on_the_order_of_reading(settings_like, drains, seed):
    chance, found = random.Random(seed), []
    for shuffled in (False, True):
        store = ObjectStore("memory://")
        for messages, share in drains:
            breaker = Breaker(settings_like.with_changes(dead_letter_max_share=1.0))
            breaker.load(store)
            dead = sorted(chance.sample(range(1, messages + 1), int(messages * share)))
            for seen in dead if shuffled else range(1, len(dead) + 1):
                breaker.dead(seen, ("t", 0), seen, DEAD)
            breaker.save(store, messages)
        found.append([store.get(key) for key in store.keys("state")])
    assert found[0] == found[1]


def test_a_poisoned_topic_stops_without_a_commit(cluster, settings, store, topic):
    filled(cluster, topic, [*good(700), *poison(600), *good(100)], 1)
    with pytest.raises(PoisonedTopicError) as raised:
        drain(settings, store, None)
    said = str(raised.value)
    assert "501 of the last 1000" in said
    assert f"{topic}-0 offset 1200" in said
    assert "nothing more was committed" in said
    assert "\n" not in said
    assert committed(settings) == {(topic, 0): None}
    with pytest.raises(PoisonedTopicError):  # and again: it does not get past it by trying
        drain(settings, store, None)
    assert committed(settings) == {(topic, 0): None}
    tolerant = settings.with_changes(dead_letter_max_share=1.0)
    report = drain(tolerant, store, None)
    assert (report.records, report.dead_letters["not_json"]) == (800, 600)
    assert audit(store, committed(settings)).ok


def test_a_flood_of_half_poison_does_not_stop_the_good(cluster, settings, store, topic):
    flood = [Sent(payload(n % 5, n=n), 0) if n % 2 else Sent(b"\xff" * 200, 0) for n in range(2500)]
    filled(cluster, topic, flood, 1)
    report = drain(settings, store, None)
    assert (report.records, report.dead_letters["not_json"]) == (1250, 1250)
    assert report.flushes == {"count": 1, "end": 6}
    assert audit(store, committed(settings)).ok


def test_small_drains_cannot_bury_the_topic_either(cluster, settings, store, topic):
    cluster.create_topic(topic, 1)
    for _ in range(5):
        send(cluster.bootstrap, topic, poison(100))
        drain(settings, store, None)
    send(cluster.bootstrap, topic, poison(100))
    with pytest.raises(PoisonedTopicError):
        drain(settings, store, None)
    assert committed(settings)[topic, 0] == 500


def test_without_memory_small_drains_would_bury_it(cluster, settings, store, topic, monkeypatch):
    """The control of the test above."""
    monkeypatch.setattr(Breaker, "save", lambda self, store, seen: None)
    cluster.create_topic(topic, 1)
    for _ in range(8):
        send(cluster.bootstrap, topic, poison(100))
        drain(settings, store, None)
    assert committed(settings)[topic, 0] == 800


def test_after_the_repair_it_goes_on_by_itself(cluster, settings, store, topic):
    filled(cluster, topic, poison(501), 1)
    with pytest.raises(PoisonedTopicError):
        drain(settings, store, None)
    now = json.loads(store.get(breaker_key(settings.kafka_group)))["stopped_at"]
    assert "501 of the last" in stopped(store, settings, now + 1)
    assert stopped(store, settings, now + breaker_module.RETRY_SECONDS) is None
    assert stopped(store, settings.with_changes(kafka_group="another"), now + 1) is None
    cluster.delete_records(topic, 0, 300)  # or `ev offsets set`: the poison is behind us
    report = drain(settings, store, None)
    assert report.dead_letters["not_json"] == 201
    assert stopped(store, settings, now + 1) is None
    send(cluster.bootstrap, topic, good(1000))
    drain(settings, store, None)
    assert store.keys("state") == []  # nothing left to remember


def test_a_replay_of_one_day_does_not_count(cluster, settings, store, topic):
    filled(cluster, topic, poison(600), 1)
    drain(settings, store, [OffsetRange(topic, 0, 0, 600)], commit=False, only_day="2026-11-01")
    assert store.keys("state") == []


@pytest.mark.parametrize(
    "junk",
    [b"", b"[]", b"{", b'{"dead":5}', b'{"messages":1,"dead":2}', b'{"messages":2000,"dead":1}', b'{"messages":"x"}'],
)
def test_a_broken_memory_is_no_memory(settings_like, junk):
    store = ObjectStore("memory://")
    store.put(breaker_key(settings_like.kafka_group), junk)
    breaker = Breaker(settings_like)
    breaker.load(store)
    assert stopped(store, settings_like, 1.0) is None
    breaker.dead(1, ("t", 0), 0, DEAD)
    breaker.save(store, 1)
    assert json.loads(store.get(breaker_key(settings_like.kafka_group))) == {"messages": 1, "dead": 1}

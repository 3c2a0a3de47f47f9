"""Killed at every step, then run again: nothing is lost. With one rule broken, the same check must see the loss."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from ev_platform.ingest import intervals
from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import drain
from ev_platform.ingest.lag import probe
from ev_platform_tests.ingest.helpers import committed, fleet, identities, send

PARTITIONS = 4
MESSAGES = 1200


def good_and_bad():
    messages = fleet(MESSAGES, PARTITIONS, vehicles=11)
    for number in range(0, MESSAGES, 97):
        messages[number].value = b"garbage"
    return messages


@pytest.fixture
def storm(cluster, settings, topic):
    """A topic with good and bad messages and tombstones, and small buffers, so that many objects are written."""
    cluster.create_topic(topic, PARTITIONS)
    messages = good_and_bad()
    for number in range(5, MESSAGES, 101):
        messages[number].value = None
    send(cluster.bootstrap, topic, messages)
    return settings.with_changes(buffer_max_messages=20, drain_max_messages=500)


@pytest.fixture
def one_round(cluster, settings, topic):
    """No tombstones, which only receipts know, and one round, so that there is something to commit early."""
    cluster.create_topic(topic, PARTITIONS)
    send(cluster.bootstrap, topic, good_and_bad())
    return settings.with_changes(buffer_max_messages=20, drain_max_messages=10_000)


def start(settings, kind="CrashingDrain", point="", hit=1):
    names = ("kafka_bootstrap", "kafka_topics", "kafka_group", "lake_url", "buffer_max_messages", "drain_max_messages")
    job = {"settings": {name: getattr(settings, name) for name in names}, "kind": kind, "point": point, "hit": hit}
    command = [sys.executable, "-m", "ev_platform_tests.ingest.crash_drain", json.dumps(job)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def crash(settings, **job):
    child = start(settings, **job)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL, f"the crash point {job} was not reached: {errors[-500:]}"


def finished(settings, store):
    """One clean drain, then the audit; the retention of the mock broker must not have eaten anything."""
    drain(settings, store, None)
    lags = probe(settings)
    assert all(lag.low == 0 and lag.committed == lag.high for lag in lags)
    return audit(store, committed(settings))


def assert_everything_stored(settings, store, found):
    assert found.ok, str(found)
    assert str(found) == "0 lost, 0 doubled"
    places = probe(settings)
    assert sum(lag.high for lag in places) == MESSAGES
    stored = {(partition, offset) for _, partition, offset, _ in identities(store)}
    assert found.stored == len(stored)
    assert sum(part.stored + part.dead + part.tombstones for part in found.partitions) == MESSAGES
    assert found.partitions[0].dead > 0
    assert sum(part.tombstones for part in found.partitions) == len(range(5, MESSAGES, 101))


@pytest.mark.parametrize(
    ("point", "hit"),
    [
        ("take", 1),
        ("take", 700),
        ("before_put", 1),
        ("before_put", 17),
        ("after_put", 1),
        ("after_put", 23),
        ("before_receipt", 2),
        ("after_receipt", 1),
        ("before_commit", 1),
        ("before_commit", 2),
        ("after_commit", 1),
        ("after_commit", 2),
    ],
)
def test_killed_at(storm, store, point, hit):
    crash(storm, point=point, hit=hit)
    partly = audit(store, committed(storm))
    assert partly.lost == 0, str(partly)
    assert_everything_stored(storm, store, finished(storm, store))


def test_killed_again_and_again(storm, store):
    for point in ("after_put", "before_commit", "after_receipt", "before_put"):
        crash(storm, point=point, hit=1)
    assert_everything_stored(storm, store, finished(storm, store))


def test_two_drains_at_once(storm, store):
    children = [start(storm) for _ in range(2)]
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    assert_everything_stored(storm, store, finished(storm, store))


# The controls: a crash test that cannot see these proves nothing.


def test_committing_early_is_safe_with_the_rule(one_round, store):
    crash(one_round, kind="CommitsEarly", point="take", hit=1100)
    assert any(committed(one_round).values()), "nothing was committed before the crash: the control proves nothing"
    assert finished(one_round, store).lost == 0


def test_committing_what_was_read_is_caught(one_round, store):
    crash(one_round, kind="CommitsWhatWasRead", point="take", hit=1100)
    found = finished(one_round, store)
    assert found.lost > 0
    assert not found.ok
    assert "missing" in str(found)


def test_a_commit_without_receipt_is_caught(storm, store):
    crash(storm, kind="CommitsBeforeReceipt", point="before_receipt", hit=1)
    found = finished(storm, store)
    assert not found.ok
    assert "unreceipted" in str(found)
    for part in found.partitions:  # records are all there; only tombstones are known from receipts alone
        assert intervals.count(part.missing) + part.tombstones + part.stored + part.dead == part.end


def test_an_object_that_was_never_stored_is_caught(storm, store):
    child = start(storm, kind="LosesAnObject")
    child.communicate(timeout=60)
    assert child.returncode == 0
    found = finished(storm, store)
    lost = sum(intervals.count(part.missing) for part in found.partitions)
    assert found.lost == lost > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_storm_of_random_kills(storm, store, seed):
    """Kills at random times and steps until the drain gets through."""
    chance = random.Random(seed)
    points = ["take", "before_put", "after_put", "before_receipt", "after_receipt", "before_commit", "after_commit"]
    for _ in range(25):
        child = start(storm, point=chance.choice([*points, ""]), hit=chance.randint(1, 30))
        child.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        child.kill()
        child.communicate()
        assert audit(store, committed(storm)).lost == 0
    assert_everything_stored(storm, store, finished(storm, store))

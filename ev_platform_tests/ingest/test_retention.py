"""Dead letters that were kept long enough go; the audit still knows every offset, and raw objects are never touched."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.commands.lake import run_retention
from ev_platform.ingest import retention
from ev_platform.ingest.audit import audit
from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.ingest.drain import drain
from ev_platform.ingest.redrive import redrive
from ev_platform.ingest.retention import expire, expired_offsets, late_raw_days, look, old_days
from ev_platform.lake.layout import dead_letter_key
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.engine.lakes import Crash, Watched
from ev_platform_tests.ingest.helpers import committed, filled, fleet, lake_objects

TODAY = date(2026, 12, 31)


@pytest.fixture
def cluster(mock):
    return mock


@pytest.fixture
def drained(cluster, settings, topic):
    """A lake with good and bad messages of which the group has committed all."""
    messages = fleet(300)
    for number in (3, 10, 11, 200):
        messages[number].value = b"bad"
    filled(cluster, topic, messages)
    drain(settings, ObjectStore(settings.lake), None)
    return settings


def days_of(store):
    return list(retention._days(store))


def test_expired_letters_are_no_loss_and_nothing_else_is_touched(drained):
    store, at = ObjectStore(drained.lake), committed(drained)
    before = lake_objects(store)
    days = old_days(store, TODAY, 3)
    assert days == days_of(store) != []
    assert sum(expire(store, day).reasons["not_json"] for day in days) == 4
    after = lake_objects(store)
    assert {key for key in before if key not in after} == {key for key in before if key.startswith("dead_letter/")}
    assert all(after[key] == data for key, data in before.items() if key in after)
    assert sum(b - a + 1 for found in expired_offsets(store).values() for a, b in found) == 4
    assert str(audit(store, at)) == "0 lost, 0 doubled"


def test_without_the_note_the_audit_misses_them(drained):
    store = ObjectStore(drained.lake)
    store.delete(store.keys("dead_letter"))
    assert audit(store, committed(drained)).lost == 4


def test_a_crash_at_any_step_and_a_second_run(drained, tmp_path):
    store, at = Watched(drained.lake), committed(drained)
    day, step = days_of(store)[0], 0
    while True:
        count = iter(range(100))

        def hook(operation, key, count=count, step=step):
            if next(count) == step:
                raise Crash

        store.before = hook
        try:
            expire(store, day)
            break
        except Crash:
            store.before = lambda operation, key: None
            assert str(audit(store, at)) == "0 lost, 0 doubled"
            step += 1
    store.before = lambda operation, key: None
    assert step >= 3
    assert day not in days_of(store)
    assert str(audit(store, at)) == "0 lost, 0 doubled"


def test_what_was_redriven_is_stored_and_not_written_down_as_expired(cluster, settings, topic):
    filled(cluster, topic, fleet(60))
    store = ObjectStore(settings.lake)
    drain(settings.with_changes(start_day=date(2026, 12, 1)), store, None)
    days = days_of(store)
    assert sum(look(store, day).reasons["before_start"] for day in days) == 60
    redrive(settings, store, list(read_dead_letters(store)))
    assert [expire(store, day).reasons for day in days] == [{}] * len(days)
    assert store.keys("dead_letter") == []
    assert expired_offsets(store) == {}
    assert str(audit(store, committed(settings))) == "0 lost, 0 doubled"


@given(st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=8), st.integers(0, 400))
def test_only_days_older_than_the_limit_are_old(days, keep):
    store = ObjectStore("memory://")
    for day in days:
        store.put(dead_letter_key(day.isoformat(), "x.json"), b"")
        store.put(f"temp/EVPTESLA000000001/{day}/x.json", b"")
    old = old_days(store, TODAY, keep)
    assert old == sorted(str(day) for day in days if keep and (TODAY - day).days > keep)
    for day in old:
        expire(store, day)
    assert len(store.keys("temp")) == len(days)
    assert len(store.keys("dead_letter")) == len(days) - len(old)
    assert set(late_raw_days(store, TODAY, keep)) == {str(day) for day in days if (TODAY - day).days > keep}


def test_the_command_shows_first_and_deletes_only_when_told(drained, capsys):
    store = ObjectStore(drained.lake)
    settings = drained.with_changes(keep_dead_letters_days=30)
    run_retention(drained, TODAY, delete=True)
    assert "kept for ever" in capsys.readouterr().out
    assert store.keys("dead_letter") != []
    run_retention(settings, TODAY, delete=False)
    out = capsys.readouterr().out
    assert [word for word in ("not_json", "--delete", "folders of temp/") if word not in out] == []
    assert store.keys("dead_letter") != []
    run_retention(settings, TODAY, delete=True)
    assert "deleted" in capsys.readouterr().out
    assert store.keys("dead_letter") == []
    assert store.keys("temp") != []

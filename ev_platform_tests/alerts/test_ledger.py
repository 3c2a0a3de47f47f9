"""An alert is sent once, counted while it lasts, sent again when it lasts long, and its end is told once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.alerts import Alert, Alerts, ledger
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import load_settings

NOW = datetime(2026, 11, 5, 7, tzinfo=UTC)
LAG = Alert("lag", "Kafka lag is too high", "12 messages wait.", "http://ui/runs/1")


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(ledger, "deliver", lambda _settings, title, text: found.append((title, text)) or True)
    return found


@pytest.fixture
def alerts():
    return Alerts(load_settings(alert_repeat_hours=24), ObjectStore("memory://"))


def test_sent_once_and_counted_while_it_lasts(alerts, sent):
    for minute in range(5):
        alerts.tell(LAG, NOW + timedelta(minutes=minute))
    assert sent == [("Kafka lag is too high", "12 messages wait.\nhttp://ui/runs/1")]
    (entry,) = alerts.open_alerts()
    assert (entry.key, entry.seen, entry.since) == ("lag", 5, NOW.isoformat())


def test_sent_again_when_it_lasts_longer_than_the_repeat(alerts, sent):
    moments = [timedelta(0), timedelta(hours=23, minutes=59), timedelta(hours=24), timedelta(hours=25)]
    assert [alerts.tell(LAG, NOW + moment) for moment in moments] == [True, False, True, False]
    assert len(sent) == 2


def test_the_end_is_told_once_with_how_long_and_how_often(alerts, sent):
    alerts.tell(LAG, NOW)
    alerts.tell(LAG, NOW + timedelta(minutes=5))
    assert alerts.recovered("lag", NOW + timedelta(minutes=95))
    assert not alerts.recovered("lag", NOW + timedelta(minutes=96))
    assert sent[1:] == [("recovered: Kafka lag is too high", "Over after 1 h 35 min, seen 2 times.")]
    assert alerts.open_alerts() == []


def test_what_was_never_told_has_no_end(alerts, sent):
    assert not alerts.recovered("lag", NOW)
    assert sent == []


def test_an_alert_that_no_channel_took_is_due_again_and_keeps_its_begin(alerts, monkeypatch):
    taken = []
    monkeypatch.setattr(ledger, "deliver", lambda *_: False)
    assert not alerts.tell(LAG, NOW)
    monkeypatch.setattr(ledger, "deliver", lambda *_: taken.append(1) or True)
    assert alerts.tell(LAG, NOW + timedelta(minutes=5))
    assert taken == [1]
    assert alerts.open_alerts()[0].since == NOW.isoformat()


def test_an_end_that_no_channel_took_is_told_at_the_next_look(alerts, sent, monkeypatch):
    alerts.tell(LAG, NOW)
    with monkeypatch.context() as broken:
        broken.setattr(ledger, "deliver", lambda *_: False)
        alerts.recovered("lag", NOW)
    assert alerts.open_keys() == ["lag"]
    alerts.recovered("lag", NOW)
    assert [title for title, _ in sent] == ["Kafka lag is too high", "recovered: Kafka lag is too high"]


def test_something_that_happened_once_is_sent_and_not_remembered(alerts, sent):
    alerts.announce(LAG)
    alerts.announce(LAG)
    assert len(sent) == 2
    assert alerts.open_keys() == []


def test_a_look_ends_only_what_it_looked_at(alerts, sent):
    alerts.tell(Alert("run:clean:2026-11-01", "run failed", "x"), NOW)
    alerts.update({"lag", "broker"}, [LAG], NOW)
    alerts.update({"lag", "broker"}, [], NOW)
    assert [title for title, _ in sent] == [
        "run failed",
        "Kafka lag is too high",
        "recovered: Kafka lag is too high",
    ]
    assert alerts.open_keys() == ["run:clean:2026-11-01"]


def test_two_processes_that_tell_at_once_send_once(sent):
    store = ObjectStore("memory://")
    one, other = (Alerts(load_settings(), store) for _ in range(2))
    read = store.read

    def overtaken(key):  # between reading and replacing, the other process tells
        before = read(key)
        store.read = read
        other.tell(LAG, NOW)
        return before

    store.read = overtaken
    assert not one.tell(LAG, NOW)
    assert len(sent) == 1
    assert one.open_alerts()[0].seen == 2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=30))
def test_messages_alternate_between_begin_and_end(looks):
    """Whatever the looks find: per key, begin and end take turns, and the open ones are those without an end."""
    sent = []
    alerts = Alerts(load_settings(alert_repeat_hours=10**6), ObjectStore("memory://"))
    real, ledger.deliver = ledger.deliver, lambda _s, title, _t: sent.append(title) or True
    try:
        for key, wrong in looks:
            alerts.update({key}, [Alert(key, key, "")] if wrong else [], NOW)
        for key in "ab":
            mine = [title for title in sent if title.endswith(key)]
            assert mine == [key, f"recovered: {key}"] * (len(mine) // 2) + [key] * (len(mine) % 2)
            assert (len(mine) % 2 == 1) == (key in alerts.open_keys())
    finally:
        ledger.deliver = real

"""`ev offsets` and `ev dead-letters` as people use them: what is printed, what changes, dry runs, one clear line."""

from __future__ import annotations

from datetime import date

import pytest
from typer.testing import CliRunner

from ev_platform.cli import app
from ev_platform.engine.compaction import compact_day
from ev_platform.errors import UserError
from ev_platform.ingest.drain import drain
from ev_platform.ingest.gaps import known_gaps
from ev_platform.lake.layout import compressed_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings
from ev_platform.signals.tesla_schema import record_classes
from ev_platform_tests.ingest.helpers import T0, Sent, committed, filled, fleet, payload, vin
from ev_platform_tests.mock_control import MockCluster

TOPIC = "tesla_V"


@pytest.fixture(scope="module")
def cluster():
    with MockCluster() as running:
        yield running


@pytest.fixture
def settings(cluster, tmp_path, monkeypatch, request):
    topic = f"{TOPIC}_{request.node.name[:40]}".replace("[", "_").replace("]", "")
    environment = {
        "EV_KAFKA_BOOTSTRAP": cluster.bootstrap,
        "EV_KAFKA_TOPICS": topic,
        "EV_KAFKA_GROUP": f"group_{topic}",
        "EV_KAFKA_TIMEOUT_SECONDS": "5",
        "EV_LAKE_URL": str(tmp_path / "lake"),
        "EV_STATE_DIR": str(tmp_path / "state"),
        "EV_START_DAY": "2026-10-01",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def ev(*arguments):
    found = CliRunner().invoke(app, [str(a) for a in arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def test_offsets(cluster, settings):
    (topic,) = settings.kafka_topics
    filled(cluster, topic, fleet(300))
    assert "lag" in ev("offsets", "show")
    said = ev("offsets", "set", topic, 0, 25)
    assert "- → 25" in said
    assert "known gap 0 to 24 (25 messages): skipped deliberately" in said
    assert "nothing was moved: add --yes" in said
    assert committed(settings)[topic, 0] is None
    said = ev("offsets", "set", topic, 0, 25, "--yes", "--why", "test")
    assert "moved 1 partitions" in said
    assert committed(settings)[topic, 0] == 25
    assert "known gap" in ev("offsets", "show")
    assert "stands there already" in ev("offsets", "set", topic, 0, 25, "--yes")
    said = ev("offsets", "reset", "--to", "earliest", "--yes")
    assert "25 messages will be read again" in said
    ev("offsets", "reset", "--to", "latest", "--yes")
    assert set(committed(settings).values()) == {120, 90}
    with pytest.raises(UserError, match="holds offsets 0 to 120"):
        ev("offsets", "set", topic, 0, 121)
    with pytest.raises(UserError, match="the broker cannot say"):
        ev("offsets", "reset", "--to", "2026-11-01")
    with pytest.raises(UserError, match="write earliest, latest"):
        ev("offsets", "reset", "--to", "yesterday")
    with pytest.raises(UserError, match="not in EV_KAFKA_TOPICS"):
        ev("offsets", "reset", "--to", "latest", "--topic", "other")


def test_expired_offsets_are_shown_and_recorded(cluster, settings):
    (topic,) = settings.kafka_topics
    filled(cluster, topic, fleet(300))
    cluster.delete_records(topic, 1, 40)
    assert "40 expired before they were read (offsets 0 to 39)" in ev("offsets", "show")
    ev("offsets", "reset", "--to", "earliest", "--yes")
    assert [(gap.partition, gap.first, gap.last) for gap in known_gaps(ObjectStore(settings.lake))] == [(1, 0, 39)]


def test_dead_letters(cluster, settings):
    (topic,) = settings.kafka_topics
    messages = [Sent(payload(1, "2026-10-15", n=n), 0, vin(1).encode()) for n in range(4)]
    filled(cluster, topic, [*messages, Sent(b"garbage [bold]", 0), Sent(b"\xff\x00", 0)], 1)
    drain(settings.with_changes(start_day=date(2026, 11, 1)), ObjectStore(settings.lake), None)
    said = ev("dead-letters", "list")
    assert said.startswith("6 dead letters, 4 before_start, 2 not_json")
    assert said.count(topic) == 6
    assert ev("dead-letters", "list", "--reason", "not_json").startswith("2 dead letters")
    assert ev("dead-letters", "list", "--vin", vin(1)).startswith("4 dead letters")
    assert ev("dead-letters", "list", "--vin", vin(2)).startswith("0 dead letters")
    assert ev("dead-letters", "list", "--day", "2026-11-01").startswith("6 dead letters")
    assert ev("dead-letters", "list", "--day", "2026-11-02").startswith("0 dead letters")
    assert "… 4 more" in ev("dead-letters", "list", "--limit", 2)
    with pytest.raises(UserError, match="write one of"):
        ev("dead-letters", "list", "--reason", "bad")
    assert "garbage [bold]" in ev("dead-letters", "show", topic, 0, 4)
    assert "base64 /wA=" in ev("dead-letters", "show", topic, 0, 5)
    with pytest.raises(UserError, match="is no dead letter"):
        ev("dead-letters", "show", topic, 0, 6)
    said = ev("dead-letters", "redrive", "--dry-run")
    assert "6 dead letters, 4 would be redriven, 2 still dead" in said
    assert ev("dead-letters", "list").startswith("6 dead letters")
    said = ev("dead-letters", "redrive")
    assert "6 dead letters, 4 redriven, 2 still dead" in said
    assert "day 2026-10-15: 4" in said
    assert ev("dead-letters", "list").startswith("2 dead letters")
    said = ev("dead-letters", "list", "--all")
    assert said.startswith("6 dead letters")
    assert said.count("(redriven)") == 4
    assert "(redriven)" in ev("dead-letters", "show", topic, 0, 0)
    assert "2 dead letters, 0 redriven" in ev("dead-letters", "redrive")


def test_what_never_arrived(cluster, settings):
    """Headers from the topic to the report, in both formats; a dead letter has arrived, whatever it holds."""
    (topic,) = settings.kafka_topics
    binary = record_classes()["V"](vin=vin(2), created_at={"seconds": T0 // 1000 + 36_000}).SerializeToString()
    messages = []
    for car, value in ((1, payload(1)), (2, binary)):
        for number in (1, 2, 3, 7, 8):
            headers = [("txid", b"%022d-%09d" % (car, number)), ("receivedat", b"%d" % (T0 + number))]
            messages.append(Sent(b"garbage" if number == 3 else value, 0, vin(car).encode(), headers=headers))
    filled(cluster, topic, messages, 1)
    store = ObjectStore(settings.lake)
    drain(settings, store, None)
    receipt = compact_day(settings, store, "2026-11-01")
    assert receipt.txid_missing == 2 * 4  # numbers 3 to 6: compaction knows nothing of dead letters
    for car in (1, 2):
        table = from_parquet(store.get(compressed_key("2026-11-01", vin(car))))
        assert table["txid"].to_pylist() == [f"{car:022d}-{number:09d}" for number in (1, 2, 7, 8)]
        assert [t.timestamp() * 1000 for t in table["received_at"].to_pylist()] == [T0 + n for n in (1, 2, 7, 8)]
    said = ev("txid", "--from", "2026-11-01", "--to", "2026-11-02")
    assert said.startswith("2 vehicles with numbered records, 6 records never arrived")
    assert said.count(vin(1)) == 2
    assert ev("txid", "--from", "2026-11-01", "--to", "2026-11-01", "--vin", vin(2)).startswith("1 vehicles")
    assert ev("txid", "--from", "2026-11-03", "--to", "2026-11-03").startswith("0 vehicles")
    with pytest.raises(UserError, match="not a VIN"):
        ev("txid", "--from", "2026-11-01", "--to", "2026-11-01", "--vin", "../../x")
    with pytest.raises(UserError, match="is before"):
        ev("txid", "--from", "2026-11-02", "--to", "2026-11-01")

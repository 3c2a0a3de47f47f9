"""Live counts: each message once, whatever dies, runs twice, or begins again; replay: what is sent, and what is not."""

import gzip
from collections import Counter
from datetime import date

import pytest

from ev_platform.engine.telematics import events_day
from ev_platform.errors import UserError
from ev_platform.ingest.audit import audit
from ev_platform.ingest.lag import probe
from ev_platform.ingest.telematics import drain_telematics, telematics_settings
from ev_platform.lake.live_store import open_live_store
from ev_platform.simulate.replay import Pace, replay
from ev_platform.simulate.telematics import readings, write_csv
from ev_platform.telematics.live import TABLE, LiveCounter
from ev_platform_tests.ingest.helpers import send
from ev_platform_tests.mock_control import MockCluster
from ev_platform_tests.telematics.cases import DEVICE, OTHER, T0, reading, rows
from ev_platform_tests.telematics.conftest import sent

FAST = {"rate": 0}


@pytest.fixture
def live(settings):
    store = open_live_store(settings)
    yield store
    store.close()


def produce(cluster, settings, bodies, partition=0):
    send(cluster.bootstrap, settings.telematics_topic, sent(bodies, partition))


def count_all(settings, live):
    counter = LiveCounter(settings, live)
    total = 0
    while counted := counter.step():
        total += counted
    return total


def totals(live):
    return {(r["device_id"], r["variable"], r["window_start"]): r["readings"] for r in live.rows(TABLE)}


def test_counts_per_device_variable_and_minute_by_band(cluster, settings, live):
    cluster.create_topic(settings.telematics_topic, 2)
    assert LiveCounter(settings, live).step() == 0
    bodies = [reading(T0 + n * 20_000, str(n), alarm_class=4 if n < 2 else 0) for n in range(4)]
    produce(cluster, settings, [*bodies, b"no json", reading(alarm_class="x")])
    produce(cluster, settings, [reading(device=OTHER)], partition=1)
    assert count_all(settings, live) == 6
    found = {(r["device_id"], r["window_start"]): r for r in live.rows(TABLE)}
    first = found[DEVICE, "2026-11-01T00:00:00.000000Z"]
    assert (first["readings"], first["very_high"], first["normal"], first["no_band"]) == (4, 2, 1, 1)
    assert found[DEVICE, "2026-11-01T00:01:00.000000Z"]["readings"] == 1
    assert found[OTHER, "2026-11-01T00:00:00.000000Z"]["normal"] == 1


def test_two_counters_and_restarts_count_each_message_once(cluster, settings, live, monkeypatch):
    monkeypatch.setattr("ev_platform.telematics.live.MOST_AT_ONCE", 7)
    cluster.create_topic(settings.telematics_topic, 2)
    one, two = LiveCounter(settings, live), LiveCounter(settings, live)
    total = 0
    for batch in range(5):
        produce(cluster, settings, [reading(T0 + n * 1000, str(n)) for n in range(10)], batch % 2)
        total += one.step() + two.step()
    total += count_all(settings, live)
    assert total == 50
    assert sum(totals(live).values()) == 50


def test_killed_between_reading_and_counting_nothing_is_counted_twice(cluster, settings, live, monkeypatch):
    cluster.create_topic(settings.telematics_topic, 1)
    produce(cluster, settings, [reading(T0 + n * 1000, str(n)) for n in range(20)])
    counter = LiveCounter(settings, live)

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ev_platform.telematics.live.count_events", dies)
        with pytest.raises(KeyboardInterrupt):
            counter.step()
    assert totals(live) == {}
    assert count_all(settings, live) == 20


def test_a_broker_that_lost_everything_is_counted_from_its_start_again(settings, live):
    for count, expected in ((20, 20), (5, 25), (9, 34)):
        with MockCluster() as fresh:
            own = settings.with_changes(kafka_bootstrap=fresh.bootstrap)
            fresh.create_topic(own.telematics_topic, 1)
            produce(fresh, own, [reading(T0 + n * 1000, str(n)) for n in range(count)])
            count_all(own, live)
            if count == 5:
                produce(fresh, own, [reading(T0 + n * 1000, str(n)) for n in range(5, 25)])
                assert count_all(own, live) == 20  # beyond what the first broker's log had
                expected += 20
            elif count == 9:
                expected += 20
            assert sum(totals(live).values()) == expected


def test_old_windows_go(cluster, settings, live):
    own = settings.with_changes(telematics_live_hours=1)
    cluster.create_topic(own.telematics_topic, 1)
    produce(cluster, own, [reading(T0), reading(T0 + 3_599_000), reading(T0 + 3_660_000)])
    count_all(own, live)
    assert sorted({window for _, _, window in totals(live)}) == [
        "2026-11-01T00:59:00.000000Z",
        "2026-11-01T01:01:00.000000Z",
    ]


# -- drain and replay -------------------------------------------------------------------------------------------------


def test_the_telematics_topic_has_its_own_group_and_leaves_the_audit_of_the_others_alone(
    cluster, settings, store, drained
):
    (lag,) = probe(telematics_settings(settings))
    assert (lag.committed, lag.behind) == (12, 0)
    assert store.keys("ops/offsets") == []
    report = audit(store)
    assert report.ok, str(report)
    assert drain_telematics(settings, store, None).messages == 0


def write(tmp_path, name="a.csv", count=300):
    rows = readings(date(2026, 11, 1), 1, 2, 1)[:count]
    write_csv(rows, tmp_path / name)
    return rows, tmp_path / name


def test_a_replay_with_duplicates_and_disorder_ends_in_the_same_readings(cluster, settings, store, tmp_path):
    made, path = write(tmp_path)
    cluster.create_topic(settings.telematics_topic, 3)
    played = replay(settings, path, Pace(**FAST, duplicates=0.2, disorder=0.2, seed=4))
    assert played.rows == len(made)
    assert played.sent == len(made) + played.doubled
    assert played.doubled > 20
    assert played.late > 20
    report = drain_telematics(settings, store, None)
    assert report.records == played.sent
    receipt = events_day(store, "2026-11-01")
    assert (receipt.rows, receipt.repeats) == (played.sent, played.doubled)
    found = Counter(
        (r["device_id"], r["variable"], round(r["time"].timestamp() * 1000)) for r in rows(store) if not r["repeat"]
    )
    assert found == Counter((one.device_id, one.variable, one.milliseconds) for one in made)


def test_pace_by_rate_and_by_the_files_own_spacing(cluster, settings, tmp_path):
    made, path = write(tmp_path, count=30)
    cluster.create_topic(settings.telematics_topic, 1)
    for pace, expected in (
        (Pace(rate=10), 29 / 10),
        (Pace(speed=60), (made[29].milliseconds - made[0].milliseconds) / 60_000),
    ):
        waits = []
        replay(settings, path, pace, sleep=waits.append)
        # nobody really waits, so each wait is what is left until the message is due
        assert max(waits) == pytest.approx(expected, abs=0.5)


def test_limit_loop_stop_and_rebase(cluster, settings, store, tmp_path):
    _, path = write(tmp_path, count=20)
    cluster.create_topic(settings.telematics_topic, 1)
    assert replay(settings, path, Pace(**FAST, limit=5)).sent == 5
    seen = []
    played = replay(settings, path, Pace(**FAST, loop=True), progress=seen.append, stop=lambda: len(seen) >= 50)
    assert played.sent == 50
    fresh = settings.with_changes(telematics_topic=f"{settings.telematics_topic}_now", start_day=date(2026, 11, 2))
    cluster.create_topic(fresh.telematics_topic, 1)
    replay(fresh, path, Pace(**FAST, rebase=True, limit=1))
    report = drain_telematics(fresh, store, None)
    assert report.records == 1
    assert min(report.days) > "2026-11-02"


def test_damaged_copies_are_rebuilt_or_refused(cluster, settings, tmp_path):
    cluster.create_topic(settings.telematics_topic, 1)
    head = "deviceId,timeMili,timestamp,value,variable,alarmClass"
    path = tmp_path / "damaged.csv"
    path.write_text(f"{head}\n{DEVICE},1597602602123,30:02.1,5,X,0\n{DEVICE},1.5976E+12,30:02.1,5,X,0\n")
    played = replay(settings, path, Pace(**FAST))
    assert (played.sent, played.rebuilt, played.refused) == (1, 1, 1)
    assert "row 3: timeMili '1.5976E+12'" in played.first_refused
    path.write_text(f"{head}\n{DEVICE},1.5976E+12,30:02.1,5,X,0\n")
    with pytest.raises(UserError, match="no row has a time any more"):
        replay(settings, path, Pace(**FAST))
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no column deviceId"):
        replay(settings, path, Pace(**FAST))
    with pytest.raises(UserError, match="No such file"):
        replay(settings, tmp_path / "none.csv", Pace(**FAST))
    with pytest.raises(UserError, match="no Kafka broker is set"):
        replay(settings.with_changes(kafka_bootstrap=""), path, Pace(**FAST))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(f"{head}\n{DEVICE},1597602602123,x,5,X,0\n".encode()))
    assert replay(settings, tmp_path / "a.csv.gz", Pace(**FAST)).sent == 1


def test_a_broker_that_is_gone_is_one_line(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("ev_platform.simulate.replay._SEND_SECONDS", 1.0)
    _, path = write(tmp_path, count=3)
    with pytest.raises(UserError, match="play the file again"):
        replay(settings.with_changes(kafka_bootstrap="127.0.0.1:1"), path, Pace(**FAST))

"""A drain end to end on the mock broker: every message somewhere, once, the same bytes every time."""

import json
from itertools import pairwise

import pytest

from ev_platform.engine.compaction import compact_day
from ev_platform.ingest import reader as reader_module
from ev_platform.ingest.audit import audit
from ev_platform.ingest.dead_letters import count_dead_letters, read_dead_letters
from ev_platform.ingest.drain import Drain, OffsetRange, drain
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.lag import probe
from ev_platform.ingest.receipts import expected_offsets, read_receipts
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.ingest.helpers import (
    T0,
    Sent,
    committed,
    filled,
    fleet,
    identities,
    lake_objects,
    offsets_of,
    payload,
    vin,
)


def test_ten_thousand_messages_on_twelve_partitions(cluster, settings, store, topic):
    messages = filled(cluster, topic, fleet(10_000, 12, vehicles=120, days=3), 12)
    report = drain(settings, store, None)
    assert (report.messages, report.records, report.tombstones, report.dead_letters) == (10_000, 10_000, 0, {})
    assert report.days == {"2026-11-01": 3334, "2026-11-02": 3333, "2026-11-03": 3333}
    assert report.vins == {vin(number) for number in range(120)}
    assert report.objects == len(store.keys("temp")) == sum(report.flushes.values())
    assert report.bytes == sum(len(store.get(key)) for key in store.keys("temp"))
    assert report.not_committed == {}
    assert report.committed == committed(settings)
    found = identities(store)
    assert len(found) == len(set(found)) == 10_000
    assert {place: len(offsets) for place, offsets in offsets_of(found).items()} == report.committed
    stored = sorted(json.loads(line)["d"]["n"] for key in store.keys("temp") for line in store.get(key).splitlines())
    assert stored == sorted(json.loads(one.value)["n"] for one in messages)
    assert str(audit(store, report.committed)) == "0 lost, 0 doubled"
    again = drain(settings, store, None)
    assert (again.messages, again.objects, again.receipts) == (0, 0, [])


def test_good_bad_and_empty_messages_are_all_accounted_for(cluster, settings, store, topic):
    good = payload(1)
    messages = [
        Sent(good, 0, vin(1).encode()),
        Sent(b"garbage", 0, b"\xff\x00"),
        Sent(None, 0, vin(1).encode()),
        Sent(good, 0, vin(2).encode(), headers=[("txid", b"a-1"), ("odd", b"\xff")]),
        Sent(payload(1, "2019-01-01"), 0),
        Sent(good, 0),
    ]
    filled(cluster, topic, messages, 1)
    report = drain(settings, store, None)
    assert (report.messages, report.records, report.tombstones) == (6, 2, 1)
    assert report.dead_letters == {"not_json": 1, "vin_not_key": 1, "before_start": 1}
    assert committed(settings) == {(topic, 0): 6}
    assert count_dead_letters(store) == report.dead_letters
    assert count_dead_letters(store, "2026-11-01") == report.dead_letters
    assert count_dead_letters(store, "2026-11-02") == {}
    by_offset = {letter.offset: letter for letter in read_dead_letters(store)}
    assert (by_offset[1].key, by_offset[1].value, by_offset[1].source) == (b"\xff\x00", b"garbage", topic)
    assert by_offset[3].headers == {"txid": "a-1", "odd;base64": "/w=="}
    assert (by_offset[4].key, by_offset[4].reason) == (None, "before_start")
    (receipt,) = read_receipts(store)
    assert receipt.days == {"2026-11-01": [[0, 0], [5, 5]]}
    assert (receipt.dead, receipt.tombstones, receipt.undelivered()) == ([[1, 1], [3, 4]], [[2, 2]], [])
    assert audit(store, committed(settings)).ok


@pytest.mark.parametrize("limit", [200_000, 300])
def test_the_same_ranges_make_the_same_bytes(cluster, settings, topic, limit):
    messages = fleet(1000)
    messages[10].value = b"bad"
    messages[500].value = b"bad as well"
    messages[700].value = None
    filled(cluster, topic, messages)
    lakes = []
    for name in ("one", "two"):
        store = ObjectStore("memory://")
        mine = settings.with_changes(kafka_group=f"{topic}{name}", drain_max_messages=limit)
        drain(mine, store, None)
        lakes.append(lake_objects(store))
        drain(mine, store, [OffsetRange(lag.topic, lag.partition, 0, lag.high) for lag in probe(mine)])
        lakes.append(lake_objects(store))
    assert lakes[0] == lakes[1] == lakes[2] == lakes[3]
    assert {key.split("/")[0] for key in lakes[0]} == {"temp", "dead_letter", "ops"}


def test_objects_of_many_vehicles_hold_the_same_records(cluster, settings, topic):
    messages = fleet(3000, 3, vehicles=100, days=2)
    messages[10].value = b"bad"
    filled(cluster, topic, messages)
    found, puts = {}, {}
    for layout in ("vehicle", "segment"):
        store = ObjectStore("memory://")
        mine = settings.with_changes(kafka_group=f"{topic}{layout}", buffer_layout=layout, workers=1)
        report = drain(mine, store, None)
        assert report.vins == {vin(number) for number in range(100)}
        assert sum(report.days.values()) == report.records == 2999
        assert str(audit(store, committed(mine))) == "0 lost, 0 doubled"
        drain(mine, store, [OffsetRange(lag.topic, lag.partition, 500, lag.high) for lag in probe(mine)])
        assert str(audit(store, committed(mine))) == "0 lost, 0 doubled"
        puts[layout] = report.objects
        for day in ("2026-11-01", "2026-11-02"):
            compact_day(mine, store, day)
        assert store.keys("temp") == []
        assert str(audit(store, committed(mine))) == "0 lost, 0 doubled"
        found[layout] = {key: store.get(key) for key in store.keys("compressed")}
    assert found["vehicle"] == found["segment"] != {}
    assert (puts["vehicle"], puts["segment"]) == (201, 7)


def test_every_store_gets_the_same_bytes(cluster, settings, topic, tmp_path, s3_bucket):
    messages = fleet(600)
    messages[10].value = b"bad"
    messages[11].value = None
    filled(cluster, topic, messages)
    lakes = []
    for number, url in enumerate(["memory://", str(tmp_path / "lake"), f"{s3_bucket}/some/prefix"]):
        store = ObjectStore(url)
        mine = settings.with_changes(kafka_group=f"{topic}{number}", lake_url=url)
        drain(mine, store, None)
        lakes.append(lake_objects(store))
        assert str(audit(store, committed(mine))) == "0 lost, 0 doubled"
    assert lakes[0] == lakes[1] == lakes[2]


def test_receipts_say_where_every_offset_went(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300, days=2))
    report = drain(settings.with_changes(drain_max_messages=100), store, None)
    assert len(report.receipts) > 2
    lines = {}
    for key in store.keys("temp"):
        day = key.split("/")[2]
        for line in store.get(key).splitlines():
            body = json.loads(line)
            lines.setdefault(day, {}).setdefault((topic, body["_p"]), set()).add(body["_o"])
    for day, places in lines.items():
        promised = expected_offsets(store, day)
        assert {p: {o for a, b in runs for o in range(a, b + 1)} for p, runs in promised.items()} == places
    assert set(expected_offsets(store)) == {(topic, 0), (topic, 1), (topic, 2)}
    assert expected_offsets(store, "2026-10-31") == {}


def test_a_replay_of_one_day_commits_nothing_and_claims_nothing(cluster, settings, store, topic):
    messages = fleet(300, days=3)
    messages[7].value = b"bad"
    messages[8].value = None
    filled(cluster, topic, messages)
    ranges = [OffsetRange(lag.topic, lag.partition, 0, lag.high) for lag in probe(settings)]
    report = drain(settings, store, ranges, commit=False, only_day="2026-11-02")
    assert (report.messages, report.records, report.days) == (300, 100, {"2026-11-02": 100})
    assert (report.committed, report.dead_letters, report.tombstones) == ({}, {}, 0)
    assert committed(settings) == dict.fromkeys(committed(settings))
    assert {key.split("/")[2] for key in store.keys("temp")} == {"2026-11-02"}
    assert store.keys("dead_letter") == []
    assert set(expected_offsets(store)) == set(expected_offsets(store, "2026-11-02"))
    assert all(receipt.end <= receipt.start for receipt in read_receipts(store))
    drain(settings, store, None)
    assert len(set(identities(store))) == 298
    assert audit(store, committed(settings)).ok


def test_a_replay_must_not_commit(settings, store):
    with pytest.raises(ValueError, match="must not commit"):
        drain(settings, store, [], only_day="2026-11-02")


def test_a_replay_of_expired_days_records_no_gap(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    cluster.delete_records(topic, 0, 40)
    drain(settings, store, [OffsetRange(topic, 0, 0, 60)], commit=False)
    assert known_gaps(store) == []


def test_memory_is_bounded(cluster, settings, store, topic):
    filled(cluster, topic, [Sent(payload(n % 40, pad="x" * 4000, n=n), n % 3) for n in range(1500)])
    tight = settings.with_changes(buffer_memory_bytes=2**20)
    most = []

    class Watched(Drain):
        def take(self, message, buffer, ledger, **told):
            found = super().take(message, buffer, ledger, **told)
            most.append(buffer.open_bytes)
            return found

        def settle(self, buffer, uploads, below):
            super().settle(buffer, uploads, below)
            assert buffer.in_flight_bytes <= max(below, 0)

    report = Watched(tight, store).run(None)
    assert max(most) <= 2**20
    assert report.flushes["memory"] > 0
    assert (report.records, len(set(identities(store)))) == (1500, 1500)


def test_large_messages_come_in_small_batches(cluster, settings, store, topic, monkeypatch):
    monkeypatch.setattr(reader_module, "BATCH_BYTES", 2**16)
    filled(cluster, topic, [Sent(payload(n % 7, pad="x" * 8000, n=n), n % 3) for n in range(900)])
    batches = []
    report = drain(settings, store, None, progress=batches.append)
    sizes = [after - before for before, after in pairwise([0, *batches])]
    assert max(sizes[1:]) <= 2**16 // 8000
    assert report.records == len(set(identities(store))) == 900


def test_stop_stores_and_commits_what_was_read(cluster, settings, store, topic):
    filled(cluster, topic, fleet(3000))
    seen = []
    report = drain(settings, store, None, stop=lambda: bool(seen), progress=seen.append)
    assert 0 < report.messages == report.records < 3000
    assert seen == [report.messages]
    assert set(report.flushes) == {"stop"}
    assert sum(offset for offset in committed(settings).values() if offset) == report.messages
    assert audit(store, committed(settings)).ok
    assert drain(settings, store, None).records == 3000 - report.messages
    assert audit(store, committed(settings)).ok


def test_time_stamps_that_a_producer_made_up(cluster, settings, store, topic):
    filled(
        cluster,
        topic,
        [Sent(payload(1), 0, timestamp=2**60), Sent(b"bad", 0, timestamp=2**60), Sent(b"bad", 0, timestamp=T0)],
        1,
    )
    report = drain(settings, store, None)
    assert (report.records, report.dead_letters["not_json"]) == (1, 2)
    assert count_dead_letters(store, "9999-12-31") == {"not_json": 1}
    assert expected_offsets(store, "2026-11-01") == {(topic, 0): [[0, 0]]}
    assert audit(store, committed(settings)).ok

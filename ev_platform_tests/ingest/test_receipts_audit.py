"""Receipts and audit on small lakes made by hand: each fault that the audit promises to see, it sees."""

import json
import zlib
from datetime import date

import pyarrow as pa
import pytest

from ev_platform.ingest.audit import audit, audit_day
from ev_platform.ingest.dead_letters import dead_line, read_dead_letters
from ev_platform.ingest.gaps import encode_gap, known_gaps
from ev_platform.ingest.offsets import Gap, OffsetRange
from ev_platform.ingest.receipts import Ledger, event_days, expected_offsets
from ev_platform.ingest.record import Dead, Reason, Record, Router
from ev_platform.lake.layout import (
    compressed_key,
    dead_letter_key,
    kafka_object_name,
    offsets_receipt_key,
    quarantine_key,
    temp_key,
)
from ev_platform.lake.schemas import COMPRESSED
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform_tests.ingest.helpers import DAY_MS, T0, FakeMessage, payload, vin

SOURCE = "tesla_V"
PLACE = (SOURCE, 0)
DAY = "2026-11-01"


class Lake:
    """Offsets 0–9 of one partition: 0–3 in temp/, 4–5 in compressed/, 6 dead, 7 a tombstone, 8–9 a known gap."""

    def __init__(self):
        self.store = ObjectStore("memory://")
        self.temp = self.put_temp(range(4))
        self.put_compressed({vin(1): [4, 5]})
        message = FakeMessage(b"bad", _offset=6)
        line = dead_line(message, Dead(Reason.NOT_JSON, "bad"))
        name = kafka_object_name(SOURCE, 0, 6, 6, 1, zlib.crc32(line))
        self.store.put(dead_letter_key("2026-11-02", name), line)
        self.put_receipt(0, 8, {DAY: range(6)}, dead=[6], tombstones=[7])
        self.store.put(*encode_gap(Gap(SOURCE, 0, 8, 9, "expired")))

    def put_temp(self, offsets, day=DAY, timestamp=T0 + DAY_MS):
        lines = []
        for offset in offsets:
            message = FakeMessage(payload(1, day), _offset=offset, _timestamp=(1, timestamp))
            routed = Router(date(2020, 1, 1), 2**20).route(message)
            assert isinstance(routed, Record)
            lines.append(routed.line)
        data = b"".join(lines)
        name = kafka_object_name(SOURCE, 0, offsets[0], offsets[-1], len(lines), zlib.crc32(data))
        key = temp_key(vin(1), day, name)
        self.store.put(key, data)
        return key

    def put_compressed(self, per_vin, day=DAY, timestamp=T0 + DAY_MS, copies=1, rows=("Soc", "Odometer")):
        for who, offsets in per_vin.items():
            found = [
                {
                    "vin": who,
                    "signal": signal,
                    "number": 1.0,
                    "source": SOURCE,
                    "partition": 0,
                    "offset": offset,
                    "source_ts": timestamp,
                }
                for offset in offsets
                for signal in rows
                for _ in range(copies)
            ]
            found.append({"vin": who, "signal": "polled", "number": 1.0, "source": "bmw", "record_hash": "x"})
            table = pa.Table.from_pylist(found, schema=COMPRESSED)
            self.store.put(compressed_key(day, who), to_parquet(table))

    def put_receipt(self, start, end, days, dead=(), tombstones=(), newest=T0 + DAY_MS):
        ledger = Ledger([OffsetRange(SOURCE, 0, start, end)])
        part = ledger.partitions[PLACE]
        for day, offsets in days.items():
            for offset in offsets:
                part.record(offset, day)
        for offset in dead:
            part.dead_letter(offset)
        for offset in tombstones:
            part.tombstone(offset)
        ledger.saw(newest)
        ledger.close(PLACE, end)
        key, data = ledger.encode()
        self.store.put(key, data)
        return key


@pytest.fixture
def lake():
    return Lake()


def test_a_sound_lake(lake):
    found = audit(lake.store, {PLACE: 10})
    (part,) = found.partitions
    assert (part.first, part.end, part.stored, part.dead, part.tombstones, part.gaps) == (0, 10, 6, 1, 1, 2)
    assert part.stored + part.dead + part.tombstones + part.gaps == part.end - part.first
    assert found.ok
    assert str(found) == "0 lost, 0 doubled"
    assert (found.stored, audit_day(lake.store, DAY).expected) == (6, 6)
    assert audit_day(lake.store, DAY).ok


def test_repeats_between_temp_and_compressed_are_normal(lake):
    lake.put_temp(range(2, 6))
    assert audit(lake.store, {PLACE: 10}).ok
    assert audit_day(lake.store, DAY).ok


def test_a_deleted_raw_object_is_a_loss(lake):
    lake.store.delete([lake.temp])
    found = audit(lake.store, {PLACE: 10})
    assert found.lost == 4
    assert str(found) == "4 lost, 0 doubled\ntesla_V-0: missing 0-3"
    assert audit_day(lake.store, DAY).missing == {PLACE: [[0, 3]]}


@pytest.mark.parametrize(
    ("prefix", "missing"),
    [("dead_letter", [[6, 6]]), ("ops/gaps", [[8, 9]]), ("ops/offsets", [[7, 7]]), ("compressed", [[4, 5]])],
)
def test_each_kind_of_object_counts(lake, prefix, missing):
    lake.store.delete(lake.store.keys(prefix))
    assert audit(lake.store, {PLACE: 10}).partitions[0].missing == missing


def test_offsets_committed_without_receipt(lake):
    lake.put_temp(range(10, 13))
    found = audit(lake.store, {PLACE: 13})
    assert found.partitions[0].unreceipted == [[10, 12]]
    assert found.lost == 0
    assert not found.ok
    assert audit(lake.store, {PLACE: 10}).ok  # above the commit nothing is promised


def test_a_commit_beyond_everything_known(lake):
    assert audit(lake.store, {PLACE: 12}).partitions[0].missing == [[10, 11]]


def test_without_a_broker_the_receipts_say_how_far(lake):
    assert audit(lake.store).partitions[0].end == 8
    assert audit(lake.store, {PLACE: None}).partitions[0].end == 8
    lake.store.delete([lake.temp])
    assert audit(lake.store).lost == 4


def test_an_identity_in_two_compressed_files_is_doubled(lake):
    lake.put_compressed({vin(2): [5]})
    found = audit(lake.store, {PLACE: 10})
    assert (found.doubled, found.partitions[0].doubled) == (1, [[5, 5]])
    assert not found.ok
    assert audit_day(lake.store, DAY).doubled == {PLACE: [[5, 5]]}


def test_a_record_twice_in_one_file_is_doubled(lake):
    lake.put_compressed({vin(1): [4, 5]}, copies=2)
    assert audit(lake.store, {PLACE: 10}).partitions[0].doubled == [[4, 5]]


def test_a_signal_twice_in_one_record_is_not(lake):
    lake.put_compressed({vin(1): [4, 5]}, rows=("Soc", "Soc", "Odometer"))
    assert audit(lake.store, {PLACE: 10}).ok


def test_the_same_offset_of_a_topic_created_again_is_another_record(lake):
    lake.put_compressed({vin(2): [5]}, timestamp=T0 + DAY_MS + 1)
    found = audit(lake.store, {PLACE: 10})
    assert found.ok
    assert found.partitions[0].reused == 1


def test_a_record_in_quarantine_is_not_lost(lake):
    lake.store.move(lake.temp, quarantine_key(lake.temp))
    lake.store.put(quarantine_key(lake.temp) + ".reason.json", b'{"reason": "test"}')
    assert audit(lake.store, {PLACE: 10}).ok
    assert audit_day(lake.store, DAY).ok


@pytest.mark.parametrize("where", ["temp", "quarantine", "quarantine again"])
def test_a_truncated_object_explains_what_it_lost_and_no_more(lake, where):
    data = lake.store.get(lake.temp)
    lines = data.splitlines(keepends=True)
    lake.store.delete([lake.temp])
    target = {
        "temp": lake.temp,
        "quarantine": quarantine_key(lake.temp),
        "quarantine again": quarantine_key(lake.temp) + ".0badcafe",
    }[where]
    lake.store.put(target, b"".join(lines[:2]) + lines[2][:50])
    found = audit(lake.store, {PLACE: 10})
    assert found.partitions[0].quarantined == [[2, 3]]
    assert found.ok
    assert "quarantined 2-3" in str(found)
    assert audit_day(lake.store, DAY).quarantined == {PLACE: [[2, 3]]}
    lake.put_receipt(0, 12, {DAY: [10, 11]})
    assert audit(lake.store, {PLACE: 12}).partitions[0].missing == [[10, 11]]


def test_garbage_in_quarantine_hides_nothing_else(lake):
    name = kafka_object_name(SOURCE, 0, 0, 5, 1, 7)
    lake.store.put(quarantine_key(temp_key(vin(1), DAY, name)), b"\x00garbage")
    lake.store.delete([lake.temp])
    assert audit(lake.store, {PLACE: 10}).partitions[0].missing == [[0, 3]]


def test_single_lines_set_aside_are_not_lost(lake):
    lines = lake.store.get(lake.temp).splitlines()
    lake.store.delete([lake.temp])
    kept = [json.dumps({"line": n, "reason": "test", "raw": line.decode()}) for n, line in enumerate(lines, 1)]
    lake.store.put(quarantine_key(lake.temp) + ".0badcafe.lines", "\n".join(kept).encode())
    assert audit(lake.store, {PLACE: 10}).ok


def test_an_unreadable_compressed_file_holds_nothing(lake):
    lake.store.put(compressed_key(DAY, vin(1)), b"PAR1 broken")
    assert audit(lake.store, {PLACE: 10}).partitions[0].missing == [[4, 5]]


def test_transaction_markers_only_where_a_topic_is_known_to_have_them(lake):
    lake.put_receipt(10, 14, {DAY: [10, 12]})
    lake.put_temp([10, 12])
    assert audit(lake.store, {PLACE: 14}).partitions[0].missing == [[11, 11], [13, 13]]
    found = audit(lake.store, {PLACE: 14}, transactional=[SOURCE])
    assert found.ok
    assert found.partitions[0].markers == 2


def test_foreign_objects_are_left_out(lake):
    lake.store.put(f"temp/{vin(1)}/{DAY}/notes.json", b"{}\n")
    lake.store.put("compressed/readme.txt", b"x")
    lake.store.put("quarantine/odd", b"x")
    assert audit(lake.store, {PLACE: 10}).ok


def test_an_empty_lake():
    found = audit(ObjectStore("memory://"))
    assert (found.partitions, found.ok, str(found)) == ([], True, "0 lost, 0 doubled")
    assert audit(ObjectStore("memory://"), {PLACE: 3}).partitions[0].missing == [[0, 2]]
    assert audit(ObjectStore("memory://"), {PLACE: 0}).ok


# -- receipts -------------------------------------------------------------------------------------------------------


def test_a_receipt_is_found_from_every_event_day_it_names():
    lake = Lake()
    lake.put_receipt(10, 14, {"2026-10-20": [10, 12], "2026-11-03": [11], "2026-11-04": [13]}, newest=T0 + 2 * DAY_MS)
    assert expected_offsets(lake.store, "2026-10-20") == {PLACE: [[10, 10], [12, 12]]}
    assert expected_offsets(lake.store, "2026-11-03") == {PLACE: [[11, 11]]}
    assert expected_offsets(lake.store, "2026-11-04") == {PLACE: [[13, 13]]}  # five minutes ahead of the broker's day
    assert expected_offsets(lake.store, "2026-11-05") == {}
    assert expected_offsets(lake.store) == {PLACE: [[0, 5], [10, 13]]}
    assert event_days(lake.store) == {"2026-10-20": 2, DAY: 6, "2026-11-03": 1, "2026-11-04": 1}


def test_receipts_that_overlap_count_once():
    lake = Lake()
    lake.put_receipt(2, 8, {DAY: range(2, 6)}, dead=[6], tombstones=[7])
    assert expected_offsets(lake.store, DAY) == {PLACE: [[0, 5]]}
    assert event_days(lake.store) == {DAY: 6}
    assert audit(lake.store, {PLACE: 10}).ok


def test_key_and_bytes_follow_from_the_content():
    key = Lake().put_receipt(0, 8, {DAY: range(6)}, dead=[6], tombstones=[7])
    data = Lake().store.get(key)
    assert json.loads(data) == {
        "partitions": [
            {
                "source": SOURCE,
                "partition": 0,
                "start": 0,
                "end": 8,
                "days": {DAY: [[0, 5]]},
                "dead": [[6, 6]],
                "tombstones": [[7, 7]],
            }
        ]
    }
    assert key == offsets_receipt_key("2026-11-02", key.rsplit("/", 1)[1].removesuffix(".json"))


def test_nothing_read_writes_no_receipt():
    assert Ledger([OffsetRange(SOURCE, 0, 5, 9)]).encode() is None


def test_gaps_round_trip(lake):
    lake.store.put(*encode_gap(Gap("a", 3, 5, 9, "reset")))
    assert known_gaps(lake.store) == [Gap("a", 3, 5, 9, "reset"), Gap(SOURCE, 0, 8, 9, "expired")]


# -- dead letters ---------------------------------------------------------------------------------------------------


def test_a_dead_letter_keeps_every_byte_and_repeats_count_once(lake):
    value, key = bytes(range(256)), b"\xff\x00"
    message = FakeMessage(value, key, 77, (1, T0), [("a", b"\xfe"), ("b", None)], 3, "tesla-dashed_V")
    line = dead_line(message, Dead(Reason.BAD_VIN, "why\nnot"))
    for first in (70, 77):
        name = kafka_object_name("tesla-dashed_V", 3, first, 77, 1, zlib.crc32(line))
        lake.store.put(dead_letter_key("2026-11-01", name), line)
    (letter,) = read_dead_letters(lake.store, "2026-11-01")
    assert (letter.source, letter.partition, letter.offset, letter.timestamp) == ("tesla-dashed_V", 3, 77, T0)
    assert (letter.key, letter.value, letter.headers) == (key, value, {"a;base64": "/g==", "b": None})
    assert (letter.reason, letter.detail) == ("bad_vin", "why\nnot")
    assert line.count(b"\n") == 1

"""Objects of many vehicles: however they are cut, crash or break, the vehicles' files are the same."""

from __future__ import annotations

import zlib

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.engine import split
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.items import TaskError
from ev_platform.engine.lake_check import raw_objects
from ev_platform.ingest.found import scan
from ev_platform.lake.layout import SEGMENTS, kafka_object_name, temp_key, temp_prefix
from ev_platform.lake.segment_lines import marked, unmarked
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.engine.lakes import DAY, Crash, Watched, contents, fill, raw, small_settings, vin

VEHICLES, OFFSETS = [1, 2, 5, 6], range(12)


def segment(place, pairs, day=DAY, broken=b""):
    """Key and bytes of one segment: the lines of (vehicle, offset) pairs in this order."""
    data = b"".join(marked(vin(number), raw(number, offset, day)) for number, offset in pairs) + broken
    offsets = [offset for _, offset in pairs]
    lines = data.count(b"\n")
    name = kafka_object_name("tesla_V", place, min(offsets), max(offsets), lines, zlib.crc32(data))
    return temp_key(SEGMENTS, day, name), data


def fill_segments(store, per=5, repeats=0):
    """The same records as `fill(store, VEHICLES, OFFSETS)`, as segments; some of them are written twice."""
    for place in range(4):
        pairs = [(number, offset) for offset in OFFSETS for number in VEHICLES if number % 4 == place]
        for start in range(0, len(pairs), per):
            store.put(*segment(place, pairs[max(0, start - repeats) : start + per]))


def per_vehicle():
    store = ObjectStore("memory://")
    fill(store, VEHICLES, OFFSETS)
    compact_day(small_settings(store), store, DAY)
    return contents(store, "compressed")


@given(st.binary(max_size=40), st.integers(0, 2**62), st.integers(0, 999_999))
def test_a_mark_comes_off_again_byte_for_byte(payload, offset, number):
    line = b'{"_p":3,"_o":%d,"_t":5,"d":%b}\n' % (offset, payload.replace(b"\n", b""))
    assert unmarked(marked(vin(number), line)) == (vin(number), offset, line)
    assert unmarked(line) is None


def test_a_marked_line_is_json_and_names_its_vehicle():
    line = orjson.loads(marked(vin(1), raw(1, 7)))
    assert line["_v"] == line["d"]["vin"] == vin(1)


@given(st.integers(1, 30), st.integers(0, 9), st.sampled_from([1, 2_000, 2**20]))
@settings(deadline=None, max_examples=25)
def test_however_segments_are_cut_the_files_are_those_of_the_vehicle_layout(per, repeats, held):
    store = ObjectStore("memory://")
    fill_segments(store, per, repeats)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "HELD_BYTES", held)
        receipt = compact_day(small_settings(store), store, DAY)
    assert contents(store, "compressed") == per_vehicle()
    assert contents(store, "temp", "quarantine") == {}
    assert receipt.records_stored == len(VEHICLES) * len(OFFSETS) == receipt.records_in - receipt.repeats


def test_both_layouts_at_once_are_one_day():
    store = ObjectStore("memory://")
    fill_segments(store)
    fill(store, VEHICLES[:2], OFFSETS, per=4)
    compact_day(small_settings(store), store, DAY)
    assert contents(store, "compressed") == per_vehicle()


def test_processes_of_the_pool_divide_a_folder(tmp_path):
    store = ObjectStore(str(tmp_path))
    fill_segments(store)
    receipt = compact_day(small_settings(store, workers=2), store, DAY)
    assert contents(store, "compressed") == per_vehicle()
    assert (receipt.segments_split, receipt.split_written) == (10, len(VEHICLES))
    assert store.keys("temp") == []


def held_offsets(store):
    """Identities that the lake holds anywhere, of all partitions."""
    return {
        (place, int(offset)) for place, found in scan(store, DAY).items() for a, b in found.intervals()
        for offset in range(a, b + 1)
    }  # fmt: skip


def test_a_crash_at_any_step_loses_nothing_and_a_second_run_comes_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(split, "HELD_BYTES", 2_000)
    dry = Watched(str(tmp_path / "dry"))
    fill_segments(dry)
    everything, seen = held_offsets(dry), []
    dry.before = lambda operation, key: seen.append((operation, key))
    compact_day(small_settings(dry), dry, DAY)
    wanted = contents(dry, "compressed", "quarantine", "temp")
    steps = [n for n, (_, key) in enumerate(seen) if key.startswith(temp_prefix(SEGMENTS, DAY)) or key == ""]
    assert len(steps) > 10
    for step in range(steps[-1] + 1):
        store = Watched(str(tmp_path / str(step)))
        fill_segments(store)
        crash_before(store, step)
        with pytest.raises(Crash):
            compact_day(small_settings(store), store, DAY)
        store.before = lambda operation, key: None
        assert held_offsets(store) == everything, seen[step]
        compact_day(small_settings(store), store, DAY)
        assert contents(store, "compressed", "quarantine", "temp") == wanted, seen[step]


def crash_before(store, step):
    count = iter(range(10_000))

    def hook(operation, key):
        if next(count) == step:
            raise Crash

    store.before = hook


class Forgetful(Watched):
    """Says that a vehicle's object is stored, and stores nothing."""

    def put(self, key, data):
        if not key.startswith("temp/"):
            super().put(key, data)


def test_what_the_crash_test_looks_at_shows_a_loss(tmp_path):
    store = Forgetful(str(tmp_path))
    fill_segments(ObjectStore(str(tmp_path)))
    everything = held_offsets(store)
    compact_day(small_settings(store), store, DAY)
    assert held_offsets(store) < everything


def test_a_corrupt_segment_is_set_aside_and_the_audit_knows_its_records():
    store = ObjectStore("memory://")
    fill_segments(store)
    key = store.keys(temp_prefix(SEGMENTS, DAY))[0]
    store.put(key, store.get(key)[:-9])
    before = held_offsets(store)
    receipt = compact_day(small_settings(store), store, DAY)
    assert receipt.quarantined_files == 1
    assert set(contents(store, "quarantine")) == {f"quarantine/{key}", f"quarantine/{key}.reason.json"}
    assert store.keys("temp") == []
    assert held_offsets(store) == before
    assert any(found.corrupt for found in scan(store, DAY).values())


def test_a_line_of_nobody_goes_to_quarantine_and_the_others_on():
    store = ObjectStore("memory://")
    pairs = [(1, offset) for offset in OFFSETS]
    key, data = segment(1, pairs, broken=b'{"_v":"nobody","_p":1,"_o":99,"_t":5,"d":{}}\n')
    store.put(key, data)
    receipt = compact_day(small_settings(store), store, DAY)
    assert (receipt.quarantined_lines, receipt.records_stored) == (1, len(OFFSETS))
    (lines,) = (data for name, data in contents(store, "quarantine").items() if name.endswith(".lines"))
    assert orjson.loads(lines)["reason"] == split.NOT_MARKED
    assert (("tesla_V", 1), 99) in held_offsets(store)


def test_a_stranger_among_segments_is_set_aside():
    store = ObjectStore("memory://")
    store.put(f"{temp_prefix(SEGMENTS, DAY)}/notes.json", b"{}\n")
    assert compact_day(small_settings(store), store, DAY).quarantined_files == 1
    assert store.keys("temp") == []


def test_a_lake_that_fails_keeps_its_segments(tmp_path):
    store = Watched(str(tmp_path))
    fill_segments(store)
    segments = contents(store, "temp")

    def fail(operation, key):
        if operation == "put":
            raise PermissionError("read-only")

    store.before = fail
    with pytest.raises(TaskError, match="tesla_V-"):
        compact_day(small_settings(store), store, DAY)
    assert contents(store, "temp") == segments


def test_the_check_of_the_lake_looks_at_segments_too():
    store = ObjectStore("memory://")
    fill_segments(store)
    assert list(raw_objects(store, DAY, DAY)) == []
    key = store.keys(temp_prefix(SEGMENTS, DAY))[0]
    store.put(key, store.get(key)[:-9])
    assert [finding.rule for finding in raw_objects(store, DAY, DAY)] == ["checksum"]

"""Raw readings to the day's table: typed, every message once, nothing lost at any crash point."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ev_platform.engine.items import TaskError
from ev_platform.engine.telematics import events_day
from ev_platform.engine.telematics_inspection import disordered_bands, doubled_readings, lost_readings
from ev_platform.lake.layout import part_key, table_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform_tests.moto_server import moto_bucket
from ev_platform_tests.telematics.cases import DEVICE, OTHER, T0, make, put_raw, reading, rows

DAY = "2026-11-01"
EVENTS = part_key("telematics/events", DAY)


def memory():
    return ObjectStore("memory://")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("Vehicle speed", "50", {"number": 50, "text": None, "known": True}),
        ("Vehicle speed", 50.5, {"number": 50.5, "text": None, "known": True}),
        ("Vehicle speed", "50.50", {"number": 50.5, "text": "50.50", "known": True}),
        ("Vehicle speed", '"50"', {"number": 50, "text": None, "known": True}),
        ("Vehicle speed", "fast", {"number": None, "text": "fast", "known": False}),
        ("Vehicle speed", None, {"number": None, "text": None, "known": False}),
        ("Vehicle speed", "1e400", {"number": None, "text": "1e400", "known": False}),
        ("IDLING", "1", {"number": None, "flag": True, "text": None, "known": True}),
        ("IDLING", "0", {"flag": False, "text": None, "known": True}),
        ("IDLING", True, {"flag": True, "text": "true", "known": True}),
        ("IDLING", "2", {"flag": None, "number": 2, "known": False}),
        ("POSITION", '"12.9,77.5,-40"', {"latitude": 12.9, "longitude": 77.5, "altitude_m": -40, "known": True}),
        ("POSITION", "0,0,-812", {"latitude": None, "longitude": None, "altitude_m": None, "text": "0,0,-812",
                                  "known": True}),
        ("POSITION", "95,10,1", {"latitude": None, "known": True}),
        ("POSITION", "nowhere", {"latitude": None, "text": "nowhere", "known": False}),
        ("NEW THING", "7", {"number": 7, "text": None, "known": False}),
    ],
)  # fmt: skip
def test_values(variable, value, expected):
    store = memory()
    put_raw(store, [reading(value=value, variable=variable)])
    events_day(store, DAY)
    (row,) = rows(store)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("sent", "band"),
    [(0, "normal"), (1, "very_low"), (2, "low"), (3, "high"), (4, "very_high"), (5, "off"), ("4", "very_high"),
     (4.0, "very_high"), (6, None), (-1, None), ("x", None), (None, None), (True, None)],
)  # fmt: skip
def test_bands_are_codes_not_severities(sent, band):
    store = memory()
    put_raw(store, [reading(alarm_class=sent)])
    events_day(store, DAY)
    (row,) = rows(store)
    assert row["band"] == band
    assert (row["extra"] is not None) == (band is None and sent is not None)


def test_unknown_keys_and_vehicles_of_the_registry():
    store = memory()
    registry = pa.table({"vin": ["EVPTESLA000000001"], "device_ids": [f"x; {DEVICE}"]})
    store.put(table_key("ref/vehicles"), to_parquet(registry))
    put_raw(store, [reading(firmware="7"), reading(device=OTHER)])
    receipt = events_day(store, DAY)
    found = {row["device_id"]: row for row in rows(store)}
    assert found[DEVICE]["vin"] == "EVPTESLA000000001"
    assert found[DEVICE]["extra"] == '{"firmware":"7"}'
    assert found[OTHER]["vin"] is None
    assert receipt.without_vin == 1
    store.put(table_key("ref/vehicles"), to_parquet(pa.table({"vin": ["W"], "device_ids": [[OTHER]]})))
    events_day(store, DAY)  # a registry that has changed reaches stored rows too
    assert {row["device_id"]: row["vin"] for row in rows(store)} == {DEVICE: None, OTHER: "W"}


def test_a_reading_sent_twice_is_kept_and_counts_once():
    store = memory()
    put_raw(store, [reading(value="1"), reading(value="2"), reading(value="1"), reading(value="1")])
    receipt = events_day(store, DAY)
    assert [(row["offset"], row["repeat"]) for row in rows(store)].count((0, False)) == 1
    assert {row["offset"] for row in rows(store) if row["repeat"]} == {2, 3}
    assert (receipt.rows, receipt.repeats) == (4, 2)
    assert doubled_readings(store, DAY) == {}


def test_two_readings_of_one_instant_are_two():
    store = memory()
    put_raw(store, [reading(value="1"), reading(value="2"), reading(value="1", variable="ENGINE RPM")])
    events_day(store, DAY)
    assert len(rows(store)) == 3
    assert not any(row["repeat"] for row in rows(store))


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.permutations(range(9)), st.lists(st.integers(1, 8), max_size=3), st.booleans())
def test_however_readings_arrive_the_same_bytes_come_out(order, cuts, again):
    bodies = [reading(T0 + n // 2 * 1000, str(n % 3), device=DEVICE if n % 2 else OTHER) for n in range(9)]
    whole, parts = memory(), memory()
    put_raw(whole, bodies)
    events_day(whole, DAY)
    edges = [0, *sorted(set(cuts)), 9]
    for first, last in pairwise(edges):
        for n in order[first:last]:
            put_raw(parts, [bodies[n]], first=n)
            if again:  # a replayed drain cuts elsewhere
                put_raw(parts, bodies[max(n - 1, 0) : n + 1], first=max(n - 1, 0))
        events_day(parts, DAY)
    assert parts.get(EVENTS) == whole.get(EVENTS)
    assert parts.keys("temp_telematics") == []


class Dies(Exception):
    """Stands for a SIGKILL."""


class DyingStore(ObjectStore):
    """Dies at its n-th change."""

    left = 10**9

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise Dies

    def swap(self, *args):
        self._count()
        done = super().swap(*args)
        self._count()
        return done

    def delete(self, keys):
        for key in keys:
            self._count()
            super().delete([key])


def test_killed_at_any_change_and_run_again_the_same_table(tmp_path):
    bodies = [reading(T0 + n * 1000, str(n), device=DEVICE if n % 2 else OTHER) for n in range(6)]
    whole = memory()
    put_raw(whole, bodies)
    events_day(whole, DAY)
    deaths = 0
    for at in range(10):
        store = DyingStore(str(tmp_path / str(at)))
        for n in (0, 2, 4):
            put_raw(store, bodies[n : n + 2], first=n)
        store.left = at
        try:
            events_day(store, DAY)
        except Dies:
            deaths += 1
        store.left = 10**9
        events_day(store, DAY)
        assert store.get(EVENTS) == whole.get(EVENTS)
        assert store.keys("temp_telematics") == []
    assert deaths == 8  # before and after the swap, and at each of six deletions


class Forgetful(ObjectStore):
    """A store whose swaps do not arrive."""

    def swap(self, key, data, version):
        return True


class Busy(ObjectStore):
    """A store where somebody else is always faster."""

    def swap(self, key, data, version):
        return False


@pytest.mark.parametrize(("kind", "message"), [(Forgetful, "lacks 2 readings"), (Busy, "replaced by others")])
def test_raw_objects_stay_when_the_table_does_not_hold_them(kind, message):
    store = kind("memory://")
    keys = put_raw(store, [reading(), reading(value="2")])
    with pytest.raises(TaskError, match=message):
        events_day(store, DAY)
    assert store.keys("temp_telematics") == keys


def test_corrupt_objects_and_lines_go_to_quarantine(store, drained):
    keys = store.keys("temp_telematics")
    whole = store.get(keys[0])
    store.put(keys[0], whole[: len(whole) // 2])
    receipt = events_day(store, DAY)
    assert receipt.quarantined_files == 1
    assert store.exists(f"quarantine/{keys[0]}")
    lost = lost_readings(store, DAY)
    assert set(lost) == {f"{drained}:0"}  # what was cut off is gone, and said to be


def test_a_drain_conserves_rows_and_the_check_can_fail(store, drained):
    assert lost_readings(store, DAY) == {}  # while they wait
    events_day(store, DAY)
    assert lost_readings(store, DAY) == {}
    assert all("/2026-11-02/" in key for key in store.keys("temp_telematics"))
    table = from_parquet(store.get(EVENTS))
    store.put(EVENTS, to_parquet(table.slice(1)))
    assert "offsets" in lost_readings(store, DAY)[f"{drained}:0"]


def test_the_other_checks_can_fail():
    store = memory()
    bodies = [reading(T0 + n, str(v), alarm_class=c) for n, (v, c) in enumerate([(5, 1), (10, 2), (50, 0), (70, 3)])]
    put_raw(store, [*bodies, reading(T0 + 9, "0", alarm_class=0)])
    events_day(store, DAY)
    assert disordered_bands(store, DAY) == doubled_readings(store, DAY) == {}
    table = from_parquet(store.get(EVENTS))
    store.put(EVENTS, to_parquet(pa.concat_tables([table, table.slice(0, 1)])))
    assert set(doubled_readings(store, DAY)) == {"messages", "readings"}
    put_raw(store, [reading(T0 + 10, "1", alarm_class=4)], first=20)
    events_day(store, DAY)
    assert disordered_bands(store, DAY) == {f"{DEVICE} Vehicle speed": "bands do not rise with the values"}


def test_late_readings_join_a_day_that_is_made():
    store = memory()
    put_raw(store, [reading(value="1")])
    make(store, DAY)
    put_raw(store, [reading(value="2")], first=5)
    assert events_day(store, DAY).rows == 2


def test_on_s3_the_same_table():
    bodies = [reading(T0 + n * 1000, str(n), device=DEVICE if n % 2 else OTHER) for n in range(9)]
    whole = memory()
    put_raw(whole, bodies)
    make(whole, DAY)
    with moto_bucket() as url:
        remote = ObjectStore(url)
        put_raw(remote, bodies[:5])
        make(remote, DAY)
        put_raw(remote, bodies[5:], first=5)
        make(remote, DAY)
        assert remote.keys("temp_telematics") == []
        for name in ("events", "alarms"):
            key = part_key(f"telematics/{name}", DAY)
            assert remote.get(key) == whole.get(key)

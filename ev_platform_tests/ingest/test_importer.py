"""Import as a whole: each row once whatever is imported again, overlaps, dies half-way or is compacted meanwhile."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ev_platform.errors import UserError
from ev_platform.ingest.audit import audit
from ev_platform.ingest.import_audit import fallen_short
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.ingest.helpers import lake_objects
from ev_platform_tests.ingest.import_cases import OTHER, VIN, bring, cells, compacted, write

HEADER = "vin,time,soc_percent"


def row(n, vin=VIN):
    """Row n: one every 40 minutes, so that a few dozen span days."""
    minutes = n * 40
    return f"{vin},2024-03-{1 + minutes // 1440:02d}T{minutes // 60 % 24:02d}:{minutes % 60:02d}:00Z,{n}"


def rows(*numbers):
    return [row(n, VIN if n % 3 else OTHER) for n in numbers]


def test_importing_twice_changes_nothing_before_and_after_compaction(tmp_path, settings, store):
    path = write(tmp_path / "a.csv", HEADER, *rows(*range(100)), row(1), "broken")
    first = bring(settings, store, [path])
    assert (first.rows, first.stored, first.repeats, first.dead_letters) == (102, 100, 1, {"wrong_cells": 1})
    before = lake_objects(store)
    again = bring(settings, store, [path])
    assert (again.stored, again.repeats, again.objects) == (0, 101, 0)
    assert lake_objects(store) == before
    assert again.waiting == {"2024-03-01", "2024-03-02", "2024-03-03"}  # told again: a first import may have died
    compacted(settings, store)
    before = lake_objects(store)
    again = bring(settings, store, [path])
    assert lake_objects(store) == before
    assert again.stored == 0
    assert again.waiting == set()


def test_an_overlapping_file_adds_only_its_new_rows(tmp_path, settings, store):
    bring(settings, store, [write(tmp_path / "a.csv", HEADER, *rows(*range(60)))])
    compacted(settings, store)
    report = bring(settings, store, [write(tmp_path / "b.csv", HEADER, *rows(*range(40, 80)))])
    assert (report.stored, report.repeats) == (20, 20)
    assert sum(report.days.values()) == 20
    merged = compacted(settings, store)
    whole = ObjectStore("memory://")
    bring(settings, whole, [write(tmp_path / "c.csv", HEADER, *rows(*range(80)))])
    assert compacted(settings, whole) == merged


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=40), min_size=1, max_size=4), st.randoms())
def test_however_rows_are_spread_over_files_the_same_bytes_come_out(tmp_path_factory, files, shuffle):
    folder = tmp_path_factory.mktemp("spread")
    settings, parts, whole = Settings(_env_file=None), ObjectStore("memory://"), ObjectStore("memory://")
    for number, numbers in enumerate(files):
        report = bring(settings, parts, [write(folder / f"{number}.csv", HEADER, *rows(*numbers))])
        assert report.rows == report.stored + report.repeats == len(numbers)
        if shuffle.random() < 0.5:
            compacted(settings, parts)
    distinct = sorted({n for numbers in files for n in numbers})
    report = bring(settings, whole, [write(folder / "all.csv", HEADER, *rows(*distinct))])
    assert report.stored == len(distinct)
    assert compacted(settings, parts) == compacted(settings, whole)


def test_little_memory_makes_more_objects_and_the_same_table(tmp_path, settings, store, monkeypatch):
    numbers = list(range(90))
    random.Random(3).shuffle(numbers)
    path = write(tmp_path / "a.csv", HEADER, *rows(*numbers, *numbers[:10]))
    whole = ObjectStore("memory://")
    bring(settings, whole, [path])
    monkeypatch.setattr("ev_platform.ingest.importer.PENDING_BYTES", 1)
    monkeypatch.setattr("ev_platform.ingest.import_files.BLOCK_BYTES", 700)
    monkeypatch.setattr("ev_platform.ingest.importer.OBJECT_LINES", 3)
    report = bring(settings, store, [path])
    assert (report.stored, report.repeats) == (90, 10)
    assert len(store.keys("temp")) > len(whole.keys("temp"))
    assert compacted(settings, store) == compacted(settings, whole)


class Dies(Exception):
    """Stands for a SIGKILL."""


class DyingStore(ObjectStore):
    """Dies at the n-th write."""

    def __init__(self, url, writes):
        super().__init__(url)
        self.left = writes

    def put(self, key, data):
        self.left -= 1
        if self.left < 0:
            raise Dies
        super().put(key, data)


def test_killed_at_any_write_and_imported_again_nothing_is_lost_doubled_or_untold(tmp_path, settings):
    path = write(tmp_path / "a.csv", HEADER, *rows(*range(100)), "broken")
    whole = ObjectStore("memory://")
    bring(settings, whole, [path])
    writes = len(lake_objects(whole))
    expected = compacted(settings, whole)
    assert writes >= 8
    for at in range(writes):
        url = str(tmp_path / f"lake{at}")
        told = Counter()
        with pytest.raises(UserError, match="cannot be written"):
            bring(settings, DyingStore(url, at), [path], stored=told.update)
        store = ObjectStore(url)
        report = bring(settings, store, [path], stored=told.update)
        assert report.waiting == {"2024-03-01", "2024-03-02", "2024-03-03"} == set(told)
        assert compacted(settings, store) == expected


def test_a_dry_run_counts_and_writes_nothing(tmp_path, settings, store):
    path = write(tmp_path / "a.csv", HEADER, *rows(*range(10)), "broken")
    report = bring(settings, store, [path], dry_run=True)
    assert (report.stored, report.dead_letters) == (10, {"wrong_cells": 1})
    assert lake_objects(store) == {}


def test_the_audit_of_kafka_is_not_disturbed_by_imports(tmp_path, settings, store):
    bring(settings, store, [write(tmp_path / "a.csv", HEADER, *rows(*range(100)), "broken", "x,y,z")])
    assert audit(store).ok
    compacted(settings, store)
    report = audit(store)
    assert report.ok, str(report)
    assert (report.lost, report.doubled) == (0, 0)


@pytest.mark.parametrize("compact_first", [False, True])
def test_rows_that_vanish_after_the_import_are_noticed(tmp_path, settings, store, compact_first):
    bring(settings, store, [write(tmp_path / "a.csv", HEADER, *rows(*range(100)))])
    if compact_first:
        compacted(settings, store)
    days = ["2024-03-01", "2024-03-02", "2024-03-03"]
    assert all(fallen_short(store, day) == {} for day in days)
    victim = next(key for key in store.keys("compressed" if compact_first else "temp") if VIN in key)
    store.delete([victim])
    found = [fallen_short(store, day) for day in days]
    assert [set(problem) for problem in found if problem] == [{VIN}]
    assert "generic: 0 records" in str(found)


def test_a_corrupt_raw_object_in_quarantine_explains_its_rows(tmp_path, settings, store):
    bring(settings, store, [write(tmp_path / "a.csv", HEADER, *rows(*range(9)))])
    key = next(key for key in store.keys("temp") if VIN in key)
    store.put(key, store.get(key) + b"\n")
    compacted(settings, store)
    assert store.exists(f"quarantine/{key}")
    assert fallen_short(store, "2024-03-01") == {}


def test_signals_of_two_vehicles_land_in_their_own_files(tmp_path, settings, store):
    bring(settings, store, [write(tmp_path / "a.csv", HEADER, *rows(*range(9)))])
    compacted(settings, store)
    by_vin = Counter(vin for vin, _, signal in cells(store) if signal == "soc_percent")
    assert by_vin == {VIN: 6, OTHER: 3}


def test_on_s3_the_same_objects(tmp_path, settings, s3_bucket):
    path = write(tmp_path / "a.csv", HEADER, *rows(*range(100)), "broken")
    whole, remote = ObjectStore("memory://"), ObjectStore(s3_bucket)
    bring(settings, whole, [path])
    bring(settings, remote, [path])
    assert lake_objects(remote) == lake_objects(whole)
    assert compacted(settings, remote) == compacted(settings, whole)
    assert bring(settings, remote, [path]).objects == 0

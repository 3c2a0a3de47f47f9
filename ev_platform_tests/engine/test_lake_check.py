"""Each finding of `ev lake check` is found where it is, and nowhere else."""

import shutil
import zlib

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bench import fleet_day
from ev_platform.commands.lake import run_check, run_cost
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.lake_check import check_lake
from ev_platform.engine.sessions import stitch_days
from ev_platform.lake.layout import compressed_key, kafka_object_name, part_key, temp_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import Settings

DAY, NEXT, SHARDS = fleet_day.DAY, "2026-10-02", 2
VIN = fleet_day.vin(0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    settings, _, _ = fleet_day.fill(folder, 6)
    settings = settings.with_changes(shards=SHARDS, workers=1)
    store = ObjectStore(str(folder))
    compact_day(settings, store, DAY)
    clean_day(settings, store, DAY)
    segment_day(settings, store, DAY)
    stitch_days(settings, store, [DAY])
    return folder


@pytest.fixture
def lake(made, tmp_path):
    shutil.copytree(made, tmp_path / "lake")
    return ObjectStore(str(tmp_path / "lake"))


def findings(lake, first="2026-01-01", last="2026-12-31"):
    return {(found.rule, found.key) for found in check_lake(lake, first, last, SHARDS)}


def raw(data, crc=None):
    name = kafka_object_name("tesla_V", 0, 1, 1, 1, zlib.crc32(data) if crc is None else crc)
    return temp_key(VIN, DAY, name)


def test_a_sound_lake_has_no_findings(lake):
    good = b'{"d":{}}\n'
    lake.put(raw(good), good)
    assert findings(lake) == set()


def test_a_folder_that_nobody_writes(lake):
    lake.put("backup/x.bin", b"1")
    assert findings(lake) == {("orphan", "backup")}


def test_raw_objects_that_are_not_what_their_name_says(lake):
    short = raw(b"whole\n")
    lake.put(short, b"who")
    lake.put(f"temp/{VIN}/{DAY}/mine.json", b"{}\n")
    assert findings(lake) == {("checksum", short), ("foreign_name", f"temp/{VIN}/{DAY}/mine.json")}
    assert findings(lake, NEXT, NEXT) == set()


def test_a_day_without_its_followers(lake):
    for shard in range(SHARDS):
        lake.delete([part_key("segments", DAY, shard)])
    assert findings(lake) == {("missing_day", f"segments/date={DAY}")}


def test_compressed_files_in_the_wrong_place(lake):
    other = fleet_day.vin(1)
    lake.put(compressed_key(DAY, other), lake.get(compressed_key(DAY, VIN)))
    late = compressed_key(DAY, VIN)
    rows = from_parquet(lake.get(late))
    moved = pc.add(rows["event_time"], pa.scalar(86_400_000_000, pa.duration("us"))).cast(rows["event_time"].type)
    lake.put(late, to_parquet(rows.set_column(1, rows.schema.field(1), moved)))
    lake.put(f"{late}.bak", b"1")
    assert findings(lake) == {
        ("misplaced", compressed_key(DAY, other)),
        ("misplaced", late),
        ("misplaced", f"{late}.bak"),
    }


def test_files_that_cannot_be_read(lake):
    broken = (compressed_key(DAY, VIN), part_key("cleaned", DAY, 0), part_key("results/sessions", DAY, 1))
    for key in broken:
        lake.put(key, lake.get(key)[:-9])
    assert findings(lake) == {("unreadable", key) for key in broken}


def test_a_part_of_another_shard_or_day(lake):
    first, second = (part_key("cleaned", DAY, shard) for shard in range(SHARDS))
    one, two = lake.get(first), lake.get(second)
    lake.put(first, two)
    lake.put(second, one)
    stray = part_key("segments", DAY, SHARDS + 3)
    lake.put(stray, lake.get(part_key("segments", DAY, 0)))
    assert findings(lake) == {("misplaced", first), ("misplaced", second), ("misplaced", stray)}


def test_the_command_says_what_to_do_and_fails(lake, capsys):
    settings = Settings(_env_file=None, lake_url=lake.url, shards=SHARDS)
    assert run_check(settings, "2026-01-01", "2026-12-31") == 0
    lake.put("backup/x.bin", b"1")
    assert run_check(settings, "2026-01-01", "2026-12-31") == 1
    assert "orphan: backup: no part of the platform writes here" in capsys.readouterr().out
    run_cost(settings)
    assert f"{len(lake.keys('compressed')):,}" in capsys.readouterr().out

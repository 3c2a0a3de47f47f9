"""A lake of 5,000 vehicles and three days through the pool and through Spark: every file must be equal, byte for byte.

Raw → compressed → cleaned → segments → sessions, two workers each, each engine in a process of its own, on copies of
the same raw objects. Every tenth message of a vehicle's day is kept, so that the lake fits a laptop's patience: what is
large here is the number of vehicles, objects and work items.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from datetime import timedelta
from pathlib import Path

from bench import fleet_day
from bench.harness import Section, Target, live_cpu_seconds

VEHICLES = int(os.environ.get("BENCH_LAKE_VEHICLES", "5000"))
DAYS, EVERY, SHARDS, WORKERS = 3, 10, 10, 2
ENGINES = {"local": {}, "spark": {"engine": "spark", "spark_remote": f"local[{WORKERS},4]"}}
LABELS = {"local": "pool of two processes", "spark": "Spark classic, local[2]"}
TABLES = ("compressed", "cleaned", "segments", "results")


def days() -> list[str]:
    """The days of the lake."""
    return [(fleet_day.FIRST + timedelta(days=number)).isoformat() for number in range(DAYS)]


def fill(folder: Path) -> int:
    """Raw objects, one per vehicle and day; returns the messages."""
    from ev_platform.lake.layout import kafka_object_name, temp_key

    messages = 0
    for number in range(VEHICLES):
        for day in days():
            lines = fleet_day.lines_of(number, day, DAYS)[::EVERY]
            if not lines:
                continue
            data, (first, last) = b"".join(lines), (json.loads(line)["_o"] for line in (lines[0], lines[-1]))
            name = kafka_object_name("tesla_V", 0, first, last, len(lines), zlib.crc32(data))
            path = folder / temp_key(fleet_day.vin(number), day, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            messages += len(lines)
    return messages


def run(name: str, folder: str) -> dict[str, float]:
    """The chain on one engine; wall and CPU-seconds, its start included."""
    from ev_platform.engine.tasks import clean_day, compact_day, segment_day, stitch_days
    from ev_platform.lake.store import ObjectStore

    settings = fleet_day.settings_of(Path(folder), WORKERS, SHARDS).with_changes(**ENGINES[name])
    store, seconds = ObjectStore(folder), time.perf_counter()
    records = 0
    for day in days():
        records += compact_day(settings, store, day).records_stored
        clean_day(settings, store, day)
        segment_day(settings, store, day)
    stitch_days(settings, store, days())
    return {"wall": time.perf_counter() - seconds, "cpu": live_cpu_seconds(), "records": records}


def tell(name: str, folder: str) -> None:
    """For the process of an engine: print what `run` found."""
    print("=" + json.dumps(run(name, folder)))


def _files(folder: Path) -> dict[str, str]:
    paths = (path for table in TABLES for path in (folder / table).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def sections() -> list[Section]:
    """Both engines; needs the extra spark, and Java."""
    found: dict[str, dict[str, float]] = {}
    files: dict[str, dict[str, str]] = {}
    for name in ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            messages = fill(Path(folder))
            code = f"from bench import bench_big_lake as b; b.tell({name!r}, {folder!r})"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            found[name] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("="))[1:])
            files[name] = _files(Path(folder))
            if list((Path(folder) / "temp").rglob("*.json")):
                raise RuntimeError(f"{LABELS[name]} left raw objects")
    differing = sum(files["local"].get(key) != files["spark"].get(key) for key in files["local"] | files["spark"])
    rows = [
        {
            "engine": LABELS[name],
            "files": f"{len(files[name]):,}",
            "records": f"{one['records']:,.0f}",
            "wall s": f"{one['wall']:.0f}",
            "CPU-s": f"{one['cpu']:.0f}",
            "vehicle-days/s": f"{VEHICLES * DAYS / one['wall']:,.0f}",
        }
        for name, one in found.items()
    ]
    return [
        Section(
            "Engines: 5,000 vehicles, three days",
            f"{VEHICLES:,} vehicles × {DAYS} days, {messages:,} messages: compaction, cleaning, segmentation, sessions "
            f"in {SHARDS} shards, the engine's start included.",
            rows,
            [
                Target("files that differ between the engines", f"{differing:,}", "0", differing == 0),
                Target(
                    "Spark over the pool, wall",
                    f"{found['spark']['wall'] / found['local']['wall']:.2f} x",
                    "≤ 1.8 x",
                    found["spark"]["wall"] <= 1.8 * found["local"]["wall"],
                ),
            ],
        )
    ]

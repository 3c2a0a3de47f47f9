"""Engines: what it costs to start one, and what a warm one needs for the same work items as the local pool.

Each engine in a process of its own, two workers on the same cores: the first call (it starts the engine), then cleaning
and segmentation of a day three times over. Wall seconds, because that is what a cluster is for.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import fleet_day
from bench.bench_clean_segment import make_compressed
from bench.harness import Section, Target

VEHICLES, SHARDS, REPEATS = 250, 10, 3
ENGINES = {
    "local": {},
    "dask": {"engine": "dask"},
    "ray": {"engine": "ray"},
    "spark": {"engine": "spark", "spark_remote": "local[2,4]"},
}
LABELS = {"local": "pool of two processes", "dask": "Dask", "ray": "Ray", "spark": "Spark classic, local[2]"}


def nothing(item) -> str:  # noqa: ANN001 - a work item
    """A task that starts the engine and does nothing else."""
    return item.vehicles[0]


def run(name: str, folder: str) -> dict[str, float]:
    """Seconds until the first map is back, and of a warm clean + segment (median)."""
    from ev_platform.engine.adapter import run_items
    from ev_platform.engine.daily import clean_day, segment_day
    from ev_platform.engine.items import WorkItem
    from ev_platform.lake.store import ObjectStore

    settings = fleet_day.settings_of(Path(folder), 2, SHARDS).with_changes(**ENGINES[name])
    store = ObjectStore(folder)
    begin = time.perf_counter()
    list(run_items(nothing, [WorkItem(folder, fleet_day.DAY, (n,)) for n in "AB"], store, settings))
    started = time.perf_counter() - begin
    seconds = []
    for number in range(REPEATS + 1):
        for table in ("cleaned", "segments"):
            shutil.rmtree(Path(folder) / table, ignore_errors=True)
        begin = time.perf_counter()
        clean_day(settings, store, fleet_day.DAY)
        segment_day(settings, store, fleet_day.DAY)
        if number:  # the first one imports the kernels
            seconds.append(time.perf_counter() - begin)
    return {"start": started, "warm": statistics.median(seconds)}


def tell(name: str, folder: str) -> None:
    """Print what `run` found, for the process that asked."""
    print("=" + json.dumps(run(name, folder)))


def sections() -> list[Section]:
    """The bench; needs the extras spark, ray and dask, and Java."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        make_compressed(folder, VEHICLES)
        for name in ENGINES:
            code = f"from bench import bench_engines as b; b.tell({name!r}, {folder!r})"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            found[name] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("="))[1:])
    pool = found["local"]["warm"]
    rows = [
        {
            "engine": LABELS[name],
            "start s": f"{one['start']:.1f}",
            "warm s": f"{one['warm']:.2f}",
            "warm over pool": f"{one['warm'] / pool:.2f}",
            "vehicles/s": f"{VEHICLES / one['warm']:,.0f}",
            "vehicle-days until the start is 10 %": f"{one['start'] * 9 * VEHICLES / one['warm']:,.0f}",
        }
        for name, one in found.items()
    ]
    spark = found["spark"]["warm"] / pool
    return [
        Section(
            "Engines: the same work items",
            f"Clean + segment of {VEHICLES} vehicles in {SHARDS} shards, two workers on the same two cores.",
            rows,
            [Target("Spark warm over the pool", f"{spark:.2f} x", "≤ 1.8 x", spark <= 1.8)],
        )
    ]

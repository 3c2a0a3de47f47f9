"""Engines: what it costs to start one, what a warm one needs for the same work items as the local pool, when it pays.

Each engine in a process of its own, two workers on the same cores: the first call (it starts the engine), then cleaning
and segmentation of a day some times over. Wall seconds, because that is what a cluster is for. Then the same work as
Spark's own windows do it, and compaction by its own JSON reader, which is why kernels run as work items.
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

from bench import fleet_day, spark_native
from bench.baseline_segment import polars_fleet
from bench.bench_clean_segment import make_compressed, tables_of
from bench.bench_compact import compacted
from bench.crossover import Cost, faster_from, started_from
from bench.harness import Measured, Section, Target, live_cpu_seconds, measure

VEHICLES, SHARDS, CORES, WARM_UP, REPEATS = 250, 10, 2, 2, 5
JSON_VEHICLES = 125
CLUSTERS = (2, 8, 32, 128)
"""Cores of the clusters that are computed."""
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
    """Wall seconds of the first map (start), with the first work (first), of an empty map (call), of work (warm).

    Work is clean + segment; `first_cpu` and `cpu` are the CPU-seconds of the first and of a warm one.
    """
    from ev_platform.engine.adapter import run_items
    from ev_platform.engine.daily import clean_day, segment_day
    from ev_platform.engine.items import WorkItem
    from ev_platform.lake.store import ObjectStore

    settings = fleet_day.settings_of(Path(folder), CORES, SHARDS).with_changes(**ENGINES[name])
    store = ObjectStore(folder)
    empty_items = [WorkItem(folder, fleet_day.DAY, (str(number),)) for number in range(SHARDS)]

    def empty() -> float:
        begin = time.perf_counter()
        list(run_items(nothing, empty_items, store, settings))
        return time.perf_counter() - begin

    def work() -> tuple[float, float]:
        for table in ("cleaned", "segments", "results"):
            shutil.rmtree(Path(folder) / table, ignore_errors=True)
        cpu, begin = live_cpu_seconds(), time.perf_counter()
        clean_day(settings, store, fleet_day.DAY)
        segment_day(settings, store, fleet_day.DAY)
        return time.perf_counter() - begin, live_cpu_seconds() - cpu

    cpu, found = live_cpu_seconds(), {"start": empty()}
    found["first"] = found["start"] + work()[0]
    found["first_cpu"] = live_cpu_seconds() - cpu
    for _ in range(WARM_UP - 1):  # kernels are imported, the JVM compiles
        work()
    walls, cpus = zip(*(work() for _ in range(REPEATS)), strict=True)
    found["call"] = statistics.median(empty() for _ in range(REPEATS))
    return found | {"warm": statistics.median(walls), "cpu": statistics.median(cpus)}


def tell(name: str, folder: str) -> None:
    """Print what `run` found, for the process that asked."""
    print("=" + json.dumps(run(name, folder)))


def _asked(name: str, folder: str) -> dict[str, float]:
    code = f"from bench import bench_engines as b; b.tell({name!r}, {folder!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("="))[1:])
    return answer


def _engines(found: dict[str, dict[str, float]]) -> Section:
    pool, spark = found["local"]["warm"], found["spark"]["warm"]
    rows = [
        {
            "engine": LABELS[name],
            "start s": f"{one['start']:.1f}",
            "empty call s": f"{one['call']:.2f}",
            "warm s": f"{one['warm']:.2f}",
            "warm over pool": f"{one['warm'] / pool:.2f}",
            "vehicles/s": f"{VEHICLES / one['warm']:,.0f}",
        }
        for name, one in found.items()
    ]
    return Section(
        "Engines: the same work items",
        f"Clean + segment of {VEHICLES} vehicles in {SHARDS} shards, two workers on the same two cores, warm: after "
        f"{WARM_UP} runs, median of {REPEATS}. An empty call is a map of {SHARDS} items that do nothing; the work is "
        "two calls.",
        rows,
        [Target("Spark warm over the pool", f"{spark / pool:.2f} x", "≤ 1.8 x", spark <= 1.8 * pool)],
    )


def _crossover(found: dict[str, dict[str, float]]) -> Section:
    pool, spark = (
        Cost(found[name]["start"], CORES * found[name]["warm"] / VEHICLES, CORES) for name in ("local", "spark")
    )
    rows = []
    for cores in CLUSTERS:
        cluster = spark.on(cores)
        pays = faster_from(pool, cluster)
        rows.append(
            {
                "Spark's cores": str(cores),
                "vehicle-days/s, warm": f"{1 / cluster.vehicle_s:,.0f}",
                "faster than the pool from, vehicle-days": "never" if pays is None else f"{pays:,.0f}",
                "start is 10 % of the time at, vehicle-days": f"{started_from(cluster):,.0f}",
            }
        )
    return Section(
        "Engines: from which size a cluster pays",
        f"Computed from the start and the warm seconds above, against the pool on {CORES} cores; clean + segment. "
        "Taken for granted: the cluster's cores are like these and share the vehicles evenly, and the lake gives all "
        "of them what it gives two. The start is a session's on one machine; getting the machines comes on top.",
        rows,
    )


def _windows(found: dict[str, float], folder: str) -> Section:
    native: spark_native.Runs = measure(spark_native.windows, folder, VEHICLES).value
    counts = polars_fleet(tables_of(folder, VEHICLES))
    if native["warm"].value != counts:
        raise RuntimeError(f"Spark's windows come to {native['warm'].value} rows and segments, Polars to {counts}")
    ours = {
        "first": Measured(found["first_cpu"], found["first"], 0.0),
        "warm": Measured(found["cpu"], found["warm"], 0),
    }
    slower = {name: native[name].wall_seconds / ours[name].wall_seconds for name in ours}
    return Section(
        "Engines: work items or Spark's own windows",
        f"Clean + segment of the same {VEHICLES} vehicles on Spark classic, two cores, the JVM's CPU included; the "
        "first run with the start. Ours does all rules, the windows a part of them (bench/baseline_spark.py; rows and "
        f"segments equal those of the other baselines): a favour to the windows. The first run: {slower['first']:.1f} "
        "x ours by the clock.",
        _rows(VEHICLES, {"our kernels as work items": ours, "Spark's windows": native}),
        [
            Target(
                "Spark's windows over ours on Spark, warm, wall",
                f"{slower['warm']:.1f} x",
                "≥ 10 x",
                slower["warm"] >= 10,
            )
        ],
    )


def _json() -> Section:
    with tempfile.TemporaryDirectory() as folder:
        _, messages, size = fleet_day.fill(Path(folder), JSON_VEHICLES)
        native: spark_native.Runs = measure(spark_native.json_reader, folder, JSON_VEHICLES).value
        bare = measure(compact_alone, folder, warm=compact_alone)
    ours = {
        "first": _middle([compacted(JSON_VEHICLES, fleet_day.MESSAGES_PER_OBJECT, 1, None)[0] for _ in range(3)]),
        "warm": _middle([compacted(JSON_VEHICLES, fleet_day.MESSAGES_PER_OBJECT, 1)[0] for _ in range(3)]),
    }
    counts = {native["warm"].value, bare.value, ours["warm"].value["rows"]}
    if len(counts) > 1:
        raise RuntimeError(f"Spark's JSON reader and ours come to different rows: {counts}")
    slower = {name: native[name].cpu_seconds / ours[name].cpu_seconds for name in ours}
    alone = native["warm"].cpu_seconds / bare.cpu_seconds
    return Section(
        "Engines: compaction or Spark's own JSON reader",
        f"The same {messages:,} messages ({size / 1e6:.0f} MB) of {JSON_VEHICLES} vehicles to the same {bare.value:,} "
        "long rows. Ours: the whole task in one process, with reading back, proofs and deletion; the first run with "
        "its imports. Spark: explicit schema, exploded, repeats dropped by identity, sorted, Parquet in a folder per "
        f"vehicle (it cannot name the files); the first run with the start: {slower['first']:.1f} x ours. What both do "
        f"(read, compact, write), warm: {alone:.1f} x ours.",
        _rows(
            JSON_VEHICLES,
            {"ours": ours, "ours, read, compact and write alone": {"warm": bare}, "Spark's JSON reader": native},
        ),
        [Target("Spark's JSON reader over ours, warm, CPU", f"{slower['warm']:.1f} x", "≥ 9 x", slower["warm"] >= 9)],
    )


def compact_alone(folder: str) -> int:
    """Rows of a day's raw objects, each vehicle read, compacted and written as Parquet; nothing proved or deleted."""
    from ev_platform.lake.tables import to_parquet
    from ev_platform.transform.compact import compact

    rows = 0
    with tempfile.TemporaryDirectory() as out:
        for vehicle in sorted((Path(folder) / "temp").iterdir()):
            objects = sorted((vehicle / fleet_day.DAY).iterdir())
            buffers = [(str(path.relative_to(folder)), path.read_bytes()) for path in objects]
            table = compact(buffers, None, vehicle.name, fleet_day.DAY).table
            (Path(out) / f"{vehicle.name}.parquet").write_bytes(to_parquet(table))
            rows += len(table)
    return rows


def _middle(runs: list[Measured]) -> Measured:
    return sorted(runs, key=lambda one: one.cpu_seconds)[len(runs) // 2]


def _rows(vehicles: int, runs: dict[str, dict[str, Measured]]) -> list[dict[str, str]]:
    return [_row(f"{label}, {name}", vehicles, run) for label, each in runs.items() for name, run in each.items()]


def _row(label: str, vehicles: int, run: Measured) -> dict[str, str]:
    return {
        "work": label,
        "wall s": f"{run.wall_seconds:.2f}",
        "CPU-s": f"{run.cpu_seconds:.2f}",
        "CPU ms a vehicle": f"{1000 * run.cpu_seconds / vehicles:.1f}",
    }


def sections() -> list[Section]:
    """The bench; needs the extras spark, ray and dask, and Java."""
    with tempfile.TemporaryDirectory() as folder:
        make_compressed(folder, VEHICLES)
        found = {name: _asked(name, folder) for name in ENGINES}
        return [_engines(found), _crossover(found), _windows(found["spark"], folder), _json()]

"""Spark's own windows and its own JSON reader, each measured warm in a process of its own, JVM counted.

Belongs here: how they are run. Not here: what they do (baseline_spark.py), what they are compared with
(bench_engines.py).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import fleet_day
from bench.harness import Measured, live_cpu_seconds

WARM_RUNS = 2
Runs = dict[str, Measured]
"""`first` (the start included) and `warm`: wall and CPU-seconds of the process's tree, and what the work returned."""


def runs_of(work: Callable[[], object]) -> Runs:
    """A first run, then the best of some warm ones."""
    first, *warm = (_timed(work) for _ in range(1 + WARM_RUNS))
    return {"first": first, "warm": min(warm, key=lambda run: run.cpu_seconds)}


def _timed(work: Callable[[], object]) -> Measured:
    cpu, wall = live_cpu_seconds(), time.perf_counter()
    value = work()
    return Measured(live_cpu_seconds() - cpu, time.perf_counter() - wall, 0.0, value)


def windows(lake: str, vehicles: int) -> Runs:
    """Clean + segment by Spark's windows; value: rows and segments."""
    from bench import baseline_spark
    from ev_platform.lake.layout import compressed_key

    files = [str(Path(lake) / compressed_key(fleet_day.DAY, fleet_day.vin(n))) for n in range(vehicles)]
    with tempfile.TemporaryDirectory() as folder:
        return runs_of(lambda: baseline_spark.clean_and_segment(baseline_spark.session(), files, folder))


def json_reader(lake: str, _vehicles: int) -> Runs:
    """Compaction by Spark's JSON reader; value: rows."""
    from bench import baseline_spark

    with tempfile.TemporaryDirectory() as folder:
        return runs_of(lambda: baseline_spark.compact(baseline_spark.session(), lake, fleet_day.DAY, f"{folder}/long"))

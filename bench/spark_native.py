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


def warmest(work: Callable[[], object]) -> Measured:
    """The best of some runs after a first one that is not counted: wall and CPU-seconds of this process's tree."""
    work()
    found = []
    for _ in range(WARM_RUNS):
        cpu, wall = live_cpu_seconds(), time.perf_counter()
        value = work()
        found.append(Measured(live_cpu_seconds() - cpu, time.perf_counter() - wall, 0.0, value))
    return min(found, key=lambda run: run.cpu_seconds)


def windows(lake: str, vehicles: int) -> Measured:
    """Clean + segment by Spark's windows; value: rows and segments."""
    from bench import baseline_spark
    from ev_platform.lake.layout import compressed_key

    files = [str(Path(lake) / compressed_key(fleet_day.DAY, fleet_day.vin(n))) for n in range(vehicles)]
    with tempfile.TemporaryDirectory() as folder:
        return warmest(lambda: baseline_spark.clean_and_segment(baseline_spark.session(), files, folder))


def json_reader(lake: str, _vehicles: int) -> Measured:
    """Compaction by Spark's JSON reader; value: rows."""
    from bench import baseline_spark

    with tempfile.TemporaryDirectory() as folder:
        return warmest(lambda: baseline_spark.compact(baseline_spark.session(), lake, fleet_day.DAY, f"{folder}/long"))

"""Compaction: the kernel against its floor and against plain pandas; tiny objects; two processes; growth and memory."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import fleet_day
from bench.baseline_compact import compact as plain_compact
from bench.harness import Measured, Section, Target, measure

KERNEL_VEHICLES = 20
TINY_VEHICLES, TINY_PER = 20, 3
GROWTH = (125, 250, 500)
REPEATS = 3


def _buffers(vehicles: int) -> list[tuple[str, list[tuple[str, bytes]]]]:
    return [(fleet_day.vin(n), list(fleet_day.objects(n))) for n in range(vehicles)]


def _timed(work, *args):  # noqa: ANN001, ANN002, ANN202
    import time

    begin = time.process_time()
    value = work(*args)
    return time.process_time() - begin, value


def _kernel(vehicles: int) -> dict[str, float]:
    """CPU-seconds of every candidate, taken in turns in one process."""
    import orjson

    from ev_platform.lake.tables import to_parquet
    from ev_platform.transform.compact import compact

    fleet = _buffers(vehicles)
    tables = [compact(buffers, None, vin, fleet_day.DAY).table for vin, buffers in fleet]

    everything = [line for _, buffers in fleet for _, data in buffers for line in data.splitlines()]

    def loads() -> None:
        for line in everything:
            orjson.loads(line)

    def write() -> None:
        for table in tables:
            to_parquet(table)

    def ours() -> None:
        for vin, buffers in fleet:
            to_parquet(compact(buffers, None, vin, fleet_day.DAY).table)

    def plain() -> None:
        for vin, buffers in fleet:
            plain_compact(buffers, vin)

    spent: dict[str, list[float]] = {}
    for number in range(REPEATS):
        for work in (loads, write, ours, plain):
            if work is not plain or number == 0:
                spent.setdefault(work.__name__, []).append(_timed(work)[0])
    messages, size = len(everything), sum(len(line) + 1 for line in everything)
    rows = sum(len(table) for table in tables)
    return {name: statistics.median(times) for name, times in spent.items()} | {
        "messages": messages,
        "mb": size / 1e6,
        "rows": rows,
    }


def _warm(*_: object) -> None:
    import ev_platform.engine.compaction
    import ev_platform.transform.compact  # noqa: F401


def _day(folder: str, workers: int) -> dict[str, int]:
    from ev_platform.engine.compaction import compact_day
    from ev_platform.engine.pool import stop_pools
    from ev_platform.lake.store import ObjectStore

    receipt = compact_day(fleet_day.settings_of(Path(folder), workers), ObjectStore(folder), fleet_day.DAY)
    stop_pools()
    return {
        "records": receipt.records_in,
        "rows": receipt.rows,
        "files": receipt.files_read,
        "put": receipt.objects_written,
    }


def compacted(
    vehicles: int, per: int, workers: int, warm: Callable[..., object] | None = _warm
) -> tuple[Measured, int, int]:
    """What a day's compaction cost, imports excluded (included without `warm`); its messages and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        _, messages, size = fleet_day.fill(Path(folder), vehicles, per)
        return measure(_day, folder, workers, warm=warm), messages, size


def _kernel_section() -> Section:
    found = measure(_kernel, KERNEL_VEHICLES).value
    floor = found["loads"] + found["write"]
    names = {
        "loads": "orjson.loads alone",
        "write": "Parquet alone",
        "ours": "compact + Parquet",
        "plain": "pandas + json",
    }
    rows = [
        {
            "work": label,
            "CPU-s": f"{found[name]:.2f}",
            "messages/CPU-s": f"{found['messages'] / found[name]:,.0f}",
            "MB/CPU-s": f"{found['mb'] / found[name]:.0f}",
        }
        for name, label in names.items()
    ]
    ratio, faster = found["ours"] / floor, found["plain"] / found["ours"]
    text = f"{KERNEL_VEHICLES} vehicles, {found['messages']:,.0f} messages, {found['rows']:,.0f} rows, one process."
    return Section(
        "Compaction: the kernel",
        text,
        rows,
        [
            Target("CPU over (loads + Parquet)", f"{ratio:.2f}", "≤ 2.3", ratio <= 2.3),
            Target("faster than pandas + json", f"{faster:.1f} x", "≥ 2.2 x", faster >= 2.2),
        ],
    )


def _tiny_section() -> Section:
    big, tiny = [], []
    for _ in range(REPEATS):
        big.append(compacted(TINY_VEHICLES, fleet_day.MESSAGES_PER_OBJECT, 1)[0])
        tiny.append(compacted(TINY_VEHICLES, TINY_PER, 1)[0])
    rows = [
        {
            "objects of": f"{per} messages",
            "objects": f"{runs[0].value['files']:,}",
            "CPU-s": f"{statistics.median(run.cpu_seconds for run in runs):.2f}",
            "peak MB": f"{max(run.peak_mb for run in runs):.0f}",
        }
        for per, runs in ((fleet_day.MESSAGES_PER_OBJECT, big), (TINY_PER, tiny))
    ]
    ratio = statistics.median(r.cpu_seconds for r in tiny) / statistics.median(r.cpu_seconds for r in big)
    return Section(
        "Compaction: tiny objects",
        f"{TINY_VEHICLES} vehicles, whole task (list, read, merge, swap, read back, delete) on a folder.",
        rows,
        [Target("CPU of 30-second buffers over 1,000-message objects", f"{ratio:.2f}", "≤ 1.25", ratio <= 1.25)],
    )


def _growth_section() -> Section:
    rows, taken = [], []
    for vehicles in GROWTH:
        run, messages, size = compacted(vehicles, fleet_day.MESSAGES_PER_OBJECT, 2)
        taken.append((run, messages))
        rows.append(
            {
                "vehicles": f"{vehicles}",
                "messages": f"{messages:,}",
                "wall s": f"{run.wall_seconds:.1f}",
                "messages/s": f"{messages / run.wall_seconds:,.0f}",
                "MB/s": f"{size / 1e6 / run.wall_seconds:.0f}",
                "CPU-s": f"{run.cpu_seconds:.1f}",
                "peak MB of one process": f"{run.peak_mb:.0f}",
                "GET / PUT": f"{run.value['files'] + 2 * run.value['put']} / {run.value['put']}",
            }
        )
    one, _, _ = compacted(GROWTH[-1], fleet_day.MESSAGES_PER_OBJECT, 1)
    growth = taken[-1][0].cpu_seconds / taken[0][0].cpu_seconds
    memory = taken[-1][0].peak_mb / taken[0][0].peak_mb
    peak = max(run.peak_mb for run, _ in taken)
    speed = taken[-1][1] / taken[-1][0].wall_seconds
    pair = one.wall_seconds / taken[-1][0].wall_seconds
    return Section(
        "Compaction: a day, two processes",
        "Whole task on a folder, pool started within the time.",
        rows,
        [
            Target("messages/s on two cores", f"{speed:,.0f}", "≥ 100,000", speed >= 100_000),
            Target("4 x data, CPU", f"{growth:.2f} x", "≤ 4.3 x", growth <= 4.3),
            Target("4 x data, memory", f"{memory:.2f} x", "≤ 1.1 x", memory <= 1.1),
            Target("one process", f"{peak:.0f} MB", "≤ 250 MB", peak <= 250),
            Target("two processes over one, wall", f"{pair:.2f} x", "≥ 1.5 x", pair >= 1.5),
        ],
    )


def sections() -> list[Section]:
    """The bench."""
    return [_kernel_section(), _tiny_section(), _growth_section()]

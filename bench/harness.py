"""How a benchmark measures: a callable in a child process, its CPU-seconds, wall seconds and peak memory.

Belongs here: measuring and the shape of what is shown. Not here: what is measured (`bench_*.py`, one module per room,
each with `sections()`). CPU-seconds are those of the child's whole process tree, so a pool's workers count too; only
ratios between two measurements of one run mean anything on a shared machine.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measured:
    """What one call cost; `value` is what it returned (must pickle)."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    value: Any = None


@dataclass(frozen=True)
class Target:
    """A figure that must hold: `shown` is compared with `limit` by `ok`, which the bench decides itself."""

    name: str
    measured: str
    wanted: str
    ok: bool


@dataclass(frozen=True)
class Section:
    """One part of docs/benchmarks.md: a title, a sentence on what is compared, rows as printed, targets."""

    title: str
    text: str
    rows: Sequence[Mapping[str, str]]
    targets: Sequence[Target] = field(default_factory=list)


def _tree_cpu_seconds() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def live_cpu_seconds() -> float:
    """CPU-seconds so far of this process and of everything below it that lives, a JVM and its workers too (Linux).

    What has ended counts once its parent has waited for it.
    """
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rsplit(")", 1)[1].split()  # after the name, which may hold anything
        except OSError:  # ended since it was listed
            continue
        pid = int(path.parent.name)
        children.setdefault(int(values[1]), []).append(pid)
        ticks[pid] = sum(map(int, values[11:15]))
    total, rest = 0, [os.getpid()]
    while rest:
        pid = rest.pop()
        total += ticks.get(pid, 0)
        rest += children.get(pid, [])
    return total / os.sysconf("SC_CLK_TCK")


def _end_fork_server() -> None:
    """The processes of a pool are children of Python's fork server: their CPU counts here once that has ended."""
    from multiprocessing.forkserver import _forkserver  # no public way to end it before the process does

    _forkserver._stop()  # type: ignore[attr-defined]


def _own_peak_kb() -> int:
    """Peak memory of this process. Linux hands `ru_maxrss` of the parent on through exec; VmHWM starts anew there."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _run(answer: Connection, work: Callable[..., Any], args: tuple[Any, ...], warm: Callable[..., Any] | None) -> None:
    if warm is not None:
        warm(*args)
    cpu, wall = _tree_cpu_seconds(), time.perf_counter()
    value = work(*args)
    wall_seconds = time.perf_counter() - wall
    _end_fork_server()
    spent = Measured(_tree_cpu_seconds() - cpu, wall_seconds, 0.0, value)
    peak = max(_own_peak_kb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
    answer.send(Measured(spent.cpu_seconds, spent.wall_seconds, peak, spent.value))


def measure(work: Callable[..., Any], *args: object, warm: Callable[..., Any] | None = None) -> Measured:
    """Call `work(*args)` in a fresh spawned process; `warm(*args)` runs before and is not counted (imports, caches).

    Peak memory is the largest single process of the tree, in MB, interpreter and imports included.

    Raises:
        RuntimeError: the child died; its traceback is on standard error.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(theirs, work, args, warm))
    child.start()
    theirs.close()
    try:
        found: Measured = ours.recv()
    except EOFError:
        raise RuntimeError(f"{work.__name__} failed in its process") from None
    finally:
        child.join()
    return found

"""The unit of work: a small picklable record that names what to do, never the data itself.

Belongs here: work items, how a task opens the lake they name, the errors of tasks. Not here: what is done
(compaction.py, daily.py, …) or who runs it (pool.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore

SHOWN = 5
"""Vehicles named in an error before it says "and so many more"."""


class TaskError(UserError):
    """Some vehicles of a day could not be processed; the others were. The message names them and says why."""


@dataclass(frozen=True)
class WorkItem:
    """Whole vehicles of one day (or month). `lake_url` is absolute, so that any process on any machine can do it."""

    lake_url: str
    day: str
    vehicles: tuple[str, ...]
    keys: tuple[str, ...] = ()
    """Objects to read, where the task cannot name them itself."""
    shard: int = 0
    batch_vehicles: int = 50


def absolute_url(store: ObjectStore) -> str:
    """URL of a lake that means the same in every working directory."""
    return store.url if "://" in store.url else str(Path(store.url).expanduser().resolve())


def runs_here(store: ObjectStore) -> bool:
    """Whether only this process can use the store: memory, or a store that somebody wrapped."""
    return store.url.startswith("memory:") or type(store) is not ObjectStore


@lru_cache(maxsize=4)
def open_lake(url: str) -> ObjectStore:
    """The lake of a work item; opened once per process."""
    return ObjectStore(url)


def batches(vehicles: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    """Consecutive groups of at most `size` vehicles."""
    rest = iter(vehicles)
    while batch := tuple(islice(rest, size)):
        yield batch


def name_vehicles(vehicles: Sequence[str]) -> str:
    """The first few vehicles in words."""
    shown = ", ".join(vehicles[:SHOWN])
    return shown if len(vehicles) <= SHOWN else f"{shown} and {len(vehicles) - SHOWN} more"


def failure(item: WorkItem, error: BaseException) -> TaskError:
    """The error of an item, with its day and vehicles."""
    reason = (str(error).splitlines() or [""])[0]
    return TaskError(f"{item.day}, {name_vehicles(item.vehicles)}: {type(error).__name__}: {reason}")

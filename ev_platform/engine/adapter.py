"""Which engine runs work items: the one that `EV_ENGINE` names. A table, one module per engine.

An engine is one function `map_items(fn, items, settings)`, an iterator of results in the order of the items. Spark, Ray
and Dask are given work items and give back receipts: their workers read and write the lake themselves, so no data pass
through them. No kernel may know which engine runs it, and the files are the same byte for byte (docs/scale.md).
Belongs here: the choice, and what an engine's worker does with an item. Not here: the engines (on_spark.py, …).
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ev_platform.engine.items import TaskError, WorkItem, failure, runs_here
from ev_platform.engine.pool import map_items, use_one_thread
from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

Result = TypeVar("Result")
log = logging.getLogger(__name__)

ENGINES = {
    "spark": ("ev_platform.engine.on_spark", "pyspark"),
    "ray": ("ev_platform.engine.on_ray", "ray"),
    "dask": ("ev_platform.engine.on_dask", "distributed"),
}
"""Engine → its module, and the package that its extra brings."""

ATTEMPTS = 3
"""How often a worker tries an item that failed for a reason that may pass (a network, a disk)."""
PAUSE_S = 1.0
TOLD_EVERY = 10
"""Items between two lines of progress in the log, which Dagster shows with the run."""


def run_items(
    task: Callable[..., Result], items: Sequence[WorkItem], store: ObjectStore, settings: Settings
) -> Iterator[Result]:
    """Results of `task(item)` in the order of the items, by the engine of the settings.

    A lake that lives in this process is handed over, and its items run here.

    Raises:
        TaskError: an item failed; names its vehicles.
        UserError: the engine is not installed, has no address, or cannot reach such a lake.
    """
    if settings.engine == "local" or not items:
        if runs_here(store):
            return map_items(partial(task, store=store), items, 1)
        return map_items(task, items, settings.workers)
    if runs_here(store):
        raise UserError(
            f"EV_ENGINE={settings.engine} needs a lake that its workers can reach: a shared folder or s3://…"
        )
    return _mapped(task, items, settings)


def _mapped(task: Callable[..., Result], items: Sequence[WorkItem], settings: Settings) -> Iterator[Result]:
    module, package = ENGINES[settings.engine]
    try:
        engine = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith(package):
            raise
        extra = f"requirements-{settings.engine}.lock"
        raise UserError(f"EV_ENGINE={settings.engine} is an extra: pip install --require-hashes -r {extra}") from None
    outcomes: Iterator[Outcome] = engine.map_items(partial(attempt, task), items, settings)
    for number, (item, outcome) in enumerate(zip(items, outcomes, strict=True), 1):
        if outcome.error is not None:
            raise TaskError(outcome.error)
        if number % TOLD_EVERY == 0 or number == len(items):
            log.info("%s: %d of %d work items of %s done", settings.engine, number, len(items), item.day)
        yield outcome.value


@dataclass(frozen=True)
class Outcome:
    """What became of an item on a worker: its result, or why there is none. Never an exception of the engine's."""

    value: Any = None
    error: str | None = None


def attempt(task: Callable[[WorkItem], Any], item: WorkItem) -> Outcome:
    """Run on a worker: the item's outcome. What may pass is tried again; a task's own verdict is final.

    Every write of a task is atomic and the same whoever does it, so an item that runs twice, here or on two workers,
    leaves what one run leaves.
    """
    use_one_thread()
    for number in range(1, ATTEMPTS + 1):
        try:
            return Outcome(task(item))
        except TaskError as error:
            return Outcome(error=str(error))
        except Exception as error:
            if number == ATTEMPTS:
                return Outcome(error=f"{failure(item, error)} ({ATTEMPTS} attempts)")
            time.sleep(PAUSE_S * number)
    raise AssertionError("unreachable")

"""How far a Spark job is, told while it runs: Spark hands outcomes over only when all of them are there.

Belongs here: asking Spark, classic or Connect, for the tasks that have ended. Not here: the job (on_spark.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

LOOK_EVERY_S = 0.5
"""A classic driver is asked this often; a Connect server tells by itself."""


@contextmanager
def progress(session: Any, tell: Callable[[int], None]) -> Iterator[None]:  # noqa: ANN401 - classic or Connect
    """Call `tell(tasks ended)` whenever more of the running job's tasks have ended; every work item is one task."""
    told = 0

    def ended(tasks: int) -> None:
        nonlocal told
        if tasks > told:
            told = tasks
            tell(tasks)

    connect = type(session).__module__.startswith("pyspark.sql.connect")
    with (_listening if connect else _looking)(session, ended):
        yield


@contextmanager
def _listening(session: Any, ended: Callable[[int], None]) -> Iterator[None]:  # noqa: ANN401
    def handler(stages: Iterable[Any] | None, **_: object) -> None:
        ended(sum(stage.num_completed_tasks for stage in stages or ()))

    session.registerProgressHandler(handler)
    try:
        yield
    finally:
        session.removeProgressHandler(handler)


@contextmanager
def _looking(session: Any, ended: Callable[[int], None]) -> Iterator[None]:  # noqa: ANN401
    tracker, over = session.sparkContext.statusTracker(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            jobs = filter(None, map(tracker.getJobInfo, tracker.getActiveJobsIds()))
            stages = filter(None, (tracker.getStageInfo(stage) for job in jobs for stage in job.stageIds))
            ended(sum(stage.numCompletedTasks for stage in stages))

    watcher = threading.Thread(target=look, name="spark-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()

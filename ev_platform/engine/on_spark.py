"""Spark, classic or Connect: work items as rows of a DataFrame, a task per row, outcomes as rows again.

No Hadoop jars, no shuffle of data, nothing but work items and receipts through the driver: executors open the lake by
themselves. They need this package (`make wheel`, then `--py-files` or an image) and Python of the same minor version.
"""

from __future__ import annotations

import gc
import logging
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from ev_platform.engine.items import WorkItem
from ev_platform.engine.spark_progress import progress
from ev_platform.errors import UserError
from ev_platform.settings import Settings, run_spark_workers_by

log = logging.getLogger(__name__)

CLASSIC = {
    "spark.ui.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.python.unix.domain.socket.enabled": "true",
}
"""Every item is a batch of its own, so that each ends by itself. Over TCP a task waits some 40 ms."""
PARTITIONS = "spark.sql.leafNodeDefaultParallelism"
"""How many partitions a table of the driver gets: as many as items, so no shuffle has to spread them."""


def map_items(fn: Callable[[WorkItem], Any], items: Sequence[WorkItem], settings: Settings) -> Iterator[Any]:
    """See adapter.py."""
    session = _session(settings.spark_remote)
    session.conf.set(PARTITIONS, str(len(items)))
    work = session.createDataFrame(_table("work", range(len(items)), [pickle.dumps((fn, item)) for item in items]))
    job, day = work.mapInArrow(_work, "number long, outcome binary"), items[0].day
    with progress(session, lambda done: log.info("spark: %d of %d work items of %s ended", done, len(items), day)):
        found = job.toArrow().to_pylist()
    outcomes = {row["number"]: pickle.loads(row["outcome"]) for row in found}  # noqa: S301 - our own workers' receipts
    return (outcomes[number] for number in range(len(items)))


def _table(name: str, numbers: Sequence[int], pickles: list[bytes]) -> pa.Table:
    return pa.table({"number": pa.array(numbers, pa.int64()), name: pa.array(pickles, pa.binary())})


def _work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On an executor: the items of some rows, one after the other."""
    for batch in batches:
        for number, work in zip(batch["number"].to_pylist(), batch["work"].to_pylist(), strict=True):
            fn, item = pickle.loads(work)  # noqa: S301 - written by the driver above
            outcome = pickle.dumps(fn(item))
            yield from _table("outcome", [number], [outcome]).to_batches()
    _keep_imports(len(sys.modules))


@cache
def _keep_imports(_modules: int) -> None:
    """Once per number of modules loaded: what they hold is garbage never.

    Spark's worker looks for garbage after every task; to look through all that is imported takes it 45 ms.
    """
    gc.collect()
    gc.freeze()


def _session(remote: str) -> Any:  # noqa: ANN401 - a session, classic or Connect
    if not remote:
        raise UserError("EV_ENGINE=spark needs EV_SPARK_REMOTE: sc://host:15002, spark://host:7077, yarn or local[2,4]")
    builder: Any = SparkSession.builder
    if remote.startswith("sc://"):
        return builder.remote(remote).getOrCreate()
    run_spark_workers_by(sys.executable)
    builder = builder.master(remote).appName("ev_platform")
    for name, value in CLASSIC.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()

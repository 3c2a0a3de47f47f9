"""The local engine: work items in this process, or in a pool of processes.

Belongs here: processes, the order of results, the name of a failed item. Not here: which engine is used (adapter.py),
what an item does.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from threading import Lock, Thread
from typing import TypeVar

from ev_platform.engine.items import TaskError, WorkItem, failure
from ev_platform.settings import limit_polars_threads

Result = TypeVar("Result")

_pools: dict[int, ProcessPoolExecutor] = {}
_lock = Lock()


def map_items(fn: Callable[[WorkItem], Result], items: Sequence[WorkItem], workers: int) -> Iterator[Result]:
    """Results of `fn(item)` in the order of the items.

    One item, or one worker, runs in this process: no pool is started. Otherwise `fn` and the items are pickled to
    worker processes, which are kept for the next call. They are not forked from this process, so threads that run here
    cannot harm them.

    Raises:
        TaskError: an item failed; names its vehicles.
    """
    if len(items) <= 1 or workers <= 1:
        for item in items:
            yield named(item, partial(fn, item))
        return
    futures: list[Future[Result]] = []
    try:
        pool = _pool(workers)
        largest_first = sorted(range(len(items)), key=lambda at: -len(items[at].vehicles))  # so that all end together
        started = {at: pool.submit(fn, items[at]) for at in largest_first}
        futures = [started[at] for at in range(len(items))]
        for item, future in zip(items, futures, strict=True):
            yield named(item, future.result)
    except BrokenProcessPool as error:
        _forget(workers)
        raise TaskError("a worker process died (out of memory?): lower EV_WORKERS or EV_BATCH_VEHICLES") from error
    finally:
        for future in futures:
            future.cancel()


def named(item: WorkItem, compute: Callable[[], Result]) -> Result:
    """What `compute` returns; what it raises names the item."""
    try:
        return compute()
    except (BrokenProcessPool, TaskError):
        raise
    except Exception as error:
        raise failure(item, error) from error


def _pool(workers: int) -> ProcessPoolExecutor:
    with _lock:
        if workers not in _pools:
            context = multiprocessing.get_context("forkserver")
            _pools[workers] = ProcessPoolExecutor(workers, mp_context=context, initializer=prepare_worker)
        return _pools[workers]


def _forget(workers: int) -> None:
    with _lock:
        pool = _pools.pop(workers, None)
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


@atexit.register
def stop_pools() -> None:
    """End all worker processes; the next `map_items` starts new ones."""
    for workers in list(_pools):
        with _lock:
            pool = _pools.pop(workers, None)
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def prepare_worker() -> None:
    """Runs once in each worker process."""
    _die_with_parent()
    use_one_thread()
    _give_memory_back()


def _die_with_parent() -> None:
    """A killed parent cannot tell its workers to stop: without this they would wait for work for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True, name="die-with-parent").start()


def use_one_thread() -> None:
    """One thread per library: the parallelism is the number of workers. Polars is not imported for that."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    limit_polars_threads(1)


def _give_memory_back() -> None:
    """Arrow's own allocator keeps several times what it uses at once; a worker lives long and has neighbours."""
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())

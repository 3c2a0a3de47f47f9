"""Dask: one task per work item. A worker that dies is replaced and its item runs again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from distributed import Client, LocalCluster

from ev_platform.engine.items import WorkItem
from ev_platform.settings import Settings


def map_items(fn: Callable[[WorkItem], Any], items: Sequence[WorkItem], settings: Settings) -> Iterator[Any]:
    """See adapter.py."""
    futures = _client(settings.dask_address, settings.workers).map(fn, items, pure=False)
    return (future.result() for future in futures)


@lru_cache(maxsize=1)
def _client(address: str, workers: int) -> Client:
    if address:
        return Client(address)
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    return Client(cluster)

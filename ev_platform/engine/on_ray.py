"""Ray: one remote call per work item. A worker that dies is replaced and its item runs again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ev_platform.settings import Settings, report_no_usage

report_no_usage()  # read at import

import ray  # noqa: E402 - after the line above

from ev_platform.engine.items import WorkItem  # noqa: E402

RETRIES = 3
STORE_BYTES = 100 * 2**20
"""Work items and receipts are small; a cluster of this machine needs no more."""


def map_items(fn: Callable[[WorkItem], Any], items: Sequence[WorkItem], settings: Settings) -> Iterator[Any]:
    """See adapter.py."""
    if not ray.is_initialized():
        _connect(settings)
    run = ray.remote(num_cpus=1, max_retries=RETRIES)(fn_of_item)
    pending = [run.remote(fn, item) for item in items]
    return (ray.get(one) for one in pending)


def fn_of_item(fn: Callable[[WorkItem], Any], item: WorkItem) -> Any:  # noqa: ANN401 - what the task returns
    """What a worker runs."""
    return fn(item)


def _connect(settings: Settings) -> None:
    quiet: dict[str, Any] = {"logging_level": logging.WARNING, "log_to_driver": False}
    if settings.ray_address:
        ray.init(address=settings.ray_address, **quiet)
        return
    ray.init(
        address="local", num_cpus=settings.workers, include_dashboard=False, object_store_memory=STORE_BYTES, **quiet
    )

"""A whole chain on the engine of the environment, in a process of its own: `python -m ev_platform_tests.engine.chain`.

Prints one line of JSON: what became of a map whose worker is killed, of an item that fails, and of the chain, in which
a worker is killed right after it has swapped a file and deleted its raw objects, before it could say so.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

from ev_platform.engine import compaction
from ev_platform.engine.adapter import run_items
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.health import health_month
from ev_platform.engine.items import TaskError, WorkItem
from ev_platform.engine.sessions import stitch_days
from ev_platform.engine.usage import usage_days
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings, load_settings

DAY = "2026-10-01"
MARKER = "state/killed-once"
REAL = compaction.compact_vehicles


def killed_once(item: WorkItem) -> str:
    """The process that does item C dies the first time."""
    if item.vehicles == ("C",):
        _die_once(item)
    return item.vehicles[0]


def failing(item: WorkItem) -> str:
    """Item B fails for good."""
    if item.vehicles == ("B",):
        raise TaskError(f"{item.day}, B: its file is broken")
    return item.vehicles[0]


def compact_then_die(item: WorkItem, store: ObjectStore | None = None) -> compaction.CompactionReceipt:
    """Compaction of the first batch whose worker dies when all is done but the receipt."""
    receipt = REAL(item, store)
    if item.vehicles[0].endswith("0"):
        _die_once(item)
    return receipt


def slow(item: WorkItem) -> str:
    """A second of work."""
    time.sleep(1.0)
    return item.vehicles[0]


class Told(logging.Handler):
    """Lines of progress that are logged before `over` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.over = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if "of 6 work items" in record.getMessage() and not self.over:
            self.lines.append(record.getMessage())


def _die_once(item: WorkItem) -> None:
    marker = Path(item.lake_url) / f"{MARKER}-{item.vehicles[0]}"
    if not marker.exists():
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        os._exit(1)


def _told(settings: Settings, store: ObjectStore, items: list[WorkItem]) -> list[str]:
    """What is logged while a map runs, up to its first outcome."""
    told, root = Told(), logging.getLogger("ev_platform")
    root.addHandler(told)
    root.setLevel(logging.INFO)
    for _ in run_items(slow, items, store, settings):
        told.over = True
    root.removeHandler(told)
    return told.lines


def main() -> None:
    """See the module."""
    settings = load_settings()
    store = ObjectStore(settings.lake)
    kill = "--kill" in sys.argv
    found: dict[str, object] = {}
    if kill:
        six = [WorkItem(settings.lake, DAY, (name,)) for name in "ABCDEF"]
        found["killed"] = list(run_items(killed_once, six, store, settings))
        try:
            found["failed"] = list(run_items(failing, six, store, settings))
        except TaskError as error:
            found["failed"] = str(error)
        found["told"] = _told(settings, store, six)
        compaction.compact_vehicles = compact_then_die
    compaction.compact_day(settings, store, DAY)
    clean_day(settings, store, DAY)
    segment_day(settings, store, DAY)
    stitch_days(settings, store, [DAY])
    usage_days(settings, store, [DAY])
    health = health_month(settings, store, DAY[:7])
    found["health"] = health.to_pylist()
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    from ev_platform_tests.engine import chain  # by its name: workers cannot import what stands in __main__

    chain.main()

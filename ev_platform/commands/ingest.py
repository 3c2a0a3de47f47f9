"""`ev ingest`: runs the service until SIGTERM or Ctrl-C, reports its event days to Dagster, opens the metrics port."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from ev_platform.commands.drain import nobody, open_instance, report_days, tell_lost
from ev_platform.errors import UserError
from ev_platform.ingest.metrics import serve_metrics
from ev_platform.ingest.service import Service
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

OPEN_DAY_SECONDS = 300.0
"""How often a day that is not over is reported: nothing follows from it before its midnight."""


class DayReports:
    """Tells of event days before their commit: of closed days at once, because only that re-opens them."""

    def __init__(self, tell: Callable[[Mapping[str, int]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._waiting: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    def __call__(self, days: Mapping[str, int]) -> None:
        """Report what is due. An exception of `tell` leaves all as it was, so that the next call tells it."""
        waiting = self._waiting + Counter(days)
        today, now = datetime.now(UTC).date().isoformat(), self._clock()
        due = {
            day: n
            for day, n in waiting.items()
            if day < today or now - self._told.get(day, float("-inf")) >= OPEN_DAY_SECONDS
        }
        self._tell(due)
        self._told |= dict.fromkeys(due, now)
        self._waiting = Counter({day: n for day, n in waiting.items() if day not in due})


def run_ingest(settings: Settings) -> None:
    """Consume until a signal; a second one ends at once, which is safe as well.

    Raises:
        UserError: the broker or the lake cannot be used.
    """
    if settings.lake.startswith("memory:"):
        raise UserError("a memory:// lake is gone when this command ends: set EV_LAKE_URL to a folder or S3")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        if stop.is_set():
            os._exit(1)  # nothing that is not durable was committed
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    with ExitStack() as stack:
        instance = open_instance(settings, stack)
        tell = partial(report_days, instance) if instance is not None else nobody
        store = ObjectStore(settings.lake)
        lost = partial(tell_lost, settings, store)
        service = Service(settings, store, stop=stop.is_set, stored=DayReports(tell), lost=lost)
        if settings.metrics_port:
            stack.callback(serve_metrics(service, settings.metrics_host, settings.metrics_port))
        print(f"consuming {', '.join(settings.kafka_topics)} as {settings.kafka_group}", flush=True)
        try:
            service.run()
        except UserError as error:
            print(f"ev: {error}", file=sys.stderr, flush=True)
            os._exit(1)  # uploads that hang must not hold the process
    dead = sum(service.report.dead_letters.values())
    print(f"{service.report.messages} messages, {service.report.records} records, {dead} dead letters", flush=True)

"""`ev drain`: one bounded drain of Kafka into the raw buffers, or one every so many seconds until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import threading

from ev_platform.ingest.drain import drain
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings


def run_drain(settings: Settings, every: float) -> None:
    """Drain once (`every` 0) or again and again; each drain prints one line.

    Raises:
        UserError: the broker does not answer or the lake is not writable.
    """
    store = ObjectStore(settings.lake)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())  # a drain under way ends by its own commit
    while True:
        report = drain(settings, store, None)
        dead = sum(report.dead_letters.values())
        print(
            f"{report.messages} messages, {report.records} records of {len(report.vins)} vehicles, {dead} dead letters"
        )
        if not every or stop.wait(every):
            return

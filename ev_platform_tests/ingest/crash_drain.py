"""A drain that kills itself at a chosen step, and drains with one rule broken. Run as a child process by the tests.

python -m ev_platform_tests.ingest.crash_drain '{"settings": {...}, "kind": "Drain", "point": "before_put", "hit": 3}'
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter

from ev_platform.ingest import kafka
from ev_platform.ingest.drain import Drain
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings


class CrashingDrain(Drain):
    """The real steps, with a SIGKILL at the `hit`-th passing of `point`."""

    point = ""
    hit = 1

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._passed = Counter()
        self._lock = threading.Lock()

    def passing(self, point):
        with self._lock:
            self._passed[point] += 1
            if point == self.point and self._passed[point] == self.hit:
                os.kill(os.getpid(), signal.SIGKILL)

    def take(self, message, buffer, ledger, **told):
        self.passing("take")
        return super().take(message, buffer, ledger, **told)

    def put(self, key, data):
        self.passing("before_put")
        super().put(key, data)
        self.passing("after_put")

    def write_receipt(self, ledger):
        self.passing("before_receipt")
        super().write_receipt(ledger)
        self.passing("after_receipt")

    def commit(self, client, positions, ranges, state):
        self.passing("before_commit")
        super().commit(client, positions, ranges, state)
        self.passing("after_commit")


class CommitsEarly(CrashingDrain):
    """Commits after every batch, while the last lines of every vehicle are in memory only."""

    def run_round(self, client, ranges):
        self._client = client
        super().run_round(client, ranges)

    def early(self, buffer, place):
        return buffer.safe_offset(place)

    def settle(self, buffer, uploads, below):
        super().settle(buffer, uploads, 0)
        positions = {place: self.early(buffer, place) for place in buffer.places()}
        kafka.commit(self._client, self.settings, positions)


class CommitsWhatWasRead(CommitsEarly):
    """One line differs from `CommitsEarly`: the next position instead of the safe one."""

    def early(self, buffer, place):
        return buffer.next_position(place)


class CommitsBeforeReceipt(CrashingDrain):
    """The receipt comes after the commit."""

    def write_receipt(self, ledger):
        self._ledger = ledger

    def commit(self, client, positions, ranges, state):
        Drain.commit(self, client, positions, ranges, state)
        super().write_receipt(self._ledger)


class LosesAnObject(CrashingDrain):
    """One upload is taken for durable although nothing was stored."""

    def put(self, key, data):
        with self._lock:
            self._passed["put"] += 1
            lost = self._passed["put"] == 3
        if not lost:
            super().put(key, data)


KINDS = {
    kind.__name__: kind
    for kind in (CrashingDrain, CommitsEarly, CommitsWhatWasRead, CommitsBeforeReceipt, LosesAnObject)
}


def main() -> None:
    job = json.loads(sys.argv[1])
    settings = Settings(_env_file=None, **job["settings"])
    drain = KINDS[job["kind"]](settings, ObjectStore(settings.lake))
    drain.point, drain.hit = job["point"], job["hit"]
    print("ready", flush=True)
    drain.run(None)


if __name__ == "__main__":
    main()

"""What is killed: the real service, drain and compaction, each with a SIGKILL at the n-th passing of a chosen step.

Run in forked children of a process that has imported all this already, so that a victim starts at once.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections import Counter

from ev_platform.engine.compaction import compact_day
from ev_platform.ingest import kafka
from ev_platform.ingest.drain import Drain
from ev_platform.ingest.service import Service
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

INGEST_POINTS = (
    "take",
    "before_put",
    "after_put",
    "before_receipt",
    "after_receipt",
    "before_commit",
    "after_commit",
)
COMPACT_POINTS = ("before_swap", "after_swap", "before_delete", "during_delete")


class Killer:
    """Counts passings of steps and kills this process at the chosen one."""

    def __init__(self, point: str, hit: int) -> None:
        self._point, self._hit = point, hit
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def passing(self, point: str) -> None:
        with self._lock:
            self._passed[point] += 1
            if point == self._point and self._passed[point] == self._hit:
                os.kill(os.getpid(), signal.SIGKILL)


class Crashing:
    """Steps of ingest, each passed with a chance to die."""

    killer: Killer

    def take(self, message, buffer, ledger, **told):
        self.killer.passing("take")
        return super().take(message, buffer, ledger, **told)

    def put(self, key, data):
        self.killer.passing("before_put")
        super().put(key, data)
        self.killer.passing("after_put")

    def write_receipt(self, ledger):
        self.killer.passing("before_receipt")
        receipt = super().write_receipt(ledger)
        self.killer.passing("after_receipt")
        return receipt

    def commit(self, *arguments):
        self.killer.passing("before_commit")
        super().commit(*arguments)
        self.killer.passing("after_commit")


class CrashingService(Crashing, Service):
    """The service."""


class CrashingDrain(Crashing, Drain):
    """The drain."""


class CommitsWhatWasRead(CrashingService):
    """The control: one line differs, the next position is committed instead of the safe one."""

    def safe(self, place):
        return self.buffer.next_position(place)


class DrainsWhatWasRead(CrashingDrain):
    """The control for drains: commits what was read after every batch."""

    def run_round(self, client, ranges):
        self._early = client
        super().run_round(client, ranges)

    def settle(self, buffer, uploads, below):
        super().settle(buffer, uploads, below)
        kafka.commit(self._early, self.settings, {place: buffer.next_position(place) for place in buffer.places()})


class CrashingStore(ObjectStore):
    """The lake under a compaction."""

    killer: Killer

    def swap(self, key, data, version):
        self.killer.passing("before_swap")
        done = super().swap(key, data, version)
        self.killer.passing("after_swap")
        return done

    def delete(self, keys):
        self.killer.passing("before_delete")
        half = len(keys) // 2
        super().delete(keys[:half])
        self.killer.passing("during_delete")
        super().delete(keys[half:])


KINDS = {kind.__name__: kind for kind in (CrashingService, CrashingDrain, CommitsWhatWasRead, DrainsWhatWasRead)}


def live(job: dict) -> None:
    """A victim's life: `kind`, settings, environment, where to die."""
    logging.disable(logging.CRITICAL)
    os.environ.update(job["environment"])
    settings = Settings(_env_file=None, **job["settings"])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    killer = Killer(job["point"], job["hit"])
    if job["kind"] == "compaction":
        store = CrashingStore(settings.lake)
        store.killer = killer
        for day in job["days"]:
            compact_day(settings, store, day)
        return
    victim = KINDS[job["kind"]](settings, ObjectStore(settings.lake), stop=stop.is_set)
    victim.killer = killer
    victim.run(None) if isinstance(victim, Drain) else victim.run()

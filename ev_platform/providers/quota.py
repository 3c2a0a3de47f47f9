"""A daily quota: counted before each request where every process sees it, and spread over the cars and the day.

Belongs here: the ledger and the plan. Not here: who is asked for what (bmw.py).

A request is booked *before* it is sent, with compare-and-swap in the lake, so neither a crash nor a second process can
send one more than allowed: a crash may waste a booked request, never exceed the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import orjson

from ev_platform.lake.layout import provider_state_key
from ev_platform.providers.base import BusyError, Clock

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
KEPT_BACK = 4
"""Requests of a day that polling leaves to what cannot wait: the fleet list, a container."""


class Swaps(Protocol):
    """What the ledger needs of the object store."""

    def read(self, key: str) -> tuple[bytes | None, str | None]:
        """Bytes and version."""

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Replace if it still has that version."""


class Quota:
    """Requests of one provider's account in any 24 hours.

    The provider says "per day" and not whose midnight; a limit over every 24 hours keeps all of them.
    """

    def __init__(self, store: Swaps, provider: str, limit: int, clock: Clock) -> None:
        self._store, self._provider, self.limit, self._clock = store, provider, limit, clock

    def left(self) -> int:
        """Requests that may still be sent in the 24 hours that end now."""
        return max(0, self.limit - len(self._recent(self._times()[0])))

    def book(self) -> None:
        """Book one request, durably.

        Raises:
            BusyError: none is left; says when the next one is.
        """
        while True:
            times, version = self._times()
            recent = self._recent(times)
            now = self._clock.now_ms()
            if len(recent) >= self.limit:
                wait = recent[len(recent) - self.limit] + DAY_MS - now
                raise BusyError(f"{self._provider}: all {self.limit} requests of the last 24 hours are used", wait)
            if self._store.swap(self._key, orjson.dumps({"booked_ms": [*recent, now]}), version):
                return

    def exhausted(self) -> None:
        """The provider says that its quota is used up, whatever we counted: nothing more for 24 hours."""
        while True:
            times, version = self._times()
            now = self._clock.now_ms()
            full = self._recent(times)
            full += [now] * (self.limit - len(full))
            if self._store.swap(self._key, orjson.dumps({"booked_ms": full}), version):
                return

    @property
    def _key(self) -> str:
        return provider_state_key(self._provider, "quota")

    def _times(self) -> tuple[list[int], str | None]:
        data, version = self._store.read(self._key)
        return (orjson.loads(data)["booked_ms"] if data else []), version

    def _recent(self, times: Sequence[int]) -> list[int]:
        """Bookings of the last 24 hours; a clock that was set back makes none of them disappear."""
        since = self._clock.now_ms() - DAY_MS
        return sorted(time for time in times if time > since)


def plan(vins: Sequence[str], asked_ms: Mapping[str, int], left: int, limit: int, now_ms: int) -> list[str]:
    """Whom to ask now: those not asked for longest, as soon as their turn has come, within what the day allows.

    Each car's turn comes every `cars / (limit − kept back)` of a day: 50 requests and 2 cars give about one per hour
    each, 100 cars one every two days. No hour gets more than its share, also on the first day. Pure.
    """
    usable = limit - KEPT_BACK
    if not vins or usable <= 0:
        return []
    interval = DAY_MS * len(vins) / usable
    due = [vin for vin in vins if now_ms - asked_ms.get(vin, 0) >= interval]
    due.sort(key=lambda vin: (asked_ms.get(vin, 0), vin))
    share = max(1, -(-usable * HOUR_MS // DAY_MS)) - sum(now_ms - at < HOUR_MS for at in asked_ms.values())
    return due[: max(0, min(left - KEPT_BACK, share))]

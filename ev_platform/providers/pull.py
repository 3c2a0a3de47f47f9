"""One poll of one provider: ask, keep what is new, remember. One vehicle's failure does not stop the others.

Belongs here: the order of writes, parking, pauses, the report. Not here: how a provider is asked (its module), what is
new in a payload (payload.py).

The order, per batch of vehicles: raw objects and dead letters → durable → receipts → `stored` reports the event days →
what was seen. A crash at any point repeats the poll's lines, which compaction drops; it loses none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import orjson

from ev_platform.ingest.polled import content_hash, polled_objects
from ev_platform.lake.layout import polled_receipt_key, provider_state_key, valid_vin
from ev_platform.lake.store import ObjectStore
from ev_platform.providers.base import (
    Access,
    AsleepError,
    AuthError,
    BusyError,
    Fetched,
    Provider,
    ProviderError,
    Vehicle,
    VehicleError,
)
from ev_platform.providers.bmw import DAILY_REQUESTS
from ev_platform.providers.payload import News, news
from ev_platform.providers.quota import plan
from ev_platform.providers.state import VehicleState, pause, paused_until, read_states, write_states

BATCH = 200
"""Vehicles whose payloads are in memory at once."""
FLEET_LIST_MS = 12 * 3_600_000
"""Where requests are counted, the provider's list is asked for this seldom."""
DOWN_AFTER = 3
"""Failures of the provider in a row after which the others are not asked in this poll."""

Stored = Callable[[Mapping[str, int]], None]


@dataclass
class PullReport:
    """What a poll did; receipts of Dagster show it."""

    asked: int = 0
    changed: int = 0
    """Vehicles with something new."""
    unchanged: int = 0
    asleep: int = 0
    leaves: int = 0
    """New values."""
    days: dict[str, int] = field(default_factory=dict)
    """New values by event day."""
    dead_letters: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Vehicle → reason; the next poll tries again."""
    parked: dict[str, str] = field(default_factory=dict)
    """Vehicle → reason; nobody asks for it any more."""
    not_active: dict[str, str] = field(default_factory=dict)
    """Vehicle → the provider's word (clearance pending, asleep, mapping SECONDARY)."""
    quota_left: int | None = None
    stopped: str = ""
    """Why the provider could not be asked to the end; empty when it was."""


def pull(
    provider: Provider, access: Access, store: ObjectStore, start_day: str, *, only: Sequence[str] = (),
    stored: Stored | None = None,
) -> PullReport:  # fmt: skip
    """Poll once.

    Args:
        provider: the client.
        access: what it was given (clock, scrubbing).
        store: the lake.
        start_day: first day of the lake.
        only: these vehicles; none named: all of the provider's list.
        stored: called with {event day: new values} after they are durable, before the poll remembers them.

    Raises:
        AuthError: the credentials are refused; what came before is stored.
    """
    report = PullReport()
    until, why = paused_until(store, provider.name)
    now = access.clock.now_ms()
    if now < until:
        report.stopped = f"paused for {(until - now) // 1000} s more: {why}"
        return report
    try:
        vins = list(only) if provider.whole_fleet else _whom(provider, access, store, only, report)
        for some in _batches(_until_down(provider.fetch(vins)) if vins or provider.whole_fleet else iter(())):
            _keep(provider, access, store, start_day, some, report, stored)
    except BusyError as error:
        report.stopped = access.http.scrub(str(error))
        pause(store, provider.name, access.clock.now_ms() + error.retry_ms, report.stopped)
    except (VehicleError, AsleepError) as error:  # of the list itself
        report.stopped = access.http.scrub(f"the list of vehicles: {error}")
    except AuthError as error:
        raise AuthError(access.http.scrub(str(error))) from None
    report.quota_left = provider.quota_left()
    return report


def _whom(provider: Provider, access: Access, store: ObjectStore, only: Sequence[str], report: PullReport) -> list[str]:
    """Active vehicles that are not parked and whose turn it is."""
    fleet = {car.vin: car for car in fleet_list(provider, access, store)}
    vins = list(only or fleet)
    states = read_states(store, provider.name, vins)
    wanted = []
    for vin in vins:
        car = fleet.get(vin)
        if states[vin].parked:
            report.parked[vin] = states[vin].reason
        elif car is None or car.state != "active":
            report.not_active[vin] = "not in the provider's list" if car is None else car.state
        else:
            wanted.append(vin)
    left = provider.quota_left()
    if left is not None:
        asked = {vin: states[vin].asked_ms for vin in wanted}
        wanted = plan(wanted, asked, left, DAILY_REQUESTS, access.clock.now_ms())
    return wanted


def fleet_list(provider: Provider, access: Access, store: ObjectStore) -> list[Vehicle]:
    """The provider's list, kept in the lake for the registry; where requests are counted, asked for every 12 hours."""
    key = provider_state_key(provider.name, "fleet")
    data = store.read(key).data
    held = orjson.loads(data) if data else {}
    now = access.clock.now_ms()
    if provider.quota_left() is not None and now - held.get("asked_ms", 0) < FLEET_LIST_MS:
        return [Vehicle(*row) for row in held["vehicles"]]
    fleet = sorted(set(provider.vehicles()))
    store.put(key, orjson.dumps({"asked_ms": now, "vehicles": [list(car) for car in fleet]}))
    return fleet


def _until_down(cars: Iterator[Fetched]) -> Iterator[Fetched | ProviderError]:
    """Cars until the provider seems down.

    An error of the provider itself comes last, as a value: what was fetched before it must be stored first.
    """
    outages = 0
    try:
        for car in cars:
            yield car
            outages = outages + 1 if isinstance(car.error, VehicleError) and car.error.outage else 0
            if outages >= DOWN_AFTER:
                yield BusyError(f"the provider is down: {car.error}", 60_000)
                return
    except ProviderError as error:
        yield error


def _batches(cars: Iterator[Fetched | ProviderError]) -> Iterator[list[Fetched | ProviderError]]:
    while some := list(islice(cars, BATCH)):
        yield some


def _keep(
    provider: Provider, access: Access, store: ObjectStore, start_day: str, some: Sequence[Fetched | ProviderError],
    report: PullReport, stored: Stored | None,
) -> None:  # fmt: skip
    """Store a batch, then remember it; raise the provider's own error, if one ended the batch, after that."""
    vins = [car.vin for car in some if isinstance(car, Fetched) and valid_vin(car.vin)]
    states = read_states(store, provider.name, vins)
    found: list[News] = []
    new_states: dict[str, VehicleState] = {}
    stop: ProviderError | None = None
    for car in some:
        if isinstance(car, ProviderError):
            stop = car
            continue
        report.asked += 1
        now, before = access.clock.now_ms(), states.get(car.vin, VehicleState())
        if car.payload is None:
            after = _failed(car, before, now, access, report)
        else:
            item = news(provider.name, car, set(before.leaves), provider.volatile, start_day, now)
            found.append(item)
            after = (
                before.succeeded(item.seen, now) if item.line else before.failed(item.reasons[0], now, permanent=False)
            )
            if not item.line:
                report.failed[car.vin or "(no vin)"] = item.reasons[0]
        if car.vin in states:
            new_states[car.vin] = after
    _write(provider.name, store, found, report, stored)
    write_states(store, provider.name, new_states)
    if stop is not None:
        raise stop


def _failed(car: Fetched, before: VehicleState, now: int, access: Access, report: PullReport) -> VehicleState:
    if isinstance(car.error, AsleepError):
        report.asleep += 1
        return VehicleState(before.leaves, asked_ms=now)
    reason = access.http.scrub(str(car.error))
    permanent = isinstance(car.error, VehicleError) and car.error.permanent
    after = before.failed(reason, now, permanent=permanent)
    (report.parked if after.parked else report.failed)[car.vin or "(stream)"] = reason
    return after


def _write(name: str, store: ObjectStore, found: list[News], report: PullReport, stored: Stored | None) -> None:
    objects: list[tuple[str, bytes]] = []
    days: Counter[str] = Counter()
    receipts: dict[str, dict[str, list[str]]] = {}
    for item in found:
        objects += item.dead
        if item.days:
            objects += polled_objects(name, item.vin, {day: [item.line] for day in item.days})
        for day, digests in item.days.items():
            days[day] += len(digests)
            receipts.setdefault(day, {}).setdefault(item.vin, []).extend(digests)
        report.dead_letters = dict(Counter(report.dead_letters) + Counter(item.reasons if item.dead else ()))
        report.changed += bool(item.days)
        report.unchanged += bool(item.line and not item.days)
    if not objects:
        return
    store.put_many(objects)
    store.barrier()
    store.put_many(_receipt(name, day, leaves) for day, leaves in receipts.items())
    report.leaves += days.total()
    report.days = dict(sorted((Counter(report.days) + days).items()))
    if stored is not None and days:
        stored(days)


def _receipt(name: str, day: str, leaves: dict[str, list[str]]) -> tuple[str, bytes]:
    """Which values a poll wrote for a day: what the row conservation check looks up in compressed/."""
    data = orjson.dumps({"source": name, "leaves": leaves}, option=orjson.OPT_SORT_KEYS)
    return polled_receipt_key(day, name, content_hash(data)[:32]), data

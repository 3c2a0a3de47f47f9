"""What can be said of a provider in a few lines: configured, reachable, quota left, parked vehicles; no secrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.providers.base import AsleepError, Clock, VehicleError
from ev_platform.providers.connect import connect, missing_settings
from ev_platform.providers.pull import fleet_list
from ev_platform.providers.state import parked, paused_until
from ev_platform.settings import Settings


def provider_lines(
    settings: Settings, store: ObjectStore, name: str, *, ask: bool, clock: Clock | None = None
) -> Iterator[str]:
    """Lines about one provider.

    Args:
        settings: which say how it is configured.
        store: the lake.
        name: of the provider.
        ask: ask the provider itself for its list of vehicles (one request; with a daily quota, a remembered list).
        clock: for tests.

    Raises:
        UserError: the provider is configured and cannot be reached or refuses us; says why.
    """
    missing = missing_settings(settings, name)
    if missing:
        yield f"{name}: not configured ({', '.join(missing)})"
        return
    client, access = connect(settings, store, name, clock)
    parts = ["configured"]
    until, why = paused_until(store, name)
    if until > access.clock.now_ms():
        parts.append(f"paused until {datetime.fromtimestamp(until // 1000, UTC):%Y-%m-%d %H:%M} UTC ({why})")
    elif ask:
        try:
            fleet = fleet_list(client, access, store)
        except (VehicleError, AsleepError) as error:
            raise UserError(access.http.scrub(f"{name}: not reachable ({error})")) from None
        except UserError as error:
            raise UserError(access.http.scrub(str(error))) from None
        active = sum(car.state == "active" for car in fleet)
        parts.append(f"reachable, {len(fleet)} vehicles, {active} of them active")
    left = client.quota_left()
    if left is not None:
        parts.append(f"{left} requests left of the last 24 hours")
    yield f"{name}: {', '.join(parts)}"
    for vin, reason in sorted(parked(store, name).items()):
        yield f"{name}: {vin} is parked: {reason} (`ev providers unpark {name} {vin}`)"

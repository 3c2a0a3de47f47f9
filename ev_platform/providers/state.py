"""What polling remembers between two polls, in the lake: leaves seen, failures and parking per vehicle, pauses.

Belongs here: the records and their keys. Not here: what follows from them (pull.py). Losing all of it costs requests
and repeated raw lines, which compaction drops; it never costs data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import orjson

from ev_platform.lake.layout import provider_state_key, vehicle_state_key
from ev_platform.lake.store import ObjectStore

STRIKES = 3
"""Answers in a row that say "this vehicle is not for you" before it is parked."""


@dataclass(frozen=True)
class VehicleState:
    """One vehicle of one provider."""

    leaves: tuple[str, ...] = ()
    """Digests of the last payload's leaves, sorted."""
    refused: str = ""
    """Hash of the last payload that became a dead letter as a whole: the same one again is none."""
    asked_ms: int = 0
    failures: int = 0
    """Permanent failures in a row."""
    reason: str = ""
    """Of the last failure; empty after a success."""
    parked: bool = False
    """Not asked any more, until somebody unparks it (`ev providers unpark`)."""

    def succeeded(self, leaves: Iterable[str], asked_ms: int) -> VehicleState:
        """After an answer with a payload."""
        return VehicleState(tuple(sorted(set(leaves))), asked_ms=asked_ms)

    def failed(self, reason: str, asked_ms: int, *, permanent: bool) -> VehicleState:
        """After an answer without."""
        failures = self.failures + 1 if permanent else self.failures
        return replace(self, asked_ms=asked_ms, failures=failures, reason=reason, parked=failures >= STRIKES)


def read_states(store: ObjectStore, provider: str, vins: Sequence[str]) -> dict[str, VehicleState]:
    """States of these vehicles; a new one has none yet."""
    keys = {vehicle_state_key(provider, vin): vin for vin in vins}
    found = {}
    for key, data in store.get_many(list(keys)):
        fields = orjson.loads(data) if data else {}
        fields["leaves"] = tuple(fields.get("leaves", ()))
        found[keys[key]] = VehicleState(**fields)
    return found


def write_states(store: ObjectStore, provider: str, states: dict[str, VehicleState]) -> None:
    """Keep them."""
    store.put_many((vehicle_state_key(provider, vin), orjson.dumps(asdict(state))) for vin, state in states.items())


def parked(store: ObjectStore, provider: str) -> dict[str, str]:
    """Parked vehicles with their reasons."""
    prefix = vehicle_state_key(provider, "").rpartition("/")[0]
    vins = [key.rpartition("/")[2].removesuffix(".json") for key in store.keys(prefix)]
    return {vin: state.reason for vin, state in read_states(store, provider, vins).items() if state.parked}


def unpark(store: ObjectStore, provider: str, vin: str) -> None:
    """Ask for a vehicle again."""
    state = read_states(store, provider, [vin])[vin]
    write_states(store, provider, {vin: replace(state, parked=False, failures=0)})


def paused_until(store: ObjectStore, provider: str) -> tuple[int, str]:
    """(ms since 1970, why) until which nobody asks; (0, "") when nothing is paused."""
    data = store.read(provider_state_key(provider, "pause")).data
    fields = orjson.loads(data) if data else {}
    return int(fields.get("until_ms", 0)), str(fields.get("reason", ""))


def pause(store: ObjectStore, provider: str, until_ms: int, reason: str) -> None:
    """Nobody asks before that time."""
    store.put(provider_state_key(provider, "pause"), orjson.dumps({"until_ms": until_ms, "reason": reason}))

"""From what a car reports to the records it sends: change-only, each field at its own interval, 500 ms buckets.

Belongs here: which samples are sent and how a datum is spelled (typed members, or strings on old firmware). Not here:
what the values are (sensors.py), what happens to a record on its way (faults.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ev_platform.simulate.fields import ALWAYS_TYPED, DOORS, ENUM_PREFIX, FIELDS, MODES, RESEND_SECONDS, Field
from ev_platform.simulate.physics import Stretch
from ev_platform.simulate.sensors import Value, report
from ev_platform.simulate.streams import stream
from ev_platform.simulate.vehicle import Car, State

_SLOTS = 3
_BUCKET_MS = 500
UNKNOWN_FIELD = '{"key":261,"value":{"booleanValue":true}}'
"""A field newer than the server's proto: its number instead of a name."""


@dataclass
class Session:
    """One connection of a car: what happened while it was awake, and what of it can be seen.

    `lost`: none of it; `stale`: the old (SoC in percent, odometer in miles) that its first records repeat;
    `end_missing`: its last stretch, which tells that a charge has ended, is never sent.
    """

    number: int
    stretches: list[tuple[State, Stretch]]
    lost: bool = False
    stale: tuple[float, float] | None = None
    end_missing: bool = False


@dataclass
class Records:
    """Records of one session by event time: `rows[i]` are the data of the record at `event_ms[i]`."""

    event_ms: NDArray[np.int64]
    rows: list[list[str]]


class Speller:
    """Spells values as the JSON of one datum, typed or in the older string form."""

    def __init__(self, old_firmware: bool) -> None:
        self._old = old_firmware
        self._invalid = "{}" if old_firmware else '{"invalid":true}'

    def spell(self, field: Field, values: Iterable[object]) -> list[str]:
        """The datum of each value, as JSON text. None is 'not measurable now'."""
        head = f'{{"key":"{field.name}","value":'
        old = self._old and field.name not in ALWAYS_TYPED
        if field.member == "doubleValue":
            typed = f'{head}{{"stringValue":"' if old else f'{head}{{"doubleValue":'
            tail = '"}}' if old else "}}"
            return [f"{typed}{value}{tail}" for value in values]
        return [f"{head}{self.value(field.member, value, old)}}}" for value in values]

    def one(self, field: Field, value: object) -> str:
        """The datum of one value that stays the same for a whole stretch."""
        if value is None:
            return f'{{"key":"{field.name}","value":{self._invalid}}}'
        if isinstance(value, float) and math.isnan(value):
            return f'{{"key":"{field.name}","value":{{"doubleValue":"NaN"}}}}'
        return self.spell(field, [value])[0]

    def value(self, member: str, value: object, old: bool) -> str:
        """One value with its member: `{"intValue":80}`, old: `{"stringValue":"80"}`."""
        if member == "locationValue":
            assert isinstance(value, tuple)
            return f'{{"locationValue":{{"latitude":{value[0]},"longitude":{value[1]}}}}}'
        if member == "doorValue" and not old:
            doors = ",".join(f'"{door}":{"true" if door == value else "false"}' for door in DOORS)
            return f'{{"doorValue":{{{doors}}}}}'
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if old or member in ("stringValue", "doorValue"):
            return f'{{"stringValue":"{text}"}}'
        if member == "longValue":
            return f'{{"longValue":"{text}"}}'
        if member in ENUM_PREFIX:
            return f'{{"{member}":"{ENUM_PREFIX[member]}{text}"}}'
        return f'{{"{member}":{text}}}'


_NOTHING = object()


class _Sender:
    """Sends the fields of one session; remembers what was sent last, because only changes are sent."""

    def __init__(self, speller: Speller) -> None:
        self._speller = speller
        self._last: dict[str, object] = {}

    def send(self, stretch: Stretch, values: dict[str, Value], rows: list[list[str]]) -> None:
        """Add the data of one stretch to `rows` (sample × slot)."""
        mode, n = MODES[stretch.mode], len(stretch.time_ms)
        for number, field in enumerate(FIELDS):
            if field.name == "Location":
                self._location(field, values, rows, n)
                continue
            value = values[field.name]
            if isinstance(value, np.ndarray) and value.ndim:
                stride = max(1, round(field.seconds[mode] * 1000 / stretch.step_ms))
                resend = max(1, RESEND_SECONDS * 1000 // stretch.step_ms // stride) if field.resend else 0
                self._series(field, value, stride, number * 7 % stride, resend, rows)
            else:
                self._constant(field, value, rows, n, stretch.step_ms)

    def _first(self, name: str) -> bool:
        return name not in self._last

    def _constant(self, field: Field, value: object, rows: list[list[str]], n: int, step_ms: int) -> None:
        if isinstance(value, np.ndarray | np.generic):
            value = value.item()
        repeat = max(1, RESEND_SECONDS * 1000 // step_ms) if field.resend else n
        last = self._last.get(field.name, _NOTHING)
        same = last is value or last == value or (last != last and value != value)
        start = 0 if not same else repeat
        if start >= n:
            return
        text = self._speller.one(field, value)
        for index in range(start, n, repeat):
            rows[index * _SLOTS + field.slot].append(text)
        self._last[field.name] = value

    def _series(
        self, field: Field, values: NDArray[np.float64], stride: int, phase: int, resend: int, rows: list[list[str]]
    ) -> None:
        first = self._first(field.name)
        at = np.arange(phase, len(values), stride)
        if first and phase:
            at = np.concatenate([[0], at])
        if not len(at):
            return
        seen = values[at]
        changed = np.empty(len(at), dtype=bool)
        changed[1:] = seen[1:] != seen[:-1]
        changed[0] = first or self._last[field.name] != seen[0]
        if resend:
            changed[::resend] = True
        at, seen = at[changed], seen[changed]
        if len(at):
            self._last[field.name] = float(seen[-1])
        slot = field.slot
        for index, text in zip(at.tolist(), self._speller.spell(field, seen.tolist()), strict=True):
            rows[index * _SLOTS + slot].append(text)

    def _location(self, field: Field, values: dict[str, Value], rows: list[list[str]], n: int) -> None:
        latitude, longitude = np.asarray(values["Latitude"]), np.asarray(values["Longitude"])
        here = (float(latitude[0]), float(longitude[0]))
        changed = np.empty(n, dtype=bool)
        changed[1:] = (latitude[1:] != latitude[:-1]) | (longitude[1:] != longitude[:-1])
        changed[0] = self._last.get(field.name) != here
        at = np.flatnonzero(changed)
        pairs = zip(latitude[at].tolist(), longitude[at].tolist(), strict=True)
        for index, text in zip(at.tolist(), self._speller.spell(field, pairs), strict=True):
            rows[index * _SLOTS + field.slot].append(text)
        self._last[field.name] = (float(latitude[-1]), float(longitude[-1]))


def encode(car: Car, session: Session) -> Records:
    """The records of one session, whole and in order, as the car makes them."""
    sender = _Sender(Speller(car.old_firmware))
    draw = stream(car.seed, "buckets", car.index, int(session.stretches[0][1].time_ms[0]) // 1000)
    times: list[NDArray[np.int64]] = []
    rows: list[list[str]] = []
    for state, stretch in session.stretches[:-1] if session.end_missing else session.stretches:
        block: list[list[str]] = [[] for _ in range(len(stretch.time_ms) * _SLOTS)]
        sender.send(stretch, report(car, state, stretch), block)
        if not rows and car.index % 6 == 4:
            block[0].append(UNKNOWN_FIELD)
        slow = 2 if stretch.step_ms < 4 * _BUCKET_MS else int(draw.integers(2, 4))
        offsets = np.array([0, 1, slow], dtype=np.int64) * _BUCKET_MS
        buckets = stretch.time_ms // _BUCKET_MS * _BUCKET_MS
        times.append((buckets[:, None] + offsets).reshape(-1))
        rows.extend(block)
    event_ms = np.concatenate(times)
    kept = [index for index, row in enumerate(rows) if row]
    return Records(event_ms[kept], [rows[index] for index in kept])

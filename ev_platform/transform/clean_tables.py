"""Tables under way in cleaning: mapped values (long), rows of one vehicle and time (wide), and what was changed.

Belongs here: the shape of the data between the steps of cleaning. Not here: what is done to it (clean_widen.py,
clean_rules.py). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas import TIME
from ev_platform.transform import arrow
from ev_platform.transform.series import Bools, Floats, Groups, Ints

OK, NULLED, INVALID = 0, 1, 2
"""State of a value: usable; set to null by a rule; the provider says it does not know (ends a fill)."""


class CountLog:
    """What was changed, nulled or dropped: (vehicle, rule, signal) and how often; on request also when."""

    def __init__(self, vins: list[str], keep_events: bool = False) -> None:
        self.vins = vins
        self._parts: list[tuple[str, str, Ints]] = []
        self._events: list[tuple[str, str, Ints, Ints]] | None = [] if keep_events else None

    def add(self, rule: str, signal: str, vehicles: Ints, time: Ints) -> None:
        """One count for each vehicle number in `vehicles` (repeated numbers count repeatedly), at these times (us)."""
        if len(vehicles):
            self._parts.append((rule, signal, np.bincount(vehicles, minlength=len(self.vins))))
            if self._events is not None:
                self._events.append((rule, signal, vehicles, time))

    def events(self) -> pa.Table:
        """vin, time, rule, signal of every single count, sorted; empty unless they were kept."""
        rows = sorted(
            (self.vins[vehicle], when, rule, signal)
            for rule, signal, vehicles, time in self._events or []
            for vehicle, when in zip(vehicles.tolist(), time.tolist(), strict=True)
        )
        vins, times, rules, signals = zip(*rows, strict=True) if rows else ((), (), (), ())
        times_us = arrow.from_ints(np.array(times, dtype=np.int64), TIME)
        words = (arrow.from_words(column) for column in (rules, signals))
        return pa.table([arrow.from_words(vins), times_us, *words], schema=EVENTS)

    def table(self) -> pa.Table:
        """vin, rule, signal, n: sorted, zero counts left out."""
        totals: dict[tuple[str, str, str], int] = {}
        for rule, signal, counts in self._parts:
            for vehicle in np.flatnonzero(counts):
                key = (self.vins[vehicle], rule, signal)
                totals[key] = totals.get(key, 0) + int(counts[vehicle])
        rows = [(*key, n) for key, n in sorted(totals.items())]
        *words, n = zip(*rows, strict=True) if rows else ((), (), (), ())
        counts = arrow.from_ints(np.array(n, dtype=np.int64))
        return pa.table([*(arrow.from_words(column) for column in words), counts], schema=COUNTS)


def _field(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": meaning})


COUNTS = pa.schema(
    [
        _field("vin", pa.string(), "vehicle identification number"),
        _field("rule", pa.string(), "what happened: range, spike, repeat, unmapped, …"),
        _field("signal", pa.string(), "the canonical name, or the provider's own where it has none"),
        _field("n", pa.int64(), "values that were changed, nulled, dropped or flagged"),
    ]
)
"""Cleaning counts, results/cleaning: one row per vehicle, rule and signal of a day."""

EVENTS = pa.schema(
    [
        pa.field("vin", pa.string()),
        pa.field("time", TIME),
        pa.field("rule", pa.string()),
        pa.field("signal", pa.string()),
    ]
)
"""The same one by one: when a rule did something to which signal."""


@dataclass(slots=True)
class Cells:
    """Values of one column, sorted by the wide row (`place`) they belong to; `row` is that of compressed."""

    row: Ints
    place: Ints
    value: Floats
    state: Ints
    priority: Ints

    @staticmethod
    def joined(parts: list[Cells]) -> Cells:
        """The cells of several signals as one column's."""
        if len(parts) == 1:
            return parts[0]
        names = Cells.__slots__
        whole = Cells(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        return whole.take(np.argsort(whole.place, kind="stable"))

    def take(self, rows: Ints | Bools) -> Cells:
        """The chosen rows, in that order."""
        return Cells(*(getattr(self, name)[rows] for name in Cells.__slots__))


@dataclass(slots=True)
class Wide:
    """Rows (vehicle, provider, time), sorted so; columns are floats, NaN where nothing is known.

    Word, text and boolean columns hold codes: the position in `labels[column]`, or 0 and 1.
    """

    vin: Ints
    provider: Ints
    time: Ints
    groups: Groups
    vins: list[str]
    providers: list[str]
    log: CountLog
    values: dict[str, Floats] = field(default_factory=dict)
    invalid: dict[str, Bools] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    flags: list[tuple[str, Ints]] = field(default_factory=list)

    def has(self, *names: str) -> bool:
        """Whether every one of these columns was observed at all."""
        return all(name in self.values for name in names)

    def null(self, rule: str, name: str, mask: Bools) -> None:
        """Set values to null, flag their rows, count them."""
        rows = np.flatnonzero(mask & ~np.isnan(self.values[name]))
        if len(rows):
            self.values[name][rows] = np.nan
            self.flag(rule, name, rows)

    def flag(self, rule: str, name: str, rows: Ints) -> None:
        """Flag and count rows without changing a value."""
        if len(rows):
            self.flags.append((f"{rule}:{name}", rows))
            self.log.add(rule, name, self.vin[rows], self.time[rows])

    def keep(self, mask: Bools) -> None:
        """Leave out the other rows."""
        number = np.cumsum(mask) - 1
        self.flags = [(text, number[rows[mask[rows]]]) for text, rows in self.flags]
        self.vin, self.provider, self.time = self.vin[mask], self.provider[mask], self.time[mask]
        self.groups = Groups.of(self.vin, self.provider)
        self.values = {name: column[mask] for name, column in self.values.items()}
        self.invalid = {name: column[mask] for name, column in self.invalid.items()}

"""First half of cleaning: the long table becomes wide, one cell per (vehicle, provider, time, canonical column).

Belongs here: which rows and columns there are, which of several values for one cell holds. Not here: what a provider's
value means (clean_values.py), rules that look at more than one value (clean_rules.py). Pure: Arrow in, arrays out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ev_platform.signals import Catalogue, ProviderSignal, catalogue
from ev_platform.transform import arrow
from ev_platform.transform.clean_tables import INVALID, OK, Cells, CountLog, Wide
from ev_platform.transform.clean_values import Readings, Words, values_of
from ev_platform.transform.series import Floats, Groups, Ints, string_codes

UNMAPPED = -1


def _words(column: pa.ChunkedArray) -> Words:
    return Words(*string_codes(column))


def widen(compressed: pa.Table, keep_events: bool = False) -> Wide:
    """Wide rows of a compressed table (schema COMPRESSED), values in canonical units, repeats dropped.

    A row of the result stands for every time at which at least one mapped signal was sent, usable or not.
    """
    known = catalogue()
    vin, provider, signal = (_words(compressed[name]) for name in ("vin", "provider", "signal"))
    log = CountLog(vin.distinct, keep_events)
    time = arrow.ints(compressed["event_time"])
    pair = np.where(signal.code >= 0, provider.code * len(signal.distinct) + signal.code, UNMAPPED)
    mapped = _mapped_pairs(known, pair, provider.distinct, signal.distinct)
    is_mapped = np.zeros(len(provider.distinct) * len(signal.distinct) + 1, dtype=bool)  # last slot: no signal at all
    is_mapped[list(mapped)] = True
    rows = np.flatnonzero(is_mapped[pair])
    if len(rows) < len(pair):
        _count_unmapped(log, vin.code, time, signal, np.flatnonzero(~is_mapped[pair] & (signal.code >= 0)))
    rows = rows[_by_time(vin.code[rows], provider.code[rows], time[rows])]
    groups = Groups.of(vin.code[rows], provider.code[rows], time[rows])
    place = np.zeros(len(time), dtype=np.int64)
    place[rows] = np.repeat(np.arange(len(groups.starts)), np.diff(np.append(groups.starts, len(rows))))
    first = rows[groups.starts]
    wide = Wide(
        vin=vin.code[first],
        provider=provider.code[first],
        time=time[first],
        groups=Groups.of(vin.code[first], provider.code[first]),
        vins=vin.distinct,
        providers=provider.distinct,
        log=log,
    )
    sent = _Sent(compressed, vin.code, time, place, log)
    for name, signals in _by_column(known, mapped, pair[rows], rows):
        _fill_column(known, wide, sent, name, signals)
    return wide


def _mapped_pairs(known: Catalogue, pair: Ints, providers: list[str], signals: list[str]) -> dict[int, ProviderSignal]:
    """Mapping of every (provider, signal) pair that occurs, by pair code."""
    found = {}
    present = np.zeros(len(providers) * len(signals) + 1, dtype=bool)
    present[pair] = True
    for code in np.flatnonzero(present[:-1]).tolist():
        target = known.mapping.get((providers[code // len(signals)], signals[code % len(signals)]))
        if target is not None:
            found[code] = target
    return found


def _count_unmapped(log: CountLog, vin: Ints, time: Ints, signal: Words, rows: Ints) -> None:
    names = signal.code[rows]
    for code in np.unique(names).tolist():
        chosen = rows[names == code]
        log.add("unmapped", signal.distinct[code], vin[chosen], time[chosen])


def _by_time(vin: Ints, provider: Ints, time: Ints) -> Ints | slice:
    """Order by vehicle, provider and time; a slice of everything where that is the order already."""
    behind = (vin[1:] < vin[:-1]) | ((vin[1:] == vin[:-1]) & (provider[1:] < provider[:-1]))
    behind |= (vin[1:] == vin[:-1]) & (provider[1:] == provider[:-1]) & (time[1:] < time[:-1])
    return np.lexsort((time, provider, vin)) if behind.any() else slice(None)


_Signals = list[tuple[ProviderSignal, Ints]]
"""A column's provider signals, each with its rows."""


def _by_column(
    known: Catalogue, mapped: dict[int, ProviderSignal], pair: Ints, rows: Ints
) -> Iterator[tuple[str, _Signals]]:
    """Canonical columns in the catalogue's order, with the rows (in order) of every signal that fills them."""
    small = pair.astype(np.int16) if max(mapped, default=0) < 2**15 else pair  # sorted by counting, not by comparing
    order = np.argsort(small, kind="stable")
    edges = np.searchsorted(small[order], [code for m in sorted(mapped) for code in (m, m + 1)]).reshape(-1, 2)
    columns: dict[str, _Signals] = {}
    for code, (start, end) in zip(sorted(mapped), edges.tolist(), strict=True):
        columns.setdefault(mapped[code].canonical, []).append((mapped[code], rows[order[start:end]]))
    for name in known.signals:
        if name in columns:
            yield name, columns[name]


class _Sent:
    """Columns of compressed rows as arrays, and the wide row (`place`) that each belongs to."""

    def __init__(self, compressed: pa.Table, vin: Ints, time: Ints, place: Ints, log: CountLog) -> None:
        self.table, self.vin, self.time, self.place, self.log = compressed, vin, time, place, log
        self.number = arrow.floats(compressed["number"])
        self.text, self.unit, self.status = (_words(compressed[name]) for name in ("text", "unit", "status"))

    @cached_property
    def _arrived(self) -> list[npt.NDArray[np.generic]]:
        """How values of one time are told apart: content hash, time of arrival, place at the broker, nanoseconds."""
        numbers = ("offset", "partition", "source_ts", "event_time_ns")
        received = arrow.ints(self.table["received_at"], missing=0)
        hashes, _ = string_codes(self.table["record_hash"])
        return [hashes, received, *(arrow.ints(self.table[name]) for name in numbers)]

    def arrival(self, cells: Cells) -> list[npt.NDArray[np.generic]]:
        """Sort keys, least important first, that put the value to keep last: a complete order, whatever the input's.

        The better signal of a provider first of all, then nanoseconds, then arrival (broker time and offset, or
        received time), then the value itself.
        """
        return [cells.value, cells.state, *(keys[cells.row] for keys in self._arrived), -cells.priority]

    def readings(self, canonical: str, rows: Ints) -> Readings:
        """The readings of one signal."""
        return Readings(
            canonical,
            self.number[rows],
            self.text.take(rows),
            self.unit.take(rows),
            self.status.take(rows),
            self.vin[rows],
            self.time[rows],
            self.log,
            np.full(len(rows), OK, dtype=np.int64),
        )


def _fill_column(known: Catalogue, wide: Wide, sent: _Sent, name: str, signals: _Signals) -> None:
    """Values of one canonical column at their rows; `invalid` where the provider said that it does not know."""
    labels: list[str] = []
    parts = []
    for target, rows in signals:
        readings = sent.readings(name, rows)
        values = values_of(known, target, readings, labels)
        parts.append(Cells(rows, sent.place[rows], values, readings.state, np.full(len(rows), target.priority)))
    cells = Cells.joined(parts)
    if known.signals[name].kind not in ("double", "boolean"):
        cells.value, wide.labels[name] = _sorted_labels(cells.value, labels)
    cells = _one_per_cell(cells, sent, name)
    column = np.full(len(wide.vin), np.nan)
    column[cells.place] = cells.value
    wide.values[name] = column
    ended = cells.place[cells.state == INVALID]
    if len(ended):
        wide.invalid[name] = np.zeros(len(wide.vin), dtype=bool)
        wide.invalid[name][ended] = True
        wide.flags.append((f"invalid:{name}", ended))


def _sorted_labels(values: Floats, labels: list[str]) -> tuple[Floats, list[str]]:
    """Codes renumbered in alphabetical order, so that comparing codes never depends on the batch."""
    words = sorted(labels)
    rank = np.array([*(words.index(word) for word in labels), np.nan], dtype=np.float64)
    return rank[np.where(np.isnan(values), len(labels), values).astype(np.int64)], words


def _one_per_cell(cells: Cells, sent: _Sent, name: str) -> Cells:
    """One value per row of the column: the last one to arrive.

    Vehicles send values again after a reconnect, under a new offset: equal ones are counted as `repeat`, others as
    `superseded`.
    """
    same = np.zeros(len(cells.place), dtype=bool)
    same[1:] = cells.place[1:] == cells.place[:-1]
    if not same.any():
        return cells
    cell = np.cumsum(~same) - 1
    several = np.bincount(cell)[cell] > 1
    rows = np.flatnonzero(several)
    rows = rows[np.lexsort((*sent.arrival(cells.take(rows)), cell[rows]))]
    winner = np.append(cell[rows][1:] != cell[rows][:-1], True)
    best = np.repeat(rows[winner], np.diff(np.append(-1, np.flatnonzero(winner))))
    equal = (cells.state[rows] == cells.state[best]) & (
        (cells.value[rows] == cells.value[best]) | (np.isnan(cells.value[rows]) & np.isnan(cells.value[best]))
    )
    for rule, lost in (("repeat", ~winner & equal), ("superseded", ~winner & ~equal)):
        at = cells.row[rows[lost]]
        sent.log.add(rule, name, sent.vin[at], sent.time[at])
    kept = ~several
    kept[rows[winner]] = True
    return cells.take(kept)

"""Cleaned rows as arrays for segmentation: one provider per vehicle, sorted, states held as long as they may be.

Belongs here: choice of provider, columns as arrays, marks out of `quality`, bounded holds. Not here: what a state means
for driving or charging (segment_states.py). Pure.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.signals import catalogue
from ev_platform.transform import arrow
from ev_platform.transform.segment_rules import CONTACT_S
from ev_platform.transform.series import (
    Bools,
    Floats,
    Groups,
    Ints,
    filled_row,
    gap_before,
    last_valid,
    string_codes,
    take,
)

KEY = ["vin", "time", "provider"]
SEGMENT_COLUMNS = [
    *KEY,
    *("soc_percent", "odometer_km", "speed_kmh", "gear", "pack_voltage_v", "pack_current_a"),
    *("charge_state", "charge_energy_kwh", "charger_ac_power_kw", "charger_dc_power_kw", "fast_charger_present"),
    *("outside_temp_c", "battery_temp_max_c", "battery_temp_min_c", "quality"),
]
"""Columns of `cleaned` that segmentation looks at; a reader need not fetch others."""


def one_provider(cleaned: pa.Table, vehicles: pa.Table) -> pa.Table:
    """Rows of one provider per vehicle, sorted by vin and time.

    The registry's preferred provider if it sent anything, else the one with most rows (of equal ones the first name).
    """
    vin, vins = string_codes(cleaned["vin"])
    provider, providers = string_codes(cleaned["provider"])
    rows = np.bincount(vin * len(providers) + provider, minlength=len(vins) * len(providers))
    rank = rows.reshape(len(vins), len(providers)).astype(np.float64)
    if np.count_nonzero(rank) > len(vins):
        preferred = dict(zip(vehicles["vin"].to_pylist(), vehicles["provider"].to_pylist(), strict=True))
        wanted = np.array([[preferred.get(one) == name for name in providers] for one in vins], dtype=bool)
        best = np.where(wanted & (rank > 0), np.inf, rank).argmax(axis=1)  # of equal ones the first
        cleaned, vin = _rows(cleaned, vin, np.flatnonzero(provider == best[vin]))
    time = arrow.ints(cleaned["time"])
    in_order = (vin[1:] > vin[:-1]) | ((vin[1:] == vin[:-1]) & (time[1:] >= time[:-1]))
    return cleaned if in_order.all() else _rows(cleaned, vin, np.lexsort((time, vin)))[0]


def _rows(cleaned: pa.Table, vin: Ints, rows: Ints) -> tuple[pa.Table, Ints]:
    return arrow.take(cleaned, rows), vin[rows]


class Frame:
    """Columns of cleaned rows as arrays, and what may be held from one row to later ones."""

    def __init__(self, cleaned: pa.Table) -> None:
        self.table = cleaned
        self.rows: int = cleaned.num_rows
        self.vehicle, self.vins = string_codes(cleaned["vin"])
        self.time: Ints = arrow.ints(cleaned["time"])
        self.groups = Groups.of(self.vehicle)
        self.gap_before: Floats = gap_before(self.time, self.groups)
        gap_after = np.full(self.rows, np.inf)
        gap_after[:-1] = self.gap_before[1:]
        self.gap_after: Floats = gap_after
        self.contact_lost: Bools = self.gap_before > CONTACT_S
        flags = cleaned["quality"].combine_chunks()
        marks = pc.dictionary_encode(pc.list_flatten(flags))
        self._marks: list[str] = marks.dictionary.to_pylist()
        self._mark_code: Ints = arrow.indices(marks)
        self._mark_row: Ints = arrow.ints(pc.list_parent_indices(flags))
        self._floats: dict[str, Floats] = {}
        self._known: dict[str, Bools] = {}
        self._held: dict[tuple[str, float], Ints] = {}

    def floats(self, name: str) -> Floats:
        """A numeric column, NaN where null."""
        if name not in self._floats:
            column = self.table[name]
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.int8())
            self._floats[name] = arrow.floats(column)
        return self._floats[name]

    def known(self, name: str) -> Bools:
        """Rows where a column was observed."""
        if name not in self._known:
            self._known[name] = arrow.known(self.table[name])
        return self._known[name]

    def one_of(self, name: str, words: tuple[str, ...]) -> Bools:
        """Rows where a word column was observed with one of these words."""
        return arrow.bools(pc.is_in(self.table[name], value_set=arrow.from_strings(words)))

    def marked(self, mark: str) -> Bools:
        """Rows whose `quality` holds this flag."""
        mask = np.zeros(self.rows, dtype=bool)
        if mark in self._marks:
            mask[self._mark_row[self._mark_code == self._marks.index(mark)]] = True
        return mask

    @cached_property
    def lost_row(self) -> Ints:
        """At every row the latest one before which contact was lost."""
        return last_valid(self.contact_lost, self.groups)

    def stopped(self, mark: str) -> Ints:
        """At every row the latest one that ends a fill: contact was lost before it, or it holds this flag."""
        marked = self.marked(mark)
        return np.maximum(self.lost_row, last_valid(marked, self.groups)) if marked.any() else self.lost_row

    def held_row(self, name: str, limit_s: float = np.inf) -> Ints:
        """Row whose observation of a state still holds: no `invalid` and no lost contact since, at most `limit_s` old.

        A feed that sends changes only says by its silence that a state has not changed, so within contact a state
        needs no age limit.
        """
        if (name, limit_s) not in self._held:
            stopped = self.stopped(f"invalid:{name}")
            self._held[name, limit_s] = filled_row(self.known(name), stopped, self.time, self.groups, limit_s)
        return self._held[name, limit_s]

    def held(self, name: str, limit_s: float = np.inf) -> Floats:
        """Held values of a numeric or boolean column, NaN where nothing holds."""
        return take(self.floats(name), self.held_row(name, limit_s), np.nan)

    def held_word(self, name: str, words: tuple[str, ...]) -> Bools:
        """Rows at which one of these words holds."""
        return np.asarray(take(self.one_of(name, words), self.held_row(name), 0.0) == 1, dtype=bool)

    @cached_property
    def cut(self) -> Bools:
        """Rows before which nothing may be bridged: an infeasible step of SoC or odometer leads to them."""
        return self.marked("jump:soc_percent") | self.marked("jump:odometer_km")

    @cached_property
    def voltage_v(self) -> Floats:
        """Pack voltage, at most its fill limit old."""
        return self.held("pack_voltage_v", catalogue().signals["pack_voltage_v"].fill_parked_s)

    @cached_property
    def power_kw(self) -> Floats:
        """Pack power where the current was observed and the voltage is at most its fill limit old; + into the pack."""
        return np.asarray(self.voltage_v * self.floats("pack_current_a") / 1000, dtype=np.float64)

    @cached_property
    def power_held_kw(self) -> Floats:
        """Pack power as far as it is known at each row from the last voltage and current in contact (change-only)."""
        return np.asarray(self.held("pack_voltage_v") * self.held("pack_current_a") / 1000, dtype=np.float64)

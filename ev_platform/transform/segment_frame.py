"""Cleaned rows as arrays for segmentation: one provider per vehicle, sorted, states held as long as they may be.

Belongs here: choice of provider, columns as arrays, marks out of `quality`, bounded holds. Not here: what a state means
for driving or charging (segment_states.py). Pure.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.signals import catalogue
from ev_platform.transform.segment_rules import CONTACT_S
from ev_platform.transform.series import (
    Bools,
    Floats,
    Groups,
    Ints,
    filled_row,
    gap_before,
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
    rows = pl.DataFrame(cleaned.select(KEY))
    counts = rows.group_by("vin", "provider").len()
    if counts.height == rows["vin"].n_unique():
        chosen = cleaned
    else:
        preferred = pl.DataFrame(vehicles.select(["vin", "provider"])).unique("vin")
        best = (
            counts.join(preferred, on="vin", how="left", suffix="_preferred")
            .with_columns(is_preferred=pl.col("provider").eq_missing(pl.col("provider_preferred")))
            .sort(["vin", "is_preferred", "len", "provider"], descending=[False, True, True, False])
            .unique("vin", keep="first", maintain_order=True)
        )
        number = rows.with_row_index("row").join(best, on=["vin", "provider"], how="semi")
        chosen = cleaned.take(number["row"].sort().to_arrow())
    vin, _ = string_codes(chosen["vin"])
    time = chosen["time"].cast(pa.int64()).to_numpy()
    in_order = (vin[1:] > vin[:-1]) | ((vin[1:] == vin[:-1]) & (time[1:] >= time[:-1]))
    return chosen if in_order.all() else chosen.take(pa.array(np.lexsort((time, vin))))


class Frame:
    """Columns of cleaned rows as arrays, and what may be held from one row to later ones."""

    def __init__(self, cleaned: pa.Table) -> None:
        self.table = cleaned
        self.rows: int = cleaned.num_rows
        self.vehicle, self.vins = string_codes(cleaned["vin"])
        self.time: Ints = np.asarray(cleaned["time"].cast(pa.int64()).to_numpy(), dtype=np.int64)
        self.groups = Groups.of(self.vehicle)
        self.gap_before: Floats = gap_before(self.time, self.groups)
        gap_after = np.full(self.rows, np.inf)
        gap_after[:-1] = self.gap_before[1:]
        self.gap_after: Floats = gap_after
        self.contact_lost: Bools = self.gap_before > CONTACT_S
        flags = cleaned["quality"].combine_chunks()
        marks = pc.dictionary_encode(pc.list_flatten(flags))
        self._marks: list[str] = marks.dictionary.to_pylist()
        self._mark_code: Ints = marks.indices.to_numpy().astype(np.int64)
        self._mark_row: Ints = pc.list_parent_indices(flags).to_numpy().astype(np.int64)
        self._floats: dict[str, Floats] = {}

    def floats(self, name: str) -> Floats:
        """A numeric column, NaN where null."""
        if name not in self._floats:
            column = self.table[name]
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.int8())
            self._floats[name] = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        return self._floats[name]

    def known(self, name: str) -> Bools:
        """Rows where a column was observed."""
        return np.asarray(self.table[name].is_valid().to_numpy(), dtype=bool)

    def one_of(self, name: str, words: tuple[str, ...]) -> Bools:
        """Rows where a word column was observed with one of these words."""
        return np.asarray(pc.is_in(self.table[name], value_set=pa.array(words)).to_numpy(), dtype=bool)

    def marked(self, mark: str) -> Bools:
        """Rows whose `quality` holds this flag."""
        mask = np.zeros(self.rows, dtype=bool)
        if mark in self._marks:
            mask[self._mark_row[self._mark_code == self._marks.index(mark)]] = True
        return mask

    def held_row(self, name: str, limit_s: float = np.inf) -> Ints:
        """Row whose observation of a state still holds: no `invalid` and no lost contact since, at most `limit_s` old.

        A feed that sends changes only says by its silence that a state has not changed, so within contact a state
        needs no age limit.
        """
        stop = self.contact_lost | self.marked(f"invalid:{name}")
        return filled_row(self.known(name), stop, self.time, self.groups, limit_s)

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

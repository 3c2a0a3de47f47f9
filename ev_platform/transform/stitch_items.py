"""Pieces as arrays for stitching, and the times between two days that stitching adds.

Belongs here: the columns of an item. Not here: what joins (stitch.py), figures of a session (stitch_figures.py). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.transform.segment_measure import METHODS, NO_ENERGY, SOC
from ev_platform.transform.segment_rules import (
    DAY_US,
    DRIVE,
    GAP_DRIVE,
    IDLE,
    KIND_OF,
    KINDS,
    PLUGGED,
    UNPLUGGED,
    kept,
)
from ev_platform.transform.series import Bools, Floats, Ints, string_codes

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Items:
    """Pieces, and times between two days (`gap`), sorted by vehicle and start; one array value each.

    vehicle: number of the vehicle; times in us; kind and label as in segment_rules; method: position in METHODS;
    dc: 1, 0 or NaN; idle_day: the piece belongs to a day without a drive or charge worth keeping; usable_kwh: capacity
    of the vehicle, NaN where unknown.
    """

    vehicle: Ints
    kind: Ints
    label: Ints
    asleep: Bools
    start: Ints
    end: Ints
    open_start: Bools
    open_end: Bools
    soc_start: Floats
    soc_end: Floats
    kwh: Floats
    method: Ints
    why_method: Texts
    km: Floats
    odometer_start: Floats
    odometer_end: Floats
    outside: Floats
    battery: Floats
    power_mean: Floats
    power_max: Floats
    dc: Floats
    inferred: Bools
    truncated: Bools
    samples: Ints
    gap_s: Floats
    reasons: Texts
    idle_day: Bools
    gap: Bools
    usable_kwh: Floats

    @property
    def rows(self) -> int:
        """Number of items."""
        return len(self.vehicle)

    def said(self, reason: str) -> Bools:
        """Items that give this reason."""
        return np.array([reason in names for names in self.reasons.tolist()], dtype=bool)

    def with_others(self, others: Items, order: Ints) -> Items:
        """Both, in the given order of this one's rows followed by the others'."""
        return Items(
            **{f.name: np.concatenate([getattr(self, f.name), getattr(others, f.name)])[order] for f in fields(Items)}
        )


def items_of(pieces: pa.Table, vehicles: pa.Table | None) -> tuple[Items, list[str]]:
    """Items of SEGMENTS rows in any order, and the VINs that `vehicle` numbers."""
    pieces = pieces.sort_by([("vin", "ascending"), ("start", "ascending")])
    vehicle, vins = string_codes(pieces["vin"])
    usable: dict[str, float | None] = {}
    if vehicles is not None:
        usable = dict(zip(vehicles["vin"].to_pylist(), vehicles["usable_new_kwh"].to_pylist(), strict=True))
    capacity = np.array([usable.get(vin) or np.nan for vin in vins], dtype=np.float64)
    kind = _positions(pieces["kind"], KINDS)
    start, end = _whole(pieces["start"]), _whole(pieces["end"])
    reasons, inferred = _texts(pieces["reasons"]), _bools(pieces["inferred"])
    soc_start, soc_end = _floats(pieces["soc_start"]), _floats(pieces["soc_end"])
    kwh, km = _floats(pieces["energy_kwh"]), _floats(pieces["distance_km"])
    by_soc = [not {"soc_rise_only", "soc_fall_only"}.isdisjoint(names) for names in reasons.tolist()]
    worth = kept(kind, (end - start) / 1e6, km, soc_start, soc_end, kwh, np.array(by_soc, dtype=bool))
    worth &= kind != IDLE
    items = Items(
        vehicle=vehicle,
        kind=kind,
        label=np.where(inferred & (kind != IDLE), kind + GAP_DRIVE - DRIVE, kind),
        asleep=_bools(pieces["asleep"]),
        start=start,
        end=end,
        open_start=_bools(pieces["open_start"]),
        open_end=_bools(pieces["open_end"]),
        soc_start=soc_start,
        soc_end=soc_end,
        kwh=kwh,
        method=_positions(pieces["energy_method"], METHODS),
        why_method=_texts(pieces["energy_method_reason"]),
        km=km,
        odometer_start=_floats(pieces["odometer_start_km"]),
        odometer_end=_floats(pieces["odometer_end_km"]),
        outside=_floats(pieces["outside_temp_mean_c"]),
        battery=_floats(pieces["battery_temp_mean_c"]),
        power_mean=_floats(pieces["power_mean_kw"]),
        power_max=_floats(pieces["power_max_kw"]),
        dc=np.array([{"ac": 0.0, "dc": 1.0}.get(t, np.nan) for t in pieces["charge_type"].to_pylist()]),
        inferred=inferred,
        truncated=_bools(pieces["truncated"]),
        samples=_whole(pieces["n_samples"]),
        gap_s=_floats(pieces["gap_seconds"]),
        reasons=reasons,
        idle_day=_idle_days(vehicle, start // DAY_US, worth),
        gap=np.zeros(len(vehicle), dtype=bool),
        usable_kwh=capacity[vehicle],
    )
    return items, vins


def between(items: Items, before: Ints, label: Ints, asleep: Bools, inferred: Bools) -> Items:
    """The times between the items `before` and the ones that follow them, with the given labels.

    A drive or charge that goes on has the mean power of the piece before (or after) it; anything else the change of
    SoC × capacity. The row that begins such a time is its sample (the caller takes it from the piece before).
    """
    after, n, kind = before + 1, len(before), KIND_OF[label]
    start, end = items.end[before], items.start[after]
    seconds = (end - start) / 1e6
    goes_on = (kind != IDLE) & ~inferred
    power = items.power_mean[before]
    next_power = np.where(items.kind[after] == kind, items.power_mean[after], np.nan)
    by_power = np.where(np.isnan(power), next_power, power) * seconds / 3600
    by_soc = (items.soc_start[after] - items.soc_end[before]) / 100 * items.usable_kwh[before]
    kwh = np.where(goes_on, np.where(np.isnan(by_power), by_soc, by_power), by_soc)
    of_neighbour = np.where(np.isnan(power), items.method[after], items.method[before])
    method = np.where(goes_on & ~np.isnan(by_power), of_neighbour, METHODS.index(SOC))
    unknown = np.full(n, np.nan)
    return Items(
        vehicle=items.vehicle[before],
        kind=kind,
        label=label,
        asleep=asleep,
        start=start,
        end=end,
        open_start=np.zeros(n, dtype=bool),
        open_end=np.zeros(n, dtype=bool),
        soc_start=items.soc_end[before],
        soc_end=items.soc_start[after],
        kwh=kwh,
        method=np.where(np.isnan(kwh), METHODS.index(NO_ENERGY), method),
        why_method=_repeat("no message between the two days", n),
        km=items.odometer_start[after] - items.odometer_end[before],
        odometer_start=items.odometer_end[before],
        odometer_end=items.odometer_start[after],
        outside=unknown,
        battery=unknown,
        power_mean=unknown,
        power_max=unknown,
        dc=unknown,
        inferred=inferred,
        truncated=inferred,
        samples=np.ones(n, dtype=np.int64),
        gap_s=seconds,
        reasons=_note_plug(items, before),
        idle_day=np.zeros(n, dtype=bool),
        gap=np.ones(n, dtype=bool),
        usable_kwh=items.usable_kwh[before],
    )


def _note_plug(items: Items, before: Ints) -> Texts:
    """An idling vehicle stays plugged in or not until it says otherwise; one that charges is plugged in."""
    notes = np.empty(len(before), dtype=object)
    for i, item in enumerate(before.tolist()):
        said = set(items.reasons[item])
        charging = KINDS[items.kind[item]] == "charge"
        notes[i] = [UNPLUGGED] if UNPLUGGED in said else [PLUGGED] if charging or PLUGGED in said else []
    return notes


def _idle_days(vehicle: Ints, day: Ints, worth: Bools) -> Bools:
    """Whether the vehicle's day of each piece holds no drive or charge worth keeping."""
    number = np.unique(np.stack([vehicle, day], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    return np.asarray((np.bincount(number, weights=worth) == 0)[number], dtype=bool)


def _positions(column: pa.ChunkedArray, words: tuple[str, ...]) -> Ints:
    return np.asarray(pc.index_in(column, value_set=pa.array(words)).to_numpy(), dtype=np.int64)


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _whole(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _bools(column: pa.ChunkedArray) -> Bools:
    return np.asarray(column.to_numpy(), dtype=bool)


def _texts(column: pa.ChunkedArray) -> Texts:
    values = column.to_pylist()
    out = np.empty(len(values), dtype=object)
    out[:] = [value if value is not None else "" for value in values]
    return out


def _repeat(text: str, n: int) -> Texts:
    out = np.empty(n, dtype=object)
    out[:] = [text] * n
    return out

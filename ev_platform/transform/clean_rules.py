"""Second half of cleaning: rules that look at more than one value. Each nulls, drops or flags, and counts.

Belongs here: one function per rule, over the wide arrays of clean_tables.py. Thresholds that depend on the signal come
from the catalogue. Not here: reading provider values. Pure. A rule looks only at rows of its own vehicle and provider.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pyarrow as pa

from ev_platform.signals import CanonicalSignal, catalogue
from ev_platform.transform.clean_current import null_voltage_off_level, turn_reversed_current
from ev_platform.transform.clean_tables import Wide
from ev_platform.transform.series import (
    NONE,
    Bools,
    Floats,
    Groups,
    Ints,
    filled_row,
    gap_before,
    last_before,
    last_valid,
    next_valid,
    run_of_row,
    run_starts,
    sum_runs,
    take,
)

ENERGY_HEADROOM = 1.15
"""Energy remaining may exceed the usable capacity when new by the buffer and by good fortune, not by more."""
POWER_RANGE_KW = (-500.0, 350.0)
"""Pack power that no car of today leaves, positive into the battery."""
SOC_NEAR_EMPTY_PERCENT = 5.0
SOC_MID_PACK_PERCENT = 20.0
MID_PACK_VOLTAGE_SHARE = 0.95
"""A pack near empty shows less than this share of its voltage at 20 % and more."""
STALE_GAP_S = 60.0
STALE_RECORDS = 2
STUCK_SOC_S = 1800.0
STUCK_POWER_KW = 3.0
STUCK_DISTANCE_KM = 5.0
STUCK_SPEED_KMH = 5.0
INTEGER_STEP = 1.0


def apply_rules(wide: Wide, vehicles: pa.Table) -> None:
    """All rules, in the order in which they rely on each other."""
    null_out_of_range(wide)
    null_energy_above_capacity(wide, vehicles)
    null_voltage_off_level(wide)
    turn_reversed_current(wide)
    null_power_out_of_range(wide)
    null_zero_soc(wide)
    drop_stale_heads(wide)
    for signal in catalogue().signals.values():
        if signal.max_rise_per_h is not None and wide.has(signal.name):
            null_spikes(wide, signal)
    null_odometer_decreases(wide)
    for signal in catalogue().signals.values():
        if signal.max_rise_per_h is not None and wide.has(signal.name):
            flag_jumps(wide, signal)
    flag_stuck_soc(wide)
    flag_stuck_odometer(wide)


def null_out_of_range(wide: Wide) -> None:
    """Values outside the physical range of the catalogue."""
    for name, values in wide.values.items():
        signal = catalogue().signals[name]
        if signal.kind != "double":
            continue
        low = values <= signal.minimum if signal.minimum_open else values < signal.minimum
        high = values >= signal.maximum if signal.maximum_open else values > signal.maximum
        wide.null("range", name, low | high)


def null_energy_above_capacity(wide: Wide, vehicles: pa.Table) -> None:
    """Energy remaining above 1.15 × the usable capacity when new, where the registry knows it."""
    if not wide.has("battery_energy_kwh"):
        return
    usable = dict(zip(vehicles["vin"].to_pylist(), vehicles["usable_new_kwh"].to_pylist(), strict=True))
    limit = np.array([(usable.get(vin) or np.inf) * ENERGY_HEADROOM for vin in wide.vins])
    wide.null("energy_above_capacity", "battery_energy_kwh", wide.values["battery_energy_kwh"] > limit[wide.vin])


def null_power_out_of_range(wide: Wide) -> None:
    """Current whose product with the voltage of the same row is a power that no pack gives or takes."""
    if wide.has("pack_voltage_v", "pack_current_a"):
        power = wide.values["pack_voltage_v"] * wide.values["pack_current_a"] / 1000
        wide.null("power_range", "pack_current_a", (power < POWER_RANGE_KW[0]) | (power > POWER_RANGE_KW[1]))


def null_zero_soc(wide: Wide) -> None:
    """SoC of 0 that means "missing": the nearest other SoC of the day is not near empty, or the voltage is mid-pack."""
    if not wide.has("soc_percent"):
        return
    soc, groups = wide.values["soc_percent"], wide.groups
    zero = soc == 0
    if not zero.any():
        return
    other = ~np.isnan(soc) & ~zero
    before, after = last_valid(other, groups), next_valid(other, groups)
    age_before = np.where(before == NONE, np.inf, wide.time - wide.time[before])
    age_after = np.where(after == NONE, np.inf, wide.time[after] - wide.time)
    nearest = take(soc, np.where(age_before <= age_after, before, after), np.inf)
    missing = nearest > SOC_NEAR_EMPTY_PERCENT
    if wide.has("pack_voltage_v"):
        missing |= _voltage_is_mid_pack(wide)
    wide.null("soc_zero", "soc_percent", zero & missing)


def _voltage_is_mid_pack(wide: Wide) -> Bools:
    """Rows whose voltage lies at the level that this vehicle shows today at SoC 20 % and above (held up to 30 s)."""
    voltage, groups = wide.values["pack_voltage_v"], wide.groups
    signal = catalogue().signals["pack_voltage_v"]
    row = filled_row(~np.isnan(voltage), NONE, wide.time, groups, signal.fill_parked_s)
    held = take(voltage, row, np.nan)
    level = np.full(groups.rows, np.inf)
    for start in groups.starts.tolist():
        rows = slice(start, groups.last[start] + 1)
        filled = wide.values["soc_percent"][rows] >= SOC_MID_PACK_PERCENT
        known = held[rows][filled & ~np.isnan(held[rows])]
        if len(known):
            level[rows] = np.median(known) * MID_PACK_VOLTAGE_SHARE
    return np.asarray(held >= level, dtype=bool)


class Steps:
    """Consecutive observations of one signal: which step between them is steeper than a vehicle can make.

    The limit is rate × time + tolerance; a feed that only ever shows whole numbers gets one whole number more.
    """

    def __init__(self, wide: Wide, signal: CanonicalSignal) -> None:
        values = wide.values[signal.name]
        self.rows = np.flatnonzero(~np.isnan(values))
        self.groups = Groups.of(wide.vin[self.rows], wide.provider[self.rows])
        self.values: Floats = values[self.rows]
        self.time: Ints = wide.time[self.rows]
        self._rise = float(signal.max_rise_per_h or 0.0)
        self._fall = float(signal.max_fall_per_h or 0.0)
        fractional = (self.values % 1 != 0).astype(np.float64)
        run = run_of_row(self.groups.starts, len(self.rows))
        whole = sum_runs(fractional, run, len(self.groups.starts)) == 0
        self._tolerance = signal.step_tolerance + np.where(whole, INTEGER_STEP, 0.0)[run]

    def infeasible(self, earlier: Ints, later: Ints) -> Bools:
        """Whether the step between two observations is infeasible; false where either does not exist."""
        if len(self.rows) == 0:
            return np.zeros(len(earlier), dtype=bool)
        step = self.values[later] - self.values[earlier]
        hours = (self.time[later] - self.time[earlier]) / 3.6e9
        limit = self._tolerance[later] + np.where(step > 0, self._rise, self._fall) * hours
        return np.asarray((earlier != NONE) & (later != NONE) & (np.abs(step) > limit), dtype=bool)

    def at(self, offset: int) -> Ints:
        """Number of the observation `offset` places away in the same series; NONE beyond its ends."""
        number = np.arange(len(self.rows)) + offset
        return np.where((number >= self.groups.first) & (number <= self.groups.last), number, NONE)


def drop_stale_heads(wide: Wide) -> None:
    """Rows that repeat, after a gap, what was known before it, while the next SoC or odometer contradicts them.

    Seen on a real logger: SoC 33.9 → 97.1 % within 8 s at the start of a session. At the start of the day, where there
    is nothing to compare with, the contradiction alone decides. At most two records are dropped per gap, and only
    where the series is consistent afterwards.
    """
    heads = np.zeros(wide.groups.rows, dtype=bool)
    for name in ("soc_percent", "odometer_km"):
        if wide.has(name):
            heads |= _stale_rows(wide, catalogue().signals[name])
    rows = np.flatnonzero(heads)
    if len(rows):
        wide.log.add("stale_head", "row", wide.vin[rows], wide.time[rows])
        wide.keep(~heads)


def _stale_rows(wide: Wide, signal: CanonicalSignal) -> Bools:
    steps = Steps(wide, signal)
    rows, here = steps.rows, steps.at(0)
    gaps = np.cumsum(gap_before(wide.time, wide.groups) > STALE_GAP_S)
    previous, following = steps.at(-1), steps.at(1)
    after_gap = (previous == NONE) | (gaps[rows] > gaps[rows[previous]])
    repeats = (previous == NONE) | (steps.values[here] == steps.values[previous])
    head = after_gap & repeats & _other_repeats(wide, signal, rows, rows[previous], previous)
    contradicted = steps.infeasible(here, following) & ~steps.infeasible(following, steps.at(2))
    stale = np.zeros(wide.groups.rows, dtype=bool)
    stale[rows[head & contradicted]] = True
    same = (following != NONE) & (gaps[rows[following]] == gaps[rows]) & (steps.values[following] == steps.values)
    pair = head & same & np.where(following == NONE, False, contradicted[following])
    stale[rows[pair]] = True
    stale[rows[following[pair]]] = True
    return stale


def _other_repeats(wide: Wide, signal: CanonicalSignal, rows: Ints, previous_rows: Ints, previous: Ints) -> Bools:
    """Whether the other of SoC and odometer stands where it stood at the observation before the gap, or is unknown."""
    other = "odometer_km" if signal.name == "soc_percent" else "soc_percent"
    if not wide.has(other):
        return np.ones(len(rows), dtype=bool)
    values = wide.values[other]
    held = last_valid(~np.isnan(values), wide.groups)
    now, then = held[rows], held[previous_rows]
    known = (previous != NONE) & (now != NONE) & (then != NONE)
    return np.asarray(~known | (values[now] == values[then]), dtype=bool)


def null_spikes(wide: Wide, signal: CanonicalSignal) -> None:
    """One value that can follow neither from the one before nor lead to the one after, while those two agree."""
    steps = Steps(wide, signal)
    before, here, after = steps.at(-1), steps.at(0), steps.at(1)
    spike = steps.infeasible(before, here) & steps.infeasible(here, after)
    spike &= (before != NONE) & (after != NONE) & ~steps.infeasible(before, after)
    mask = np.zeros(wide.groups.rows, dtype=bool)
    mask[steps.rows[spike]] = True
    wide.null("spike", signal.name, mask)


def null_odometer_decreases(wide: Wide) -> None:
    """The fewest odometer values whose removal leaves a series that never decreases.

    Comparing with the largest value so far instead would let one wrong high value null the rest of the day.
    """
    if not wide.has("odometer_km"):
        return
    values = wide.values["odometer_km"]
    rows = np.flatnonzero(~np.isnan(values))
    groups = Groups.of(wide.vin[rows], wide.provider[rows])
    falls = np.zeros(len(rows), dtype=bool)
    falls[1:] = (np.diff(values[rows]) < 0) & (groups.first[1:] == groups.first[:-1])
    mask = np.zeros(wide.groups.rows, dtype=bool)
    for start in np.unique(groups.first[falls]).tolist():
        series = rows[start : groups.last[start] + 1]
        kept = _longest_non_decreasing(values[series].tolist())
        mask[np.delete(series, kept)] = True
    wide.null("odometer_decrease", "odometer_km", mask)


def _longest_non_decreasing(values: list[float]) -> list[int]:
    """Positions of a longest non-decreasing subsequence (patience sorting, O(n log n)); the same one every time.

    Sorted from the end on, so that of two readings that contradict each other the later, lower one is left out.
    """
    tails: list[float] = []
    tail_at: list[int] = []
    after = [NONE] * len(values)
    for position in range(len(values) - 1, -1, -1):
        length = bisect_right(tails, -values[position])
        after[position] = tail_at[length - 1] if length else NONE
        if length == len(tails):
            tails.append(-values[position])
            tail_at.append(position)
        else:
            tails[length] = -values[position]
            tail_at[length] = position
    chain = []
    position = tail_at[-1]
    while position != NONE:
        chain.append(position)
        position = after[position]
    return chain


def flag_jumps(wide: Wide, signal: CanonicalSignal) -> None:
    """Steps that no charge or drive explains: the row after the step is flagged, segments are cut there."""
    steps = Steps(wide, signal)
    wide.flag("jump", signal.name, steps.rows[steps.infeasible(steps.at(-1), steps.at(0))])


def flag_stuck_soc(wide: Wide) -> None:
    """SoC repeated unchanged for more than 30 minutes while the pack gives or takes more than 3 kW in the median."""
    if not wide.has("soc_percent", "pack_voltage_v", "pack_current_a"):
        return
    voltage = wide.values["pack_voltage_v"]
    limit = catalogue().signals["pack_voltage_v"].fill_parked_s
    held = take(voltage, filled_row(~np.isnan(voltage), NONE, wide.time, wide.groups, limit), np.nan)
    power = np.abs(held * wide.values["pack_current_a"] / 1000)
    rows = []
    for first, last in _constant_spans(wide, "soc_percent"):
        if wide.time[last] - wide.time[first] > STUCK_SOC_S * 1e6:
            known = power[first : last + 1]
            known = known[~np.isnan(known)]
            if len(known) and np.median(known) > STUCK_POWER_KW:
                rows.append(np.arange(first, last + 1))
    _flag_spans(wide, "soc_percent", rows)


def flag_stuck_odometer(wide: Wide) -> None:
    """Odometer repeated unchanged while the speed signal says that more than 5 km were driven."""
    if not wide.has("odometer_km", "speed_kmh"):
        return
    speed, time = wide.values["speed_kmh"], wide.time
    limit = catalogue().signals["speed_kmh"].fill_driving_s
    row = last_before(~np.isnan(speed), wide.groups)
    moving = take(speed, row, 0.0)
    hours = np.minimum(np.where(row == NONE, 0.0, (time - time[row]) / 1e6), limit) / 3600
    distance = np.where((moving > STUCK_SPEED_KMH) & ~np.isnan(speed), moving * hours, 0.0)
    rows = []
    for first, last in _constant_spans(wide, "odometer_km"):
        if distance[first + 1 : last + 1].sum() > STUCK_DISTANCE_KM:
            rows.append(np.arange(first, last + 1))
    _flag_spans(wide, "odometer_km", rows)


def _constant_spans(wide: Wide, name: str) -> list[tuple[int, int]]:
    """First and last row of every run of equal consecutive observations (at least two)."""
    values = wide.values[name]
    rows = np.flatnonzero(~np.isnan(values))
    groups = Groups.of(wide.vin[rows], wide.provider[rows])
    starts = run_starts(groups, values[rows])
    ends = np.append(starts[1:], len(rows)) - 1
    return [(int(rows[a]), int(rows[b])) for a, b in zip(starts, ends, strict=True) if b > a]


def _flag_spans(wide: Wide, name: str, spans: list[Ints]) -> None:
    if spans:
        wide.flag("stuck", name, np.concatenate(spans))

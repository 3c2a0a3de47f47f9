"""Figures of pieces: state of charge, distance, energy by the best available evidence, temperatures, confidence.

A piece runs from row `first` to row `end` (both row numbers; `end` is the first row of the next piece, or the vehicle's
last row). Belongs here: sums over the rows of a piece. Not here: where pieces begin and end. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ev_platform.signals import catalogue
from ev_platform.transform.current_offset import LEAST_WINDOW_S, Windows, offsets
from ev_platform.transform.segment_frame import Frame
from ev_platform.transform.segment_rules import AFTER_GAP_S, CHARGE, DRIVE
from ev_platform.transform.series import (
    NONE,
    Bools,
    Floats,
    Groups,
    Ints,
    first_in_runs,
    last_before,
    last_in_runs,
    last_valid,
    max_runs,
    next_valid,
    run_of_row,
    seconds_between,
    sum_runs,
    take,
)

INTEGRAL_STEP_S = 30.0
INTEGRAL_COVERAGE = 0.8
COUNTER_COVERAGE = 0.8
COUNTER_TAIL_S = 300.0
COUNTER_RESET_SHARE = 0.5
"""A fall of the counter below this share of its value is a reset; smaller falls are steps back, which it makes."""
DC_POWER_KW = 45.0
AC_MAX_KW = 23.0

COUNTER, INTEGRAL, SOC, NO_ENERGY = "counter", "power_integral", "soc_capacity", "none"
METHODS = (COUNTER, INTEGRAL, SOC, NO_ENERGY)
"""From the best evidence to none."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of the frame: first row, end row (see module), kind; sorted, tiling each vehicle's rows."""

    first: Ints
    end: Ints
    kind: Ints
    asleep: Bools
    last_of_vehicle: Bools

    @property
    def count(self) -> int:
        """Number of pieces."""
        return len(self.first)


class Measures:
    """Figures of every piece of a frame; each attribute is an array with one value per piece."""

    def __init__(self, frame: Frame, pieces: Pieces, usable_kwh: Floats) -> None:
        self.frame, self.pieces = frame, pieces
        self.run = run_of_row(pieces.first, frame.rows)
        cut_end = frame.cut[pieces.end] & (pieces.end > pieces.first) if pieces.count else np.zeros(0, dtype=bool)
        self.last_row = np.where(cut_end, pieces.end - 1, pieces.end)
        self.seconds: Floats = (frame.time[pieces.end] - frame.time[pieces.first]) / 1e6
        self.soc_start, self.soc_end = self._both_ends("soc_percent")
        self.odometer_start, self.odometer_end = self._both_ends("odometer_km")
        self.distance_km: Floats = self.odometer_end - self.odometer_start
        self.delta_soc: Floats = self.soc_end - self.soc_start
        self._power()
        self._take_off_offset(usable_kwh)
        self._energy(usable_kwh[frame.vehicle[pieces.first]] if pieces.count else np.zeros(0))

    def _both_ends(self, name: str) -> tuple[Floats, Floats]:
        """Readings that speak for the begin and the end of each piece, NaN without any."""
        frame, pieces = self.frame, self.pieces
        known, signal = frame.known(name), catalogue().signals[name]
        limit_end = np.where(pieces.kind == DRIVE, signal.fill_driving_s, signal.fill_parked_s)
        read = self._parked_reading if name == "odometer_km" else self._reading
        start = read(known, pieces.first, np.full(pieces.count, signal.fill_parked_s))
        start = np.where(start == NONE, first_in_runs(known, pieces.first, self.last_row, frame.groups), start)
        end = read(known, self.last_row, limit_end)
        end = np.where(end == NONE, last_in_runs(known, pieces.first, self.last_row, frame.groups), end)
        return take(frame.floats(name), start, np.nan), take(frame.floats(name), end, np.nan)

    def _reading(self, known: Bools, at: Ints, limit_s: Floats) -> Ints:
        """Row of the reading that speaks for row `at`, never one beyond a cut.

        The last one before it, within the limit and in contact; else the next one within 5 minutes; else the last one
        before it within the limit.
        """
        frame = self.frame
        before, after = last_valid(known, frame.groups)[at], next_valid(known, frame.groups)[at]
        before_ok = self._no_cut(before, at) & (seconds_between(frame.time, before, at) <= limit_s)
        after_ok = self._no_cut(at, after) & (seconds_between(frame.time, at, after) <= AFTER_GAP_S)
        in_contact = before_ok & self._in_contact(before, at)
        return np.where(in_contact | (before_ok & ~after_ok), before, np.where(after_ok, after, NONE))

    def _parked_reading(self, known: Bools, at: Ints, limit_s: Floats) -> Ints:
        """As `_reading`, for the odometer: a parked car in contact keeps it, however long, before and after `at`."""
        frame = self.frame
        before, after = last_valid(known, frame.groups)[at], next_valid(known, frame.groups)[at]
        drives = np.append(0, np.cumsum(self.pieces.kind[self.run] == DRIVE))
        since = self._no_cut(before, at) & self._in_contact(before, at) & (drives[before] == drives[at])
        until = self._no_cut(at, after) & self._in_contact(at, after) & (drives[at] == drives[after])
        return np.where(since, before, np.where(until, after, self._reading(known, at, limit_s)))

    def _no_cut(self, earlier: Ints, later: Ints) -> Bools:
        """Whether both rows exist and no cut lies between them."""
        cuts = np.cumsum(self.frame.cut)
        return np.asarray((earlier != NONE) & (later != NONE) & (cuts[earlier] == cuts[later]), dtype=bool)

    def _in_contact(self, earlier: Ints, later: Ints) -> Bools:
        """Whether no loss of contact lies between two rows that exist."""
        losses = np.cumsum(self.frame.contact_lost)
        return np.asarray(losses[earlier] == losses[later], dtype=bool)

    def _power(self) -> None:
        """Trapezoid of pack power over steps of at most 30 s inside each piece, and the share of time it covers."""
        frame, count = self.frame, self.pieces.count
        power = frame.power_kw
        known = ~np.isnan(power)
        before = last_before(known, frame.groups)
        rows = np.flatnonzero(known & (before != NONE))
        start = before[rows]
        seconds = seconds_between(frame.time, start, rows)
        inside = (seconds <= INTEGRAL_STEP_S) & (rows <= self.last_row[self.run[start]])
        rows, start, seconds = rows[inside], start[inside], seconds[inside]
        piece = self.run[start]
        # a reading at the end row shows the state of the next piece: the last step holds the reading before it
        next_state = (rows == self.pieces.end[piece]) & ~self.pieces.last_of_vehicle[piece]
        mean = np.where(next_state, power[start], (power[start] + power[rows]) / 2)
        self.integral_kwh = sum_runs(mean * seconds / 3600, piece, count)
        self.integral_s = sum_runs(seconds, piece, count)
        self._volt_kwh_per_a = sum_runs(frame.voltage_v[start] / 1000 * seconds / 3600, piece, count)
        self.power_peak_kw = max_runs(np.abs(power), self.pieces.first)

    def _take_off_offset(self, usable_kwh: Floats) -> None:
        """Correct the power integrals of vehicles whose current sensor shows an offset on this day."""
        vehicle = self.frame.vehicle[self.pieces.first]
        usable = (self.integral_s >= LEAST_WINDOW_S) & (self.integral_s >= INTEGRAL_COVERAGE * self.seconds)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(usable, self.integral_s / self.seconds, np.nan)
        fractional = np.nan_to_num(self.soc_start % 1) + np.nan_to_num(self.soc_end % 1) != 0
        whole = np.bincount(vehicle, weights=fractional, minlength=len(usable_kwh)) == 0
        windows = Windows(
            vehicle, self.integral_kwh / share, self._volt_kwh_per_a / share, self.delta_soc, whole[vehicle]
        )
        found, sd = offsets(windows, usable_kwh)
        self.offset_a, self.offset_sd_a = found[vehicle], sd[vehicle]
        self.integral_kwh = self.integral_kwh - self.offset_a * self._volt_kwh_per_a

    def _counted(self) -> tuple[Floats, Bools]:
        """Energy that the battery-side counter rose by in each charge, and whether it speaks for (nearly) all of it.

        Steps back are tolerated, a reset starts from 0. A reading up to 5 minutes after the end of a charge still
        belongs to it. Without a reading before the charge its first minutes are missing: scaled up if few.
        """
        frame, pieces = self.frame, self.pieces
        nothing = np.zeros(pieces.count)
        obs = np.flatnonzero(frame.known("charge_energy_kwh"))
        if not len(obs):
            return nothing, nothing > 1
        values, groups = frame.floats("charge_energy_kwh")[obs], Groups.of(frame.vehicle[obs])
        increments = _counter_increments(values, groups)
        row_before = np.maximum(obs - 1, frame.groups.first[obs])
        piece = self.run[row_before]
        charge = pieces.kind == CHARGE
        earlier = np.maximum(piece - 1, 0)
        in_tail = ~charge[piece] & charge[earlier] & (frame.vehicle[pieces.first[earlier]] == frame.vehicle[obs])
        in_tail &= seconds_between(frame.time, pieces.end[earlier], obs) <= COUNTER_TAIL_S
        piece = np.where(in_tail, earlier, piece)
        kwh = sum_runs(increments, piece, pieces.count)
        first_seen = first_in_runs(frame.known("charge_energy_kwh"), pieces.first, self.last_row, frame.groups)
        has_base = last_valid(frame.known("charge_energy_kwh"), frame.groups)[pieces.first] != NONE
        missing = np.where(has_base, 0.0, seconds_between(frame.time, pieces.first, first_seen))
        with np.errstate(divide="ignore", invalid="ignore"):
            coverage = 1 - missing / self.seconds
        usable = charge & (kwh > 0) & (coverage >= COUNTER_COVERAGE)
        return np.where(usable, kwh / np.where(usable, coverage, 1.0), 0.0), usable

    def _energy(self, usable_kwh: Floats) -> None:
        """Battery-side energy, positive into the battery, by the best evidence there is; why not by a better one."""
        count = self.pieces.count
        counted, has_counter = self._counted()
        with np.errstate(divide="ignore", invalid="ignore"):
            coverage = np.where(self.seconds > 0, self.integral_s / self.seconds, 0.0)
            integral = self.integral_kwh / coverage
        has_integral = coverage >= INTEGRAL_COVERAGE
        by_soc = self.delta_soc / 100 * usable_kwh
        has_soc = ~np.isnan(by_soc)
        self.energy_kwh = np.select([has_counter, has_integral, has_soc], [counted, integral, by_soc], np.nan)
        self.energy_method = np.select([has_counter, has_integral, has_soc], [0, 1, 2], 3)
        self.energy_reason = [
            _energy_reason(
                METHODS[self.energy_method[i]],
                bool(self.pieces.kind[i] == CHARGE),
                bool(self.integral_s[i] > 0),
                bool(np.isnan(usable_kwh[i])),
            )
            + self._offset_note(i)
            for i in range(count)
        ]
        covered = self.integral_s > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            by_integral = self.integral_kwh / self.integral_s * 3600
            by_energy = self.energy_kwh / self.seconds * 3600
        self.power_mean_kw = np.where(covered & (has_integral | np.isnan(by_energy)), by_integral, by_energy)
        self.power_mean_kw[~np.isfinite(self.power_mean_kw)] = np.nan

    def _offset_note(self, piece: int) -> str:
        if self.energy_method[piece] != METHODS.index(INTEGRAL) or not self.offset_a[piece]:
            return ""
        return f"; current offset {self.offset_a[piece]:+.1f} A (sd {self.offset_sd_a[piece]:.1f}) taken off"

    def mean_in_piece(self, values: Floats, hold_s: float) -> Floats:
        """Mean of the readings in each piece; without any, the last one before it, at most `hold_s` old."""
        frame, pieces = self.frame, self.pieces
        known = ~np.isnan(values)
        total = sum_runs(np.where(known, values, 0.0), self.run, pieces.count)
        n = sum_runs(known.astype(np.float64), self.run, pieces.count)
        row = last_valid(known, frame.groups)[pieces.first]
        held = np.where(seconds_between(frame.time, row, pieces.first) <= hold_s, row, NONE)
        return np.where(n > 0, total / np.maximum(n, 1), take(values, held, np.nan))

    def any_in_piece(self, mask: Bools) -> Bools:
        """Whether the mask is true at any row of each piece."""
        return sum_runs(mask.astype(np.float64), self.run, self.pieces.count) > 0

    def longest_gap_s(self) -> Floats:
        """Longest time between two rows of each piece."""
        gap = np.where(np.isfinite(self.frame.gap_after), self.frame.gap_after, 0.0)
        return max_runs(gap, self.pieces.first)

    def samples(self) -> Ints:
        """Rows in each piece; a vehicle's last row belongs to its last piece."""
        return np.bincount(self.run, minlength=self.pieces.count).astype(np.int64)

    def is_dc(self) -> Floats:
        """1 for a DC charge, 0 for AC, NaN where nothing tells."""
        frame = self.frame
        dc_power = max_runs(frame.floats("charger_dc_power_kw"), self.pieces.first)
        ac_power = max_runs(frame.floats("charger_ac_power_kw"), self.pieces.first)
        present = frame.held("fast_charger_present")
        fast = self.any_in_piece(present == 1)
        strong = np.fmax(np.nan_to_num(dc_power), np.nan_to_num(self.power_peak_kw)) > DC_POWER_KW
        mean = np.nan_to_num(self.power_mean_kw)
        dc = fast | strong | (mean > AC_MAX_KW)
        ac = (np.nan_to_num(ac_power) > 0) | self.any_in_piece(present == 0) | ((mean > 0) & (self.energy_method <= 1))
        return np.where(dc, 1.0, np.where(ac, 0.0, np.nan))


def _counter_increments(values: Floats, groups: Groups) -> Floats:
    """Energy that each reading adds: the rise of the running maximum since the last reset; 0 for a vehicle's first."""
    drop = np.zeros(len(values), dtype=bool)
    drop[1:] = values[1:] < values[:-1] * COUNTER_RESET_SHARE
    drop[groups.starts] = False
    new = drop.copy()
    new[groups.starts] = True
    starts = np.flatnonzero(new)
    increments = np.zeros(len(values))
    for start, end in zip(starts.tolist(), np.append(starts[1:], len(values)).tolist(), strict=True):
        top = np.maximum.accumulate(values[start:end])
        increments[start + 1 : end] = np.diff(top)
        increments[start] = values[start] if drop[start] else 0.0
    return increments


def _energy_reason(method: str, charge: bool, some_power: bool, no_capacity: bool) -> str:
    """Why this method and not a better one."""
    no_counter = "no usable battery-side counter" if charge else "no counter outside charges"
    no_power = "power covers less than 80 %" if some_power else "no pack power at 30 s or faster"
    if method == COUNTER:
        return "battery-side counter of the session"
    if method == INTEGRAL:
        return no_counter
    if method == SOC:
        return f"{no_counter}; {no_power}"
    return f"{no_counter}; {no_power}; " + ("no usable capacity in the registry" if no_capacity else "SoC unknown")

"""Driving of a vehicle that sends neither gear, speed nor odometer: from its pack power, else from its falling SoC.

Taxi and charger logs often hold SoC, voltage and current only, the poorest feeds nothing but SoC.
Belongs here: this weak evidence, for a vehicle's whole day. Not here: better signals (segment_states.py). Pure.

Limits: nothing that a parked car runs draws 7 kW (a heater takes 3 to 6 kW, and steadily), and only a moving one gives
back right after it has drawn. A heater takes up to 5 % of a battery per hour and standing 1 % per day, so SoC that
falls by 6 % per hour and more has been driven.
"""

from __future__ import annotations

import numpy as np

from ev_platform.transform.segment_frame import Frame
from ev_platform.transform.segment_rules import DRIVE_PAUSE_S
from ev_platform.transform.series import (
    NONE,
    Bools,
    Floats,
    Groups,
    Ints,
    first_in_runs,
    last_before,
    last_in_runs,
    next_row_valid,
    run_of_row,
    run_starts,
    seconds_between,
    take,
)

PULL_KW = 7.0
REGEN_KW = 0.5
REGEN_AFTER_KW = 1.0
REGEN_WITHIN_S = 60.0
CHANGE_KW = 6.5
CHANGE_WITHIN_S = 90.0
MOST_RISE_PERCENT = 1.0
"""A stretch over which SoC rises by more is no drive, whatever the power seems to say."""
DRAWN_KW = 2.0
DRAWN_WITHIN_S = 300.0
BRIDGE_S = 600.0
"""Standing between two such readings cannot be told from slow driving: up to this long it belongs to the drive."""
FALL_PERCENT_PER_H = 6.0
FALL_STEP_S = 3600.0


def blind(frame: Frame) -> Bools:
    """Rows of vehicles that sent no gear, speed or odometer on the whole day."""
    motion = frame.known("gear") | frame.known("speed_kmh") | frame.known("odometer_km")
    return ~_any_in_vehicle(frame, motion)


def drives_by_power(frame: Frame, unseen: Bools) -> Bools:
    """Intervals of blind vehicles around readings that only a moving car gives.

    More than 7 kW drawn; or more than 0.5 kW given back while at most a minute before and after more than 1 kW was
    drawn; or a change by 6.5 kW from or to a reading at most 90 s away, more than 1 kW drawn at one of the two.
    Two of these up to 10 minutes apart are one drive. A drive begins and ends where readings of more than 2 kW drawn,
    at most 5 minutes apart, lead up to one of these and away from it: slow driving alone is like a heater.
    """
    power = frame.power_kw
    reading = ~np.isnan(power)
    if not (reading & unseen).any():
        return np.zeros(frame.rows, dtype=bool)
    drawn = reading & (power < -REGEN_AFTER_KW)
    here = np.arange(frame.rows)
    before = seconds_between(frame.time, last_before(drawn, frame.groups), here) <= REGEN_WITHIN_S
    after = seconds_between(frame.time, here, next_row_valid(drawn, frame.groups)) <= REGEN_WITHIN_S
    moving = reading & ((power < -PULL_KW) | ((power > REGEN_KW) & before & after))
    moving |= _changes(frame, power, reading)
    moving |= within(frame, moving, BRIDGE_S)
    pulled = reading & (power < -DRAWN_KW)
    linked = moving | pulled | within(frame, pulled, DRAWN_WITHIN_S)
    starts = run_starts(frame.groups, linked)
    run = run_of_row(starts, frame.rows)
    moves = np.bincount(run, weights=moving, minlength=len(starts)) > 0
    moves &= ~(_soc_rise(frame, starts) >= MOST_RISE_PERCENT)
    return np.asarray(unseen & linked & moves[run] & ~(frame.gap_after > DRIVE_PAUSE_S), dtype=bool)


def _soc_rise(frame: Frame, starts: Ints) -> Floats:
    """Change of SoC from the first to the last reading of each run, NaN without any."""
    known, soc = frame.known("soc_percent"), frame.floats("soc_percent")
    ends = np.append(starts[1:], frame.rows) - 1
    first = first_in_runs(known, starts, ends, frame.groups)
    last = last_in_runs(known, starts, ends, frame.groups)
    return take(soc, last, np.nan) - take(soc, first, np.nan)


def _changes(frame: Frame, power: Floats, reading: Bools) -> Bools:
    """Readings from which, or to which, the power changed by 6.5 kW within 90 s while more than 1 kW was drawn."""
    rows = np.flatnonzero(reading)
    same = frame.vehicle[rows[1:]] == frame.vehicle[rows[:-1]]
    near = same & (np.diff(frame.time[rows]) <= CHANGE_WITHIN_S * 1e6)
    least = np.minimum(power[rows[1:]], power[rows[:-1]])
    change = near & (np.abs(np.diff(power[rows])) >= CHANGE_KW) & (least < -REGEN_AFTER_KW)
    changed = np.zeros(frame.rows, dtype=bool)
    changed[rows[1:][change]] = True
    changed[rows[:-1][change]] = True
    return changed


def drives_by_soc(frame: Frame, unseen: Bools) -> Bools:
    """Intervals of blind vehicles without any power over which SoC falls by 6 % per hour and more.

    From one change of SoC to the next, at most 1 h apart. The first step of a fall begins somewhere after the change
    before it: it is given at most the length of the step that follows, or 5 minutes without one.
    """
    unseen = unseen & ~_any_in_vehicle(frame, ~np.isnan(frame.power_kw))
    known = np.flatnonzero(frame.known("soc_percent") & unseen)
    falling = np.zeros(frame.rows, dtype=bool)
    if len(known) < 2:
        return falling
    soc, groups = frame.floats("soc_percent")[known], Groups.of(frame.vehicle[known])
    change = run_starts(groups, soc)
    rows, same = known[change], np.diff(groups.first[change], prepend=NONE) == 0
    seconds = np.where(same, np.diff(frame.time[rows], prepend=0) / 1e6, np.inf)
    step = np.diff(soc[change], prepend=0.0)
    down = same & (seconds <= FALL_STEP_S) & ~frame.cut[rows] & (-step * 3600 >= FALL_PERCENT_PER_H * seconds)
    next_down = np.append(down[1:], False)
    first_step = down & ~np.append(False, down[:-1])
    follows = np.where(next_down, np.append(seconds[1:], 0.0), DRIVE_PAUSE_S)
    length = np.where(first_step, np.minimum(seconds, follows), seconds)
    step_length = np.full(frame.rows, -1.0)
    step_length[rows] = np.where(down, length, -1.0)
    is_change = np.zeros(frame.rows, dtype=bool)
    is_change[rows] = True
    ahead = next_row_valid(is_change, frame.groups)
    return np.asarray(
        unseen & (seconds_between(frame.time, np.arange(frame.rows), ahead) <= take(step_length, ahead, -1.0)),
        dtype=bool,
    )


def between_drives(frame: Frame, driving: Bools) -> Bools:
    """Intervals at most 5 minutes after one of driving and before the next: power into the pack is recuperation there.

    Odometers that count whole kilometres show driving only when they change.
    """
    return within(frame, driving, DRIVE_PAUSE_S)


def within(frame: Frame, mask: Bools, limit_s: float) -> Bools:
    """Rows between two true rows of their vehicle that are at most `limit_s` apart, in contact."""
    before, after = last_before(mask, frame.groups), next_row_valid(mask, frame.groups)
    return np.asarray(seconds_between(frame.time, before, after) <= limit_s, dtype=bool)


def _any_in_vehicle(frame: Frame, mask: Bools) -> Bools:
    """Whether the mask is true at any row of the row's vehicle."""
    run: Ints = run_of_row(frame.groups.starts, frame.rows)
    return np.asarray((np.bincount(run, weights=mask, minlength=len(frame.groups.starts)) > 0)[run], dtype=bool)

"""What a vehicle was doing between one row and the next: evidence from its signals, then one label per interval.

Interval i is the half-open time from row i to row i + 1 of the same vehicle; the last row of a vehicle has none, its
label is what it announces. Belongs here: evidence for driving and charging. Not here: pauses and what is kept
(segment_rules.py), figures (segment_measure.py). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ev_platform.signals import catalogue
from ev_platform.transform.segment_blind import between_drives, blind, drives_by_power, drives_by_soc
from ev_platform.transform.segment_frame import Frame
from ev_platform.transform.segment_rules import (
    AFTER_GAP_S,
    ASLEEP_S,
    CHARGE,
    CONTACT_S,
    DAY_US,
    DRIVE,
    DRIVE_PAUSE_S,
    HOUR_S,
    IDLE,
    INFERRED_MIN_S,
    gap_kind,
    gap_label,
)
from ev_platform.transform.series import (
    NONE,
    Bools,
    Floats,
    Groups,
    Ints,
    filled_row,
    last_before,
    last_valid,
    next_row_valid,
    next_valid,
    run_of_row,
    run_starts,
    seconds_between,
    sum_runs,
    take,
)

DRIVING_GEARS = ("D", "R", "N")
CHARGING_WORDS = ("charging", "starting")
UNPLUGGED_WORDS = ("disconnected",)
MOVING_KMH = 1.0
CHARGE_POWER_KW = 0.5
NO_POWER_KW = 0.1
FRESH_S = 90.0
"""A rising counter is believed rather than a current reading that is older than this."""
COUNTER_STEP_KWH = 0.02
ODOMETER_STEP_KM = 0.1
ODOMETER_OVERRULES_PARK_KM = 0.5
ODOMETER_KMH = 3.0
STANDING_KM = 0.2
SHOWS_KWH = 1.0
SOC_RISE_S = 3600.0
SOC_FIRST_STEP_S = 900.0


@dataclass(frozen=True, slots=True)
class States:
    """One value per row, about the interval that starts there (see module): label (see segment_rules), and why.

    `announced` is the label that the row's own states give, whatever happened afterwards. `asleep` marks silence in
    which the car sleeps if it idles; `inferred` gaps whose label was concluded from both ends; `soc_only` charging or
    driving of which nothing but the rise or fall of SoC is known; `power_only` driving of which nothing but the pack's
    power is. `gap_soc` and `gap_km`: change over an interval of 5 minutes and more, NaN where unknown.
    """

    label: Ints
    announced: Ints
    asleep: Bools
    inferred: Bools
    soc_only: Bools
    power_only: Bools
    gap_soc: Floats
    gap_km: Floats
    moved_in_gap: Bools
    plugged: Bools
    unplugged: Bools


def states(frame: Frame) -> States:
    """Label every interval: driving, charging, idle (asleep), or a charge or drive inferred in a gap."""
    driving = _driving(frame)
    unseen = blind(frame)
    by_power = drives_by_power(frame, unseen) & ~driving
    driving |= by_power
    by_fall = drives_by_soc(frame, unseen) & ~driving & ~frame.held_word("charge_state", CHARGING_WORDS)
    driving |= by_fall
    charging, soc_rise = _charging(frame, driving)
    announced = np.where(driving, DRIVE, np.where(charging, CHARGE, IDLE)).astype(np.int64)
    seconds = frame.gap_after
    contact = (seconds <= CONTACT_S) | np.isinf(seconds)
    label = np.where(contact, announced, IDLE)
    label[contact & _stood_in_gap(frame) & (label == DRIVE)] = IDLE
    label[contact & _took_nothing_in_gap(frame) & (label == CHARGE)] = IDLE

    open_gap = np.isfinite(seconds) & (seconds >= INFERRED_MIN_S) & (label == IDLE)
    delta_soc, km = _change_over_gap(frame, "soc_percent"), _change_over_gap(frame, "odometer_km")
    kind, inferred = gap_kind(seconds, delta_soc, km)
    inferred &= open_gap
    next_announced = np.append(announced[1:], IDLE)
    label = np.where(inferred, gap_label(kind, inferred, seconds, announced == kind, next_announced == kind), label)
    return States(
        label=label,
        announced=announced,
        asleep=np.isfinite(seconds) & (seconds > ASLEEP_S),
        inferred=inferred,
        soc_only=~inferred & ((soc_rise & (label == CHARGE)) | (by_fall & (label == DRIVE))),
        power_only=~inferred & by_power & (label == DRIVE),
        gap_soc=delta_soc,
        gap_km=km,
        moved_in_gap=open_gap & ~inferred & (np.nan_to_num(km) >= ODOMETER_OVERRULES_PARK_KM),
        plugged=(frame.held_row("charge_state") != NONE) & ~frame.held_word("charge_state", UNPLUGGED_WORDS),
        unplugged=frame.held_word("charge_state", UNPLUGGED_WORDS),
    )


def _driving(frame: Frame) -> Bools:
    """Gear in D, R or N, or speed above 1 km/h, or the odometer rises; not while it stands for more than 5 minutes."""
    in_gear = frame.held_word("gear", DRIVING_GEARS)
    speed_limit = catalogue().signals["speed_kmh"].fill_driving_s
    moving = np.nan_to_num(frame.held("speed_kmh", speed_limit)) > MOVING_KMH
    rise = _odometer_rise(frame, in_gear | moving)
    says_gear = frame.known("gear") | frame.marked("invalid:gear")
    gear_said = filled_row(says_gear, frame.lost_row, frame.time, frame.groups) != NONE
    rolling = rise >= np.where(gear_said & ~in_gear, ODOMETER_OVERRULES_PARK_KM, ODOMETER_STEP_KM)
    standing = _long_standing(frame, in_gear & ~moving & ~rolling)
    return np.asarray((in_gear & ~standing) | moving | rolling, dtype=bool)


def _odometer_rise(frame: Frame, evident: Bools) -> Floats:
    """For every row the rise between the odometer readings around the interval if it speaks of driving, else 0.

    The two readings lie at most 15 minutes apart, 0.1 km and more, at 3 km/h and more on average. Where gear or speed
    show driving (`evident`) at some row between them, they tell better when it began and ended.
    """
    known = frame.known("odometer_km")
    before = last_valid(known & ~frame.cut, frame.groups)
    before = np.where(before == last_valid(known, frame.groups), before, NONE)
    after = next_row_valid(known, frame.groups)
    km = take(frame.floats("odometer_km"), after, np.nan) - take(frame.floats("odometer_km"), before, np.nan)
    seconds = seconds_between(frame.time, before, after)
    speaks = (km >= ODOMETER_STEP_KM) & (seconds <= CONTACT_S) & (km >= ODOMETER_KMH * seconds / 3600)
    speaks &= ~_cut_between(frame, before, after)
    shown = np.append(0, np.cumsum(evident))
    return np.where(speaks & (evident | (shown[after] == shown[before])), km, 0.0)


def _cut_between(frame: Frame, before: Ints, after: Ints) -> Bools:
    """Whether a cut lies after row `before` and up to row `after`; true where either row is NONE."""
    cuts = np.cumsum(frame.cut)
    return np.asarray((before == NONE) | (after == NONE) | (cuts[after] > cuts[before]), dtype=bool)


def _long_standing(frame: Frame, candidate: Bools) -> Bools:
    """Runs of rows in gear at speed 0 (or with the speed gone invalid) for more than 5 minutes: the P was lost."""
    if not frame.known("speed_kmh").any():
        return np.zeros(frame.rows, dtype=bool)
    said = frame.known("speed_kmh") | frame.marked("invalid:speed_kmh")
    row = filled_row(said, frame.lost_row, frame.time, frame.groups)
    still = candidate & (row != NONE) & ~(take(frame.floats("speed_kmh"), row, np.nan) > MOVING_KMH)
    return _runs_longer_than(frame, still, DRIVE_PAUSE_S)


def _runs_longer_than(frame: Frame, mask: Bools, seconds: float) -> Bools:
    """The runs of true rows whose intervals together last longer than `seconds`."""
    starts = run_starts(frame.groups, mask)
    run = run_of_row(starts, frame.rows)
    interval = np.where(np.isfinite(frame.gap_after), frame.gap_after, 0.0)
    return np.asarray(mask & (sum_runs(interval, run, len(starts))[run] > seconds), dtype=bool)


def _stood_in_gap(frame: Frame) -> Bools:
    """Pauses between two rows longer than 5 minutes over which the odometer is known not to have moved."""
    km = _change_over_gap(frame, "odometer_km")
    return np.asarray((frame.gap_after > DRIVE_PAUSE_S) & (km < ODOMETER_STEP_KM), dtype=bool)


def _took_nothing_in_gap(frame: Frame) -> Bools:
    """Pauses of 5 minutes and more in which a charge at the last power would have shown, but SoC did not rise."""
    kwh = frame.power_held_kw * np.where(np.isfinite(frame.gap_after), frame.gap_after, 0.0) / HOUR_S
    return np.asarray((_change_over_gap(frame, "soc_percent") <= 0) & (kwh >= SHOWS_KWH), dtype=bool)


def _change_over_gap(frame: Frame, name: str) -> Floats:
    """Change of SoC or odometer over each interval of 5 minutes and more, NaN where unknown.

    Before the gap the last reading within its parked fill limit, after it the first within 5 minutes; never over a cut.
    """
    change = np.full(frame.rows, np.nan)
    rows = np.flatnonzero(np.isfinite(frame.gap_after) & (frame.gap_after >= INFERRED_MIN_S))
    if not len(rows):
        return change
    known = frame.known(name)
    before = last_valid(known, frame.groups)[rows]
    after = next_valid(known, frame.groups)[rows + 1]
    limit = catalogue().signals[name].fill_parked_s
    usable = (seconds_between(frame.time, before, rows) <= limit) & ~_cut_between(frame, before, after)
    usable &= seconds_between(frame.time, rows + 1, after) <= AFTER_GAP_S
    values = frame.floats(name)
    change[rows] = np.where(usable, take(values, after, np.nan) - take(values, before, np.nan), np.nan)
    return change


def _charging(frame: Frame, driving: Bools) -> tuple[Bools, Bools]:
    """Charging intervals, and those of which only the rising SoC is known.

    Battery-side evidence decides: power into the pack while parked, or the battery-side counter. The charge state
    counts unless the pack demonstrably takes nothing (a lost "charging ended", a pause). AC power alone proves
    nothing: a car that preconditions on mains draws it without charging.
    """
    state_known = frame.held_row("charge_state") != NONE
    state_on = frame.held_word("charge_state", CHARGING_WORDS)
    power = frame.power_held_kw
    dc_limit = catalogue().signals["charger_dc_power_kw"].fill_parked_s
    dc_on = np.nan_to_num(frame.held("charger_dc_power_kw", dc_limit)) > CHARGE_POWER_KW
    counting = _counter_rises(frame)
    fresh = ~np.isnan(frame.held("pack_current_a", FRESH_S))
    takes_nothing = (power <= NO_POWER_KW) & (fresh | ~counting)
    by_power = _power_into_parked_pack(frame, driving) & ~between_drives(frame, driving)
    by_state = state_on & ~takes_nothing
    by_measure = ~state_known & (dc_on | counting)
    soc_rise = _soc_rises(frame, driving) & ~state_known & np.isnan(power)
    on = (by_state | by_power | by_measure | soc_rise) & ~driving
    return on, soc_rise & ~(by_state | by_power | by_measure) & ~driving


def _power_into_parked_pack(frame: Frame, driving: Bools) -> Bools:
    """More than 0.5 kW into the pack at two consecutive readings, held between them; regeneration needs driving."""
    power = frame.power_kw
    reading = ~np.isnan(power)
    strong = reading & (power > CHARGE_POWER_KW) & ~driving
    before = last_before(reading, frame.groups)
    after = next_row_valid(reading, frame.groups)
    confirmed = strong & ((take(strong, before, 0.0) == 1) | (take(strong, after, 0.0) == 1))
    row = filled_row(reading, frame.stopped("invalid:pack_current_a"), frame.time, frame.groups)
    return np.asarray(take(confirmed, row, 0.0) == 1, dtype=bool)


def _counter_rises(frame: Frame) -> Bools:
    """Intervals between two readings of the battery-side counter, at most 15 minutes apart, over which it rose."""
    known = frame.known("charge_energy_kwh")
    if not known.any():
        return np.zeros(frame.rows, dtype=bool)
    before, after = last_valid(known, frame.groups), next_row_valid(known, frame.groups)
    values = frame.floats("charge_energy_kwh")
    rise = take(values, after, np.nan) - take(values, before, np.nan)
    near = seconds_between(frame.time, before, after) <= CONTACT_S
    return np.asarray(near & (rise >= COUNTER_STEP_KWH), dtype=bool)


def _soc_rises(frame: Frame, driving: Bools) -> Bools:
    """Intervals over which SoC rises from one of its changes to the next, at most 1 h apart, while the car stands.

    For feeds without charge state and current. The first step of a rise starts somewhere after the last change: it is
    given the length of the step that follows, at most 15 minutes without one. A rise that reaches the last minutes of
    the day goes on for as long as its last step took.
    """
    known = np.flatnonzero(frame.known("soc_percent"))
    if len(known) < 2:
        return np.zeros(frame.rows, dtype=bool)
    soc, groups = frame.floats("soc_percent")[known], Groups.of(frame.vehicle[known])
    change = run_starts(groups, soc)
    rows, first = known[change], groups.first[change]
    same = np.append(False, first[1:] == first[:-1])
    seconds = np.where(same, np.diff(frame.time[rows], prepend=0) / 1e6, np.inf)
    drives = np.append(0, np.cumsum(driving))[rows]
    up = same & (np.diff(soc[change], prepend=np.inf) > 0) & (np.diff(drives, prepend=-1) == 0)
    up &= (seconds <= SOC_RISE_S) & ~frame.cut[rows]
    next_up = np.append(up[1:], False)
    first_step = up & ~np.append(False, up[:-1])
    next_length = np.where(next_up, np.append(seconds[1:], 0.0), SOC_FIRST_STEP_S)
    length = np.where(first_step, np.minimum(seconds, next_length), seconds)

    is_change = np.zeros(frame.rows, dtype=bool)
    is_change[rows] = True
    step_length = np.full(frame.rows, -1.0)
    step_length[rows] = np.where(up, length, -1.0)
    here = np.arange(frame.rows)
    ahead, behind = next_row_valid(is_change, frame.groups), last_valid(is_change, frame.groups)
    rising = seconds_between(frame.time, here, ahead) <= take(step_length, ahead, -1.0)
    goes_on = seconds_between(frame.time, behind, here) <= take(step_length, behind, -1.0)
    driven = np.append(0, np.cumsum(driving))
    goes_on &= (ahead == NONE) & (driven[behind] == driven[here + 1]) & _reaches_midnight(frame)
    return np.asarray((rising | goes_on) & ~_odometer_moves(frame), dtype=bool)


def _reaches_midnight(frame: Frame) -> Bools:
    """Whether the vehicle of each row still sends within 15 minutes of the end of the day."""
    return np.asarray(DAY_US - frame.time[frame.groups.last] % DAY_US <= CONTACT_S * 1e6, dtype=bool)


def _odometer_moves(frame: Frame) -> Bools:
    """Intervals between two odometer readings more than 0.2 km apart."""
    known = frame.known("odometer_km")
    before, after = last_valid(known, frame.groups), next_row_valid(known, frame.groups)
    values = frame.floats("odometer_km")
    return np.asarray(take(values, after, np.nan) - take(values, before, np.nan) > STANDING_KM, dtype=bool)

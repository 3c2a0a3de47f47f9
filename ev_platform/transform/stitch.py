"""Stitch: day pieces (SEGMENTS) of several days → sessions (SESSIONS) that do not end at midnight.

Belongs here: joining over midnight, by the same rules as within a day (segment_rules.py). The columns of an item are in
stitch_items.py, the figures of a session in stitch_figures.py. Pure: any set of whole vehicles.

How: between the last piece of a day and the first piece of the next one there is a time without any row. It becomes an
item of its own and is judged as a gap within a day is: a drive or charge that goes on, a charge or drive inferred from
what SoC and odometer did, or (asleep) idling. Then equal neighbours join, pauses merge, and what is too small is idle.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas import SESSIONS
from ev_platform.signals import catalogue
from ev_platform.transform.segment_rules import (
    ASLEEP_S,
    CHARGE,
    CHARGE_PAUSE_PLUGGED_S,
    CONTACT_S,
    DAY_US,
    DRIVE,
    DRIVE_PAUSE_S,
    IDLE,
    INFERRED_MIN_S,
    KIND_OF,
    PLUGGED,
    UNPLUGGED,
    Runs,
    gap_kind,
    gap_label,
    kept,
    merge_pauses,
)
from ev_platform.transform.series import Bools, Groups, Ints, run_of_row, run_starts
from ev_platform.transform.stitch_figures import Sessions, session_table
from ev_platform.transform.stitch_items import Items, between, items_of

STOOD_KM = 0.1
INTEGER_TOLERANCE = 1.0


def stitch(pieces: pa.Table, vehicles: pa.Table | None = None) -> pa.Table:
    """Sessions of the pieces of any days of any set of whole vehicles.

    Args:
        pieces: schema SEGMENTS, in any order. Only days that follow each other are joined.
        vehicles: schema VEHICLES; with it a charge inferred over midnight gets an energy from its rise of SoC.

    Returns:
        SESSIONS, sorted by vin, start. They tile a vehicle's time from its first to its last row over days without a
        missing day between. `session_id` = hash of vin, kind and start. `n_pieces` is 0 for a time between the rows of
        two days that joined neither side. A day without drive and charge does not pass idling on: an idle session
        that comes into or out of it ends at the first row of the later day, so none grows without bound.
    """
    if pieces.num_rows == 0:
        return SESSIONS.empty_table()
    days, vins = items_of(pieces, vehicles)
    items = _with_gaps(days)
    label = _merged(items)
    number = _numbers(items, label)
    label = np.where(_kept(items, label, number)[number], label, IDLE)
    return session_table(items, vins, label, _numbers(items, label))


def links(pieces: pa.Table, next_pieces: pa.Table) -> set[str]:
    """Vehicles with a session that crosses the midnight between two days that follow each other: all seen on both."""
    return set(pieces["vin"].unique().to_pylist()) & set(next_pieces["vin"].unique().to_pylist())


def passes_through(pieces: pa.Table) -> set[str]:
    """Vehicles of which one session may run through this whole day, from before it to after it.

    For all others the sessions that start on a day need the pieces of the day before and the day after, no more. A
    superset: left out are vehicles that idle for longer than any pause, or both drive and charge for longer than that.
    """
    items, vins = items_of(pieces, None)
    long = (items.end - items.start) / 1e6 > CHARGE_PAUSE_PLUGGED_S
    seen = {kind: np.bincount(items.vehicle[long & (items.kind == kind)], minlength=len(vins)) > 0 for kind in range(3)}
    stopped = seen[IDLE] | (seen[DRIVE] & seen[CHARGE])
    moved = np.bincount(items.vehicle[items.kind != IDLE], minlength=len(vins)) > 0
    return {vin for vin, may in zip(vins, (moved & ~stopped).tolist(), strict=True) if may}


def _with_gaps(items: Items) -> Items:
    """The items and, after each last piece of a day that is followed by one of the next day, the time between them."""
    day = items.start // DAY_US
    next_day = np.zeros(items.rows, dtype=bool)
    next_day[:-1] = (items.vehicle[1:] == items.vehicle[:-1]) & (day[1:] == day[:-1] + 1)
    before = np.flatnonzero(next_day)
    gaps = between(items, before, *_gap_labels(items, before))
    places = np.concatenate([np.arange(items.rows) * 2, before * 2 + 1])
    joined = items.with_others(gaps, np.argsort(places, kind="stable"))
    joined.samples[np.flatnonzero(joined.gap) - 1] -= 1
    _moments_take_sleep(joined)
    return joined


def _gap_labels(items: Items, before: Ints) -> tuple[Ints, Bools, Bools]:
    """Label, asleep and inferred of the times after the items `before`, as within a day."""
    after = before + 1
    seconds = (items.start[after] - items.end[before]) / 1e6
    delta_soc = items.soc_start[after] - items.soc_end[before]
    km = items.odometer_start[after] - items.odometer_end[before]
    soc = catalogue().signals["soc_percent"]
    rate = np.where(delta_soc > 0, soc.max_rise_per_h or 0.0, soc.max_fall_per_h or 0.0)
    feasible = np.abs(delta_soc) <= rate * seconds / 3600 + soc.step_tolerance + INTEGER_TOLERANCE
    kind, inferred = gap_kind(seconds, np.where(feasible, delta_soc, np.nan), km)
    goes_on = (seconds <= CONTACT_S) & items.open_end[before] & (items.kind[before] != IDLE)
    goes_on &= ~((items.kind[before] == DRIVE) & (seconds > DRIVE_PAUSE_S) & (km < STOOD_KM))
    inferred &= ~goes_on & (seconds >= INFERRED_MIN_S)
    on_before = items.open_end[before] & (items.label[before] == kind)
    label = gap_label(kind, inferred, seconds, on_before, items.label[after] == kind)
    label = np.where(goes_on, items.kind[before], np.where(inferred, label, IDLE))
    return label, (label == IDLE) & (seconds > ASLEEP_S), inferred


def _moments_take_sleep(items: Items) -> None:
    """A piece without length that turns out to be idle sleeps as the time after it (or before it) does."""
    for i in np.flatnonzero(items.start == items.end).tolist():
        for other in (i + 1, i - 1):
            if 0 <= other < items.rows and items.vehicle[other] == items.vehicle[i] and items.gap[other]:
                items.asleep[i] = items.asleep[other]
                break


def _cuts(items: Items, label: Ints) -> Ints:
    """Number of the stretch between places where nothing may join: jumps, missing days, idle days."""
    cut = np.zeros(items.rows, dtype=bool)
    jump = items.said("soc_jump") | items.said("odometer_jump")
    cut[1:] = (items.end[:-1] != items.start[1:]) | (jump[:-1] & jump[1:])
    into_day = items.gap[:-1] & (label[:-1] == IDLE) & (label[1:] == IDLE)
    idle_before = np.append(False, items.idle_day[:-2]) if items.rows > 1 else into_day
    cut[1:] |= into_day & (items.idle_day[1:] | idle_before)
    return np.cumsum(cut, dtype=np.int64)


def _numbers(items: Items, label: Ints) -> Ints:
    """Number of the session that each item belongs to."""
    asleep = items.asleep & (label == IDLE)
    return run_of_row(run_starts(Groups.of(items.vehicle), label, asleep, _cuts(items, label)), items.rows)


def _merged(items: Items) -> Ints:
    """Label of each item after pauses have been taken into the drive or charge around them."""
    s = Sessions.of(items, items.label, _numbers(items, items.label))
    runs = Runs(
        vehicle=items.vehicle[s.first],
        label=s.label,
        start=items.start[s.first],
        end=items.end[s.last],
        cut=_cuts(items, items.label)[s.first],
        plugged=s.some(items.said(PLUGGED)),
        unplugged=s.some(items.said(UNPLUGGED)),
    )
    return merge_pauses(runs)[s.number]


def _kept(items: Items, label: Ints, number: Ints) -> Bools:
    """Which sessions are large enough to be the drive or charge that they are."""
    s = Sessions.of(items, label, number)
    soc_start, soc_end, _, _ = s.ends()
    by_soc = items.said("soc_rise_only") | items.said("soc_fall_only")
    more_than_soc = (items.kind == KIND_OF[label]) & ~items.gap & ~by_soc
    soc_only = s.some(by_soc) & ~s.some(more_than_soc)
    return kept(s.kind, s.seconds, s.distance(), soc_start, soc_end, s.energy()[0], soc_only)

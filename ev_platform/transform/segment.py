"""Segment: cleaned rows of one day → pieces of charging, driving and idling (schema SEGMENTS).

Belongs here: the kernel's entry, from labels to pieces, what is kept at midnight. Evidence is in segment_states.py,
limits in segment_rules.py, figures in segment_measure.py, the rows of the result in segment_table.py. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas import SEGMENTS
from ev_platform.transform import arrow
from ev_platform.transform.segment_frame import SEGMENT_COLUMNS, Frame, one_provider
from ev_platform.transform.segment_measure import Measures, Pieces
from ev_platform.transform.segment_rules import (
    CHARGE_PAUSE_PLUGGED_S,
    DAY_US,
    DRIVE,
    DRIVE_PAUSE_S,
    IDLE,
    KIND_OF,
    Runs,
    kept,
    merge_pauses,
)
from ev_platform.transform.segment_states import States, states
from ev_platform.transform.segment_table import piece_table, soc_only
from ev_platform.transform.series import Bools, Floats, Ints, count_runs, run_of_row, run_starts


def segment(cleaned: pa.Table, day: str, vehicles: pa.Table) -> pa.Table:
    """Cut one day of any set of whole vehicles into pieces.

    Args:
        cleaned: schema `signals.cleaned_schema()`, or at least `SEGMENT_COLUMNS` of it; rows of other days than `day`
            are not looked at.
        day: YYYY-MM-DD, UTC.
        vehicles: schema `lake.schemas.VEHICLES`: preferred provider, usable capacity.

    Returns:
        SEGMENTS, sorted by vin, start. A vehicle's pieces tile the time from its first to its last row of the day,
        half-open; where the last row announces another state than the piece before it had (or is the only row), a piece
        of zero length says so. `open_start` / `open_end`: the piece is the first / last of the day, so that what lies
        beyond midnight may belong to it; stitching decides. A drive or charge too small to be kept stays if it could be
        part of a larger one over midnight.
    """
    midnight = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1_000_000)
    cleaned = _rows_of_day(cleaned.select(SEGMENT_COLUMNS), midnight)
    if cleaned.num_rows == 0:
        return SEGMENTS.empty_table()
    frame = Frame(one_provider(cleaned, vehicles))
    usable_kwh = _usable(frame, vehicles)
    found = states(frame)
    label = _merged(frame, found)
    pieces = _pieces(frame, label, found.asleep & (label == IDLE))
    measures = Measures(frame, pieces, usable_kwh)
    keep = _kept(frame, found, pieces, measures, midnight)
    if not keep.all():
        label = np.where(keep[measures.run], label, IDLE)
        pieces = _pieces(frame, label, found.asleep & (label == IDLE))
        measures = Measures(frame, pieces, usable_kwh)
    return piece_table(frame, found, pieces, measures, midnight)


def _rows_of_day(cleaned: pa.Table, midnight: int) -> pa.Table:
    time = arrow.ints(cleaned["time"])
    inside = (time >= midnight) & (time < midnight + DAY_US)
    return cleaned if inside.all() else arrow.take(cleaned, np.flatnonzero(inside))


def _usable(frame: Frame, vehicles: pa.Table) -> Floats:
    """Usable capacity when new of each vehicle of the frame, NaN where the registry does not know."""
    known = dict(zip(vehicles["vin"].to_pylist(), vehicles["usable_new_kwh"].to_pylist(), strict=True))
    return np.array([known.get(vin) or np.nan for vin in frame.vins], dtype=np.float64)


def _merged(frame: Frame, found: States) -> Ints:
    """Labels after short pauses have joined the drive or charge around them.

    The last row of a vehicle begins no interval; its label is what it announces.
    """
    label = found.label
    cut = np.cumsum(frame.cut, dtype=np.int64)
    starts = run_starts(frame.groups, label, cut)
    run = run_of_row(starts, frame.rows)
    ends = np.minimum(np.append(starts[1:], frame.rows), frame.groups.last[starts])
    runs = Runs(
        vehicle=frame.vehicle[starts],
        label=label[starts],
        start=frame.time[starts],
        end=frame.time[ends],
        cut=cut[starts],
        plugged=count_runs(found.plugged, run, len(starts)) > 0,
        unplugged=count_runs(found.unplugged, run, len(starts)) > 0,
    )
    return merge_pauses(runs)[run]


def _pieces(frame: Frame, label: Ints, asleep: Bools) -> Pieces:
    """Runs of equal label and sleep between cuts.

    A run that begins at a vehicle's very last row has no length: it is a piece only for what that row announces.
    """
    asleep = asleep.copy()
    last = np.flatnonzero(frame.groups.last == np.arange(frame.rows))
    last = last[frame.groups.first[last] != last]
    asleep[last] = asleep[last - 1] & (label[last] == label[last - 1])
    first = run_starts(frame.groups, label, asleep, np.cumsum(frame.cut))
    same_label = label[first] == label[np.maximum(first - 1, 0)]
    first = first[(frame.groups.last[first] != first) | (frame.groups.first[first] == first) | ~same_label]
    following = np.append(first[1:], frame.rows)
    end = np.minimum(following, frame.groups.last[first])
    return Pieces(first, end, KIND_OF[label[first]], asleep[first], following > frame.groups.last[first])


def _kept(frame: Frame, found: States, pieces: Pieces, measures: Measures, midnight: int) -> Bools:
    """Pieces that are large enough, or of which another part may lie beyond midnight."""
    keep = kept(
        pieces.kind,
        measures.seconds,
        measures.distance_km,
        measures.soc_start,
        measures.soc_end,
        measures.energy_kwh,
        soc_only(found, measures),
    )
    start, end = frame.time[pieces.first], frame.time[pieces.end]
    reach = np.where(pieces.kind == DRIVE, DRIVE_PAUSE_S, CHARGE_PAUSE_PLUGGED_S) * 1e6
    near = (start - midnight <= reach) | (midnight + DAY_US - end <= reach)
    return np.asarray(keep | near | pieces.last_of_vehicle, dtype=bool)

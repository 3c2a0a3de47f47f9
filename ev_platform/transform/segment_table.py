"""Rows of the SEGMENTS table: open ends, reasons and confidence, and every figure in its column.

Belongs here: what is said about a piece. Not here: how a figure is computed (segment_measure.py). Pure.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas import SEGMENTS, TIME
from ev_platform.signals import catalogue
from ev_platform.transform import arrow
from ev_platform.transform.segment_frame import Frame
from ev_platform.transform.segment_measure import METHODS, NO_ENERGY, SOC, Measures, Pieces
from ev_platform.transform.segment_rules import (
    CHARGE,
    CONTACT_S,
    DAY_US,
    DRIVE,
    FEW_SAMPLES,
    IDLE,
    KIND_OF,
    KINDS,
    LONG_GAP_S,
    PLUGGED,
    UNPLUGGED,
    confidence,
    nothing_missed,
)
from ev_platform.transform.segment_states import States
from ev_platform.transform.series import Bools, Floats, Ints


def soc_only(found: States, measures: Measures) -> Bools:
    """Charges and drives of which nothing but the rise or fall of SoC is known."""
    own: Bools = KIND_OF[found.label] == measures.pieces.kind[measures.run]
    active = measures.pieces.kind != IDLE
    other = measures.any_in_piece(own & ~found.soc_only)
    return np.asarray(measures.any_in_piece(own & found.soc_only) & ~other & active, dtype=bool)


def piece_table(frame: Frame, found: States, pieces: Pieces, measures: Measures, midnight: int) -> pa.Table:
    """SEGMENTS rows of the pieces."""
    notes = _notes(frame, found, pieces, measures, midnight)
    reasons: list[list[str]] = [[] for _ in range(pieces.count)]
    for name, mask in notes.items():
        for piece in np.flatnonzero(mask).tolist():
            reasons[piece].append(name)
    truncated = notes["inferred"] | notes["begin_not_seen"] | notes["end_not_seen"]
    limits = catalogue().signals
    outside = measures.mean_in_piece(frame.floats("outside_temp_c"), limits["outside_temp_c"].fill_parked_s)
    battery = measures.mean_in_piece(_battery_temp(frame), limits["battery_temp_max_c"].fill_parked_s)
    columns = {
        "vin": arrow.from_codes(frame.vehicle[pieces.first], frame.vins),
        "kind": arrow.from_codes(pieces.kind, KINDS),
        "asleep": arrow.from_bools(pieces.asleep),
        "start": arrow.from_ints(frame.time[pieces.first], TIME),
        "end": arrow.from_ints(frame.time[pieces.end], TIME),
        "open_start": arrow.from_bools(frame.groups.first[pieces.first] == pieces.first),
        "open_end": arrow.from_bools(pieces.last_of_vehicle),
        "soc_start": arrow.from_floats(measures.soc_start),
        "soc_end": arrow.from_floats(measures.soc_end),
        "energy_kwh": arrow.from_floats(measures.energy_kwh),
        "energy_method": arrow.from_codes(measures.energy_method, METHODS),
        "energy_method_reason": arrow.from_words(measures.energy_reason),
        "distance_km": arrow.from_floats(measures.distance_km),
        "odometer_start_km": arrow.from_floats(measures.odometer_start),
        "odometer_end_km": arrow.from_floats(measures.odometer_end),
        "outside_temp_mean_c": arrow.from_floats(outside),
        "battery_temp_mean_c": arrow.from_floats(battery),
        "power_mean_kw": arrow.from_floats(measures.power_mean_kw),
        "power_max_kw": arrow.from_floats(measures.power_peak_kw),
        "charge_type": arrow.from_words(charge_types(np.where(pieces.kind == CHARGE, measures.is_dc(), np.nan))),
        "inferred": arrow.from_bools(notes["inferred"]),
        "truncated": arrow.from_bools(truncated),
        "n_samples": arrow.from_ints(measures.samples()),
        "gap_seconds": arrow.from_floats(measures.longest_gap_s()),
        "confidence": arrow.from_floats(np.array([confidence(set(names)) for names in reasons])),
        "reasons": arrow.from_lists([len(names) for names in reasons], arrow.from_words(chain.from_iterable(reasons))),
    }
    return pa.table([columns[name] for name in SEGMENTS.names], schema=SEGMENTS)


def charge_types(dc: Floats) -> list[str | None]:
    """Text for 1 (dc), 0 (ac), NaN (null)."""
    return [None if np.isnan(value) else "dc" if value else "ac" for value in dc.tolist()]


def _battery_temp(frame: Frame) -> Floats:
    """Middle of the hottest and the coldest thermistor, or the one that is known."""
    both = np.stack([frame.floats("battery_temp_max_c"), frame.floats("battery_temp_min_c")])
    known = (~np.isnan(both)).sum(axis=0)
    return np.where(known > 0, np.nansum(both, axis=0) / np.maximum(known, 1), np.nan)


def _whole(found: States, pieces: Pieces, gap: Ints) -> Bools:
    """Whether nothing of a piece was missed over the interval that begins at row `gap`."""
    return nothing_missed(pieces.kind, found.gap_soc[gap], found.gap_km[gap])


def _notes(frame: Frame, found: States, pieces: Pieces, measures: Measures, midnight: int) -> dict[str, Bools]:
    """What is to be said about each piece, by reason (segment_rules.PENALTIES; the plug notes carry no penalty).

    A drive or charge within 15 minutes of midnight may go on beyond it: that its end was not seen is for stitching.
    """
    active = pieces.kind != IDLE
    observed = measures.any_in_piece((found.label == pieces.kind[measures.run]) & ~found.inferred)
    inferred = active & ~observed
    seen = active & ~inferred
    gap = np.maximum(pieces.first - 1, 0)
    lost_before = frame.contact_lost[pieces.first] & ~_whole(found, pieces, gap)
    lost_after = pieces.last_of_vehicle | (frame.gap_after[pieces.end] > CONTACT_S)
    lost_after &= ~_whole(found, pieces, pieces.end)
    still_on = found.announced[pieces.end] == pieces.kind
    start, end = frame.time[pieces.first] - midnight, midnight + DAY_US - frame.time[pieces.end]
    goes_back = (frame.groups.first[pieces.first] == pieces.first) & (start <= CONTACT_S * 1e6)
    goes_on = pieces.last_of_vehicle & (end <= CONTACT_S * 1e6)
    known_by_soc = soc_only(found, measures)
    stuck = frame.marked("stuck:soc_percent") | frame.marked("stuck:odometer_km")

    def jump(name: str) -> Bools:
        rows = frame.marked(f"jump:{name}")
        return np.asarray(rows[pieces.first] | (rows[pieces.end] & ~pieces.last_of_vehicle), dtype=bool)

    return {
        "inferred": inferred,
        "telemetry_gap": seen & (measures.longest_gap_s() > LONG_GAP_S),
        "begin_not_seen": seen & lost_before & ~goes_back,
        "end_not_seen": seen & lost_after & still_on & ~goes_on,
        "soc_jump": jump("soc_percent"),
        "odometer_jump": jump("odometer_km"),
        "stuck_signal": measures.any_in_piece(stuck),
        "soc_unknown": np.isnan(measures.delta_soc),
        "odometer_unknown": np.isnan(measures.distance_km) & (pieces.kind == DRIVE),
        "energy_from_soc": active & (measures.energy_method == METHODS.index(SOC)),
        "energy_unknown": active & (measures.energy_method == METHODS.index(NO_ENERGY)),
        "soc_rise_only": known_by_soc & (pieces.kind == CHARGE),
        "soc_fall_only": known_by_soc & (pieces.kind == DRIVE),
        "power_only": measures.any_in_piece(found.power_only) & (pieces.kind == DRIVE),
        "few_samples": seen & (measures.samples() < FEW_SAMPLES),
        "moved_in_gap": measures.any_in_piece(found.moved_in_gap) & ~active,
        PLUGGED: ~active & measures.any_in_piece(found.plugged),
        UNPLUGGED: ~active & measures.any_in_piece(found.unplugged),
    }

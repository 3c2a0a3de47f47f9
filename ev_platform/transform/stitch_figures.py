"""Figures of sessions: sums, ends, worst evidence, reasons and confidence over the items that make a session.

Belongs here: the columns of SESSIONS. Not here: which items make a session (stitch.py). Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas import SESSIONS, TIME
from ev_platform.transform.arrow import from_floats
from ev_platform.transform.segment_measure import METHODS, NO_ENERGY, SOC
from ev_platform.transform.segment_rules import (
    CONTACT_S,
    DRIVE,
    FEW_SAMPLES,
    IDLE,
    KIND_OF,
    KINDS,
    LONG_GAP_S,
    PENALTIES,
    confidence,
    nothing_missed,
)
from ev_platform.transform.segment_table import charge_types
from ev_platform.transform.series import Bools, Floats, Ints, max_runs, sum_runs
from ev_platform.transform.stitch_items import Items, Texts

ID_LENGTH = 24
DECIDING_SHARE = 0.1
RECOMPUTED = frozenset(
    {
        *("inferred", "telemetry_gap", "begin_not_seen", "end_not_seen", "soc_unknown", "odometer_unknown"),
        *("energy_from_soc", "energy_unknown", "few_samples"),
    }
)
"""Reasons that are judged for the whole session; the others are taken over from its pieces."""
OF_IDLE = frozenset({"soc_jump", "odometer_jump", "stuck_signal", "moved_in_gap"})


def session_id(vin: str, kind: str, start_us: int) -> str:
    """Stable id of a session: the same vehicle, kind and start give the same id, whatever else changes."""
    return hashlib.sha256(f"{vin}|{kind}|{start_us}".encode()).hexdigest()[:ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Items grouped into sessions: label of each session, number of each item's session, its first and last item."""

    items: Items
    label: Ints
    number: Ints
    first: Ints
    last: Ints

    @staticmethod
    def of(items: Items, label: Ints, number: Ints) -> Sessions:
        """Sessions of items that are numbered in order; `label` per item, as it is by now."""
        first = np.flatnonzero(np.diff(number, prepend=-1))
        return Sessions(items, label[first], number, first, np.append(first[1:], len(number)) - 1)

    @property
    def kind(self) -> Ints:
        """Kind of each session."""
        return np.asarray(KIND_OF[self.label], dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of sessions."""
        return len(self.first)

    @property
    def seconds(self) -> Floats:
        """Duration of each session."""
        return np.asarray((self.items.end[self.last] - self.items.start[self.first]) / 1e6, dtype=np.float64)

    def total(self, values: Floats) -> Floats:
        """Sum of the known values; NaN without any."""
        known = ~np.isnan(values)
        sums = sum_runs(np.where(known, values, 0.0), self.number, self.count)
        return np.where(self.some(known), sums, np.nan)

    def some(self, mask: Bools) -> Bools:
        """Whether the mask is true for any item."""
        return np.asarray(sum_runs(mask.astype(np.float64), self.number, self.count) > 0, dtype=bool)

    def first_known(self, values: Floats) -> Floats:
        """First known value of each session."""
        known = np.flatnonzero(~np.isnan(values))
        number, at = np.unique(self.number[known], return_index=True)
        out = np.full(self.count, np.nan)
        out[number] = values[known[at]]
        return out

    def last_known(self, values: Floats) -> Floats:
        """Last known value of each session."""
        known = np.flatnonzero(~np.isnan(values))[::-1]
        number, at = np.unique(self.number[known], return_index=True)
        out = np.full(self.count, np.nan)
        out[number] = values[known[at]]
        return out

    def mean(self, values: Floats) -> Floats:
        """Mean of the known values weighted by duration."""
        seconds = np.where(np.isnan(values), 0.0, np.maximum((self.items.end - self.items.start) / 1e6, 1e-6))
        weight = sum_runs(seconds, self.number, self.count)
        weighted = sum_runs(np.nan_to_num(values) * seconds, self.number, self.count)
        return np.where(weight > 0, weighted / np.where(weight > 0, weight, 1.0), np.nan)

    def ends(self) -> tuple[Floats, Floats, Floats, Floats]:
        """SoC and odometer at start and end."""
        i = self.items
        return (
            self.first_known(i.soc_start),
            self.last_known(i.soc_end),
            self.first_known(i.odometer_start),
            self.last_known(i.odometer_end),
        )

    def distance(self) -> Floats:
        """Odometer difference, or the sum of what the items know."""
        _, _, start, end = self.ends()
        return np.where(np.isnan(end - start), self.total(self.items.km), end - start)

    def energy(self) -> tuple[Floats, Ints, Texts]:
        """Sum of the items' energies, the worst method among them and its reason.

        Items that make less than 10 % of the session's time do not decide the method. One without an energy that does
        leaves SoC × capacity of the whole session, or none.
        """
        items = self.items
        counts = (items.end - items.start) / 1e6 >= DECIDING_SHARE * self.seconds[self.number]
        method = np.zeros(self.count, dtype=np.int64)
        np.maximum.at(method, self.number[counts], items.method[counts])
        kwh = sum_runs(np.nan_to_num(items.kwh), self.number, self.count)
        incomplete = method == METHODS.index(NO_ENERGY)
        soc_start, soc_end, _, _ = self.ends()
        by_soc = (soc_end - soc_start) / 100 * items.usable_kwh[self.first]
        kwh = np.where(incomplete, by_soc, kwh)
        rescued = incomplete & ~np.isnan(by_soc)
        worst = np.flatnonzero(counts & (items.method == method[self.number]))
        number, at = np.unique(self.number[worst], return_index=True)
        why = np.empty(self.count, dtype=object)
        why[number] = items.why_method[worst[at]]
        why[rescued] = "a part of the session has no energy of its own"
        return kwh, np.where(rescued, METHODS.index(SOC), method), why


def session_table(items: Items, vins: list[str], label: Ints, number: Ints) -> pa.Table:
    """SESSIONS rows."""
    s = Sessions.of(items, label, number)
    soc_start, soc_end, odometer_start, odometer_end = s.ends()
    kwh, method, why = s.energy()
    notes = _notes(s, soc_end - soc_start, method)
    reasons = _reasons(s, notes)
    start = items.start[s.first]
    vin = [vins[v] for v in items.vehicle[s.first].tolist()]
    kinds = [KINDS[k] for k in s.kind.tolist()]
    columns = {
        "session_id": [session_id(*key) for key in zip(vin, kinds, start.tolist(), strict=True)],
        "vin": vin,
        "kind": kinds,
        "asleep": items.asleep[s.first] & (s.kind == IDLE),
        "start": pa.array(start).cast(TIME),
        "end": pa.array(items.end[s.last]).cast(TIME),
        "soc_start": from_floats(soc_start),
        "soc_end": from_floats(soc_end),
        "energy_kwh": from_floats(kwh),
        "energy_method": [METHODS[m] for m in method.tolist()],
        "energy_method_reason": why.tolist(),
        "distance_km": from_floats(s.distance()),
        "odometer_start_km": from_floats(odometer_start),
        "odometer_end_km": from_floats(odometer_end),
        "outside_temp_mean_c": from_floats(s.mean(items.outside)),
        "battery_temp_mean_c": from_floats(s.mean(items.battery)),
        "power_mean_kw": from_floats(s.mean(items.power_mean)),
        "power_max_kw": from_floats(max_runs(items.power_max, s.first)),
        "charge_type": charge_types(np.where(s.kind == KINDS.index("charge"), max_runs(items.dc, s.first), np.nan)),
        "inferred": notes["inferred"],
        "truncated": notes["inferred"] | notes["begin_not_seen"] | notes["end_not_seen"],
        "n_samples": sum_runs(items.samples.astype(np.float64), number, s.count).astype(np.int64),
        "gap_seconds": max_runs(items.gap_s, s.first),
        "confidence": [confidence(set(names)) for names in reasons],
        "reasons": reasons,
        "n_pieces": np.bincount(number[~items.gap], minlength=s.count).astype(np.int32),
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in SESSIONS], schema=SESSIONS)


def _notes(s: Sessions, delta_soc: Floats, method: Ints) -> dict[str, Bools]:
    """Reasons that are judged for the session as a whole."""
    items, active = s.items, s.kind != IDLE
    own = items.kind == s.kind[s.number]
    inferred = active & ~s.some(own & ~items.inferred)
    seen = active & ~inferred
    samples = sum_runs(items.samples.astype(np.float64), s.number, s.count)
    return {
        "inferred": inferred,
        "telemetry_gap": seen & (max_runs(items.gap_s, s.first) > LONG_GAP_S),
        "begin_not_seen": seen & _edge_unseen(s, s.first, -1),
        "end_not_seen": seen & _edge_unseen(s, s.last, 1),
        "soc_unknown": np.isnan(delta_soc),
        "odometer_unknown": np.isnan(s.distance()) & (s.kind == DRIVE),
        "energy_from_soc": active & (method == METHODS.index(SOC)),
        "energy_unknown": active & (method == METHODS.index(NO_ENERGY)),
        "few_samples": seen & (samples < FEW_SAMPLES),
    }


def _edge_unseen(s: Sessions, edge: Ints, step: int) -> Bools:
    """Whether the true begin (`step` -1) or end (1) of sessions, at the items `edge`, was not seen.

    Within a day the piece says so. Where the piece begins or ends its day in that state, the time between the days
    decides: it was short, or nothing of the session was missed in it; without a next day nobody saw it.
    """
    items = s.items
    said = items.said("begin_not_seen" if step < 0 else "end_not_seen")[edge]
    unseen = said | (items.open_start if step < 0 else items.open_end)[edge]
    other = edge + step
    inside = (other >= 0) & (other < items.rows)
    at = np.where(inside, other, 0)
    between_days = inside & (items.vehicle[at] == items.vehicle[edge]) & items.gap[at]
    whole = nothing_missed(s.kind, items.soc_end[at] - items.soc_start[at], items.km[at])
    return np.asarray(unseen & ~(between_days & (whole | (items.gap_s[at] <= CONTACT_S))), dtype=bool)


def _reasons(s: Sessions, notes: dict[str, Bools]) -> list[list[str]]:
    """Reasons of each session, in the order of segment_rules.PENALTIES."""
    order = {name: i for i, name in enumerate(PENALTIES)}
    found: list[set[str]] = [set() for _ in range(s.count)]
    for number, names in zip(s.number.tolist(), s.items.reasons.tolist(), strict=True):
        allowed = OF_IDLE if s.kind[number] == IDLE else order.keys() - RECOMPUTED
        found[number] |= allowed & set(names)
    for name, mask in notes.items():
        for number in np.flatnonzero(mask).tolist():
            found[number].add(name)
    return [sorted(names, key=order.__getitem__) for names in found]

"""The rules of cleaning and the reasons of segments, by the names that tables and counts use: what each one means.

Belongs here: one sentence per name, and its page under docs/rules. Not here: the rules themselves. Pure.
"""

from __future__ import annotations

CLEANING: dict[str, str] = {
    "unmapped": "the provider's signal has no canonical one in the catalogue: it stays in compressed",
    "invalid": "the provider says that it does not know the value: null, and no older value stands in for it",
    "missing": "sent without a value: null, and no older value stands in for it",
    "unparsed": "sent in a form that could not be read: null",
    "empty": "a record without data",
    "unreadable": "no number (or no true and false) in it: null",
    "not_finite": "NaN or infinite: null, and no older value stands in for it",
    "sentinel": "a number or word by which this feed means that it is not available: null",
    "unknown_unit": "sent in a unit that does not become the canonical one: null",
    "unknown_word": "a word outside the vocabulary: null, and no older word stands in for it",
    "repeat": "sent again with the same value: counted once",
    "superseded": "sent again for the same time with another value: the last to arrive counts",
    "range": "outside of what is physically possible: null",
    "energy_above_capacity": "more energy than 1.15 times the usable capacity when new: null",
    "voltage_level": "below 0.52 or above 1.35 of the day's median voltage: null",
    "reversed": "the current runs against SoC all day: its sign was turned",
    "power_range": "voltage times current is a power that no pack gives (500 kW) or takes (350 kW): null",
    "soc_zero": "a SoC of 0 that means missing: the battery is not near empty",
    "stale_head": "after a gap the old values were sent once more, then the true ones: the row was dropped",
    "spike": "one value that can neither follow from the one before nor lead to the next: null",
    "odometer_decrease": "an odometer never falls: the fewest readings that contradict were nulled",
    "jump": "steeper than a vehicle can change: kept and flagged, segments are cut before it",
    "stuck": "unchanged while power or speed say that it must have changed: kept and flagged",
}
"""Rule → what it did. `docs/rules/cleaning.md` shows each."""

SEGMENTS: dict[str, str] = {
    "inferred": "seen only as a change of SoC or odometer over a gap: begin and end are the gap's",
    "telemetry_gap": "no row for more than 5 minutes inside",
    "begin_not_seen": "contact was lost right before, and something happened meanwhile",
    "end_not_seen": "contact was lost right after, and something happened meanwhile",
    "soc_jump": "an infeasible step of SoC is its edge",
    "odometer_jump": "an infeasible step of the odometer is its edge",
    "stuck_signal": "a stuck signal inside",
    "soc_unknown": "no SoC at begin or end",
    "odometer_unknown": "no odometer at begin or end of the drive",
    "energy_from_soc": "energy is SoC times usable capacity when new",
    "energy_unknown": "no counter, no power at 30 s or faster, no capacity",
    "soc_rise_only": "nothing but the rise of SoC says that it charged",
    "soc_fall_only": "nothing but the fall of SoC says that it drove",
    "power_only": "nothing but the pack's power says that it drove",
    "few_samples": "fewer than 5 rows",
    "moved_in_gap": "the odometer moved over a gap, but not as a drive does",
    "plugged": "the cable was in",
    "unplugged": "the cable was out",
}
"""Reason of a segment or session → what it means. `docs/rules/segments.md` shows each."""

"""Rules of segmentation that do not look at single samples: kinds, limits, pauses, what is kept, confidence.

Belongs here: everything that segment.py (pieces of one day) and stitch.py (sessions over midnight) must agree on. Not
here: evidence from signals (segment_states.py), figures of a piece (segment_measure.py). Pure.

Sources of the limits: TeslaMate bridges 15 minutes offline while driving, ends a drive in P and takes a gain of range
while offline for a charge. Pauses, sizes worth keeping and the 3 % of an inferred charge were set on the logs of a 2013
Leaf, half of whose charges are visible only as gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ev_platform.transform.series import Bools, Floats, Ints

IDLE, DRIVE, CHARGE = 0, 1, 2
GAP_DRIVE, GAP_CHARGE = 3, 4
"""A drive or charge inferred in a lost contact, standing alone: its times are the gap's, so it joins no neighbour."""
KINDS = ("idle", "drive", "charge")
KIND_OF = np.array([IDLE, DRIVE, CHARGE, DRIVE, CHARGE])
"""Kind of each label."""
HOUR_S = 3600.0
DAY_US = 86_400_000_000

CONTACT_S = 900.0
"""A state (gear, charge state, plug) holds until the next change, but for at most this long without any message."""
ASLEEP_S = 1800.0
DRIVE_PAUSE_S = 300.0
CHARGE_PAUSE_S = 300.0
CHARGE_PAUSE_PLUGGED_S = 900.0
AFTER_GAP_S = 300.0
"""How long after a lost contact (or any boundary without an earlier reading) a reading may still speak for it."""
INFERRED_MIN_S = 300.0
INFERRED_SOC_PERCENT = 3.0
INFERRED_MAX_KM = 2.0
INFERRED_DRIVE_KM = 0.5
INFERRED_DRIVE_KMH = 5.0
KEEP_DRIVE_KM = 0.5
KEEP_DRIVE_S = 120.0
KEEP_FALL_PERCENT = 2.0
KEEP_CHARGE_PERCENT = 1.0
KEEP_CHARGE_INTEGER_PERCENT = 3.0
KEEP_CHARGE_KWH = 0.3
KEEP_CHARGE_S = 180.0

PENALTIES: dict[str, float] = {
    "inferred": 0.5,
    "telemetry_gap": 0.15,
    "begin_not_seen": 0.15,
    "end_not_seen": 0.15,
    "soc_jump": 0.2,
    "odometer_jump": 0.2,
    "stuck_signal": 0.3,
    "soc_unknown": 0.2,
    "odometer_unknown": 0.1,
    "energy_from_soc": 0.1,
    "energy_unknown": 0.2,
    "soc_rise_only": 0.2,
    "soc_fall_only": 0.3,
    "power_only": 0.1,
    "few_samples": 0.1,
    "moved_in_gap": 0.1,
}
"""What lowers the confidence of a piece or session, and the share that it takes off."""
NOTHING_MISSED_PERCENT = 0.5
NOTHING_MISSED_KM = 0.2
"""Changes over a lost contact up to which a charge or drive beside it is taken to have been seen whole."""
FEW_SAMPLES = 5
LONG_GAP_S = 300.0

PLUGGED, UNPLUGGED = "plugged", "unplugged"
"""Notes on an idle piece (no penalty): what stitching needs to know about a pause in a charge at midnight."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Consecutive pieces of time of many vehicles, sorted by vehicle and start; times in us.

    `cut` numbers the stretches that must not be joined (a jump lies between them). `plugged` and `unplugged` say what
    was seen of the plug during the run.
    """

    vehicle: Ints
    label: Ints
    start: Ints
    end: Ints
    cut: Ints
    plugged: Bools
    unplugged: Bools

    @property
    def seconds(self) -> Floats:
        """Duration of each run."""
        return np.asarray((self.end - self.start) / 1e6, dtype=np.float64)


def merge_pauses(runs: Runs) -> Ints:
    """Label of each run after short pauses have been taken into the drive or charge on both sides of them.

    Drive: idle up to 5 minutes (a stop in P or at speed 0). Charge: up to 5 minutes, up to 15 while known to be
    plugged in, never when the plug was pulled. Equal neighbours must have been joined before.
    """
    label = runs.label.copy()
    if len(label) < 3:
        return label
    before, here, after = slice(None, -2), slice(1, -1), slice(2, None)
    inside = (runs.vehicle[before] == runs.vehicle[after]) & (runs.cut[before] == runs.cut[after])
    inside &= (runs.label[here] == IDLE) & (runs.label[before] == runs.label[after])
    seconds = runs.seconds[here]
    charge_limit = np.where(runs.plugged[here], CHARGE_PAUSE_PLUGGED_S, CHARGE_PAUSE_S)
    stop = inside & (runs.label[before] == DRIVE) & (seconds <= DRIVE_PAUSE_S)
    pause = inside & (runs.label[before] == CHARGE) & (seconds <= charge_limit) & ~runs.unplugged[here]
    label[here] = np.where(stop, DRIVE, np.where(pause, CHARGE, label[here]))
    return label


def kept(
    kind: Ints, seconds: Floats, km: Floats, soc_start: Floats, soc_end: Floats, kwh: Floats, soc_only: Bools
) -> Bools:
    """Which drives and charges are large enough to be one; idle is always kept. Unknown figures count as zero.

    A drive needs 0.5 km or 2 minutes; a charge 3 minutes and 1 % or 0.3 kWh, and SoC must not have fallen by 1 %. Where
    only SoC is known (`soc_only`) a charge needs 1 %, or 3 % of whole numbers, a drive a fall of 2 %.
    """
    km, delta_soc, kwh = np.nan_to_num(km), np.nan_to_num(soc_end - soc_start), np.nan_to_num(kwh)
    drive = ((km >= KEEP_DRIVE_KM) | (seconds >= KEEP_DRIVE_S)) & (~soc_only | (delta_soc <= -KEEP_FALL_PERCENT))
    enough = (delta_soc >= KEEP_CHARGE_PERCENT) | ((kwh >= KEEP_CHARGE_KWH) & (delta_soc > -KEEP_CHARGE_PERCENT))
    whole = (soc_start % 1 == 0) & (soc_end % 1 == 0)
    strict = delta_soc >= np.where(whole, KEEP_CHARGE_INTEGER_PERCENT, KEEP_CHARGE_PERCENT)
    charge = np.where(soc_only, strict, enough) & (seconds >= KEEP_CHARGE_S)
    return np.where(kind == DRIVE, drive, np.where(kind == CHARGE, charge, True))


def gap_kind(seconds: Floats, delta_soc: Floats, km: Floats) -> tuple[Ints, Bools]:
    """Kind of a time without messages, and whether it was inferred, from what SoC and odometer did over it.

    A rise of 3 % over 5 minutes and more while the odometer moved at most 2 km is a charge; 0.5 km at 5 km/h and more
    on average a drive; everything else idle. Unknown odometer: standing. Unknown SoC: no charge.
    """
    moved, rose = np.nan_to_num(km), np.nan_to_num(delta_soc)
    charge = (seconds >= INFERRED_MIN_S) & (rose >= INFERRED_SOC_PERCENT) & (moved <= INFERRED_MAX_KM)
    fast = moved >= np.maximum(INFERRED_DRIVE_KM, INFERRED_DRIVE_KMH * seconds / HOUR_S)
    drive = (seconds >= INFERRED_MIN_S) & fast & ~charge
    kind = np.where(charge, CHARGE, np.where(drive, DRIVE, IDLE)).astype(np.int64)
    return kind, charge | drive


def gap_label(kind: Ints, inferred: Bools, seconds: Floats, on_before: Bools, on_after: Bools) -> Ints:
    """Label of a time without messages.

    What was inferred over a lost contact stands alone, unless its kind was under way before and after it.
    """
    alone = inferred & (seconds > CONTACT_S) & ~(on_before & on_after)
    return np.where(alone, kind + GAP_DRIVE - DRIVE, kind)


def nothing_missed(kind: Ints, delta_soc: Floats, km: Floats) -> Bools:
    """Whether SoC (of a charge) or odometer (of a drive) stood still over the lost contact beside it."""
    same_soc = np.abs(delta_soc) <= NOTHING_MISSED_PERCENT
    same_place = np.abs(km) <= NOTHING_MISSED_KM
    return np.where(kind == CHARGE, same_soc, (kind == DRIVE) & same_place)


def confidence(reasons: set[str]) -> float:
    """Product of what each reason leaves over, 1 without any."""
    left = 1.0
    for reason in sorted(reasons):
        left *= 1.0 - PENALTIES.get(reason, 0.0)
    return round(left, 6)

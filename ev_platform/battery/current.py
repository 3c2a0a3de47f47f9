"""Charge capacity (Ah) from pack current against SoC, with the current sensor's own offset.

    ΔSoC = 100/C · (∫I dt + b·Δt)        window by window; C capacity, b what the sensor reads too low

Belongs here: the robust fit of one car's windows, and what cars of one model know about the shape of the SoC scale. Not
here: the windows (evidence_current.py), the offset over several months (filter.py).

Noise stands on both sides, so a regression of ΔSoC on charge finds too large a capacity and one of charge on ΔSoC too
small a one; their geometric mean stands between (reduced major axis; Kermack and Haldane 1950). It decides the offset;
the capacity is then a ratio of sums, which no noise biases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ev_platform.battery.estimate import MIN_SUM_DELTA_SOC, TOO_LITTLE_EVIDENCE, Estimate, counted
from ev_platform.battery.robust import REJECT_Z, huber_weights, mad_sd
from ev_platform.battery.temperature import BMS_GAIN_PRIOR, coldness

Floats = npt.NDArray[np.float64]

METHOD = "current"
DRIVE_PERIOD_S = 6.5
"""Slowest mean sampling of a discharging window: at 10 s a trip's charge is off by 7 % (measured on a BMW i3)."""
CHARGE_PERIOD_S = 65.0
MIN_WINDOWS = 8
LARGEST_STEP = 40.0
"""ΔSoC of a window beyond which it is a jump of SoC, percent: five minutes of the fastest charging give 20."""
PLAUSIBLE_AH = (10.0, 1000.0)
OFFSET_SD_A = 1.5
"""What a sensor's offset may be before anything is known, A (1.3 A measured on a Nissan Leaf)."""
CHARGE_SD = (0.03, 0.01)
"""Error of a window's charge, relative: discharging at 5 s, charging."""
SOC_SD = 0.15
"""Error of SoC at a change, percent, besides its step: the reading is late, and the BMS smooths it."""
OWN_SD = (0.012, 0.007)
"""Systematic error of the capacity: from discharging alone (sampling), with charging windows too; relative."""
REVERSE_SHARE = 1 / 3
"""Weight of the regression of charge on SoC in the geometric mean: SoC is the noisier of the two (on a Nissan Leaf the
true capacity lay a third of the way from one to the other)."""
BINS = 10
FEWEST_CARS = 3
SHAPE_TRUST = 0.15
"""SoC (as a share of the scale) per bin that the expectation of an even scale is worth."""
LARGEST_SHAPE = 0.15
"""The shown SoC's scale is taken to be uneven by at most this much."""


@dataclass
class Windows:
    """Usable windows of one car, one value each: y share of SoC, q Ah, h hours, s +1 charging or -1."""

    y: Floats
    q: Floats
    h: Floats
    variance: Floats
    bin: npt.NDArray[np.int64]
    cold: Floats
    kwh_per_ah: float
    left_out: Counter[str]

    @property
    def s(self) -> Floats:
        """Direction, so that sums of charging and discharging windows do not cancel."""
        return np.sign(self.q)


@dataclass(frozen=True)
class Fit:
    """Capacity (Ah) and sensor offset (A) with what they leave open."""

    capacity: float
    offset: float
    offset_sd: float
    weights: Floats


def estimate_current(
    windows: pl.DataFrame,
    models: Mapping[str, str],
    shared_sd: Mapping[str, float],
    least_delta_soc: float = MIN_SUM_DELTA_SOC,
) -> dict[str, Estimate]:
    """Estimate per vehicle that has any window.

    From FEWEST_CARS cars on, the other cars of a model tell where the shown SoC runs too fast or too slow.

    Args:
        windows: `Evidence.windows`, sorted by vin and time.
        models: model of each vehicle.
        shared_sd: relative error shared with other methods, per vehicle.
        least_delta_soc: SoC that the windows of a car must cover, percent; lower it to judge single charges.
    """
    cars: dict[str, dict[str, Windows]] = {}
    estimates: dict[str, Estimate] = {}
    for car in windows.partition_by("vin", maintain_order=True):
        vin = car["vin"][0]
        cars.setdefault(models[vin], {})[vin] = usable_windows(car)
    for members in cars.values():
        shapes = _shapes(list(members.values()))
        for (vin, car_windows), shape in zip(members.items(), shapes, strict=True):
            estimates[vin] = _estimate(car_windows, shape, shared_sd[vin], least_delta_soc)
    return estimates


def usable_windows(car: pl.DataFrame) -> Windows:
    """The windows of one car that can be evidence; why others cannot is counted."""
    y, q, h, period, step = (
        car[name].to_numpy().astype(np.float64) for name in ("delta_soc", "charge_ah", "hours", "period_s", "soc_step")
    )
    slow = period > np.where(q < 0, DRIVE_PERIOD_S, CHARGE_PERIOD_S)
    jump = ~slow & ((np.abs(y) > LARGEST_STEP) | (np.sign(y) != np.sign(q)))
    keep = ~slow & ~jump
    left_out = Counter(slow_sampling=int(slow.sum()), soc_jump=int(jump.sum()))
    y, q, h = y[keep] / 100, q[keep], h[keep]
    soc_sd = (SOC_SD + np.where(step[keep] >= 0.2, 0.25 * step[keep], 0.0)) / 100
    relative = np.where(q < 0, *CHARGE_SD)
    temperature = car["battery_temp_c"].to_numpy().astype(np.float64)[keep]
    energy = np.abs(car["energy_kwh"].to_numpy().astype(np.float64)[keep]).sum()
    number = np.clip(car["soc_mid"].to_numpy()[keep] / 100 * BINS, 0, BINS - 1).astype(np.int64)
    kwh_per_ah = float(energy / np.abs(q).sum()) if q.size else float("nan")
    variance = 2 * soc_sd**2 + (relative * y) ** 2
    return Windows(y, q, h, variance, number, coldness(temperature), kwh_per_ah, left_out)


def fit(car: Windows, y: Floats) -> Fit | None:
    """Capacity and offset of one car; None when the windows say nothing of the kind."""
    if car.q.size < MIN_WINDOWS:
        return None
    precision = 1 / car.variance
    capacity, offset = float(np.abs(car.q).sum() / max(np.abs(y).sum(), 1e-9)), 0.0
    weights, gap, of_offset = np.ones_like(y), 0.0, OFFSET_SD_A**2
    for _ in range(40):
        w = weights * precision
        scale = max(float((w * (y - (car.q + offset * car.h) / capacity) ** 2).sum() / max(weights.sum(), 1)), 0.25)
        tie = scale / (OFFSET_SD_A / capacity) ** 2
        qq, qh, hh = (w * car.q**2).sum(), (w * car.q * car.h).sum(), (w * car.h**2).sum()
        qy, hy, yy = (w * car.q * y).sum(), (w * car.h * y).sum(), (w * y**2).sum()
        forward = qq - qh**2 / (hh + tie), qy - qh * hy / (hh + tie)
        reverse = yy - hy**2 / (hh + tie), qy - qh * hy / (hh + tie)
        if min(*forward, *reverse) <= 0:
            return None
        by_soc, by_charge = forward[0] / forward[1], reverse[1] / reverse[0]
        new = float(by_soc ** (1 - REVERSE_SHARE) * by_charge**REVERSE_SHARE)
        new_offset = float((new * hy - qh) / (hh + tie * 1.0))
        gap = float(np.log(by_soc / by_charge))
        # Spread of the offset: its own noise, and half of what the two directions leave open.
        of_offset = scale * new**2 / (hh + tie - qh**2 / qq) + (REVERSE_SHARE * gap * new * hy / (hh + tie)) ** 2
        change = abs(new - capacity) / capacity + abs(new_offset - offset)
        capacity, offset = new, new_offset
        if not PLAUSIBLE_AH[0] / 2 <= capacity <= PLAUSIBLE_AH[1] * 2:
            return None
        residual = (y - (car.q + offset * car.h) / capacity) * np.sqrt(precision)
        spread = max(mad_sd(residual), 1.0)
        weights = huber_weights(residual, spread)
        weights[np.abs(residual) > REJECT_Z * spread] = 0.0
        if change < 1e-10:
            break
    return Fit(ratio_capacity(car, y, weights, offset), offset, float(np.sqrt(of_offset)), weights)


def ratio_capacity(car: Windows, y: Floats, weights: Floats, offset: float) -> float:
    """Capacity as a ratio of sums, given the offset: Ah."""
    w = weights * car.s
    return float((w * (car.q + offset * car.h)).sum() / (w * y).sum())


def _shapes(cars: list[Windows]) -> list[Floats]:
    """Per car: relative rate of the SoC scale by bin, from the other cars (1 = even); all ones with too few of them."""
    even = np.ones(BINS)
    fits = [fit(car, car.y) for car in cars]
    if sum(found is not None for found in fits) <= FEWEST_CARS:
        return [even for _ in cars]
    shapes = [even for _ in cars]
    for _ in range(3):
        moved, shown = np.zeros((len(cars), BINS)), np.zeros((len(cars), BINS))
        for number, car in enumerate(cars):
            found = fit(car, car.y * shapes[number][car.bin])
            if found is None:
                continue
            w = found.weights * car.s
            moved[number] = np.bincount(car.bin, w * (car.q + found.offset * car.h) / found.capacity, BINS)
            shown[number] = np.bincount(car.bin, w * car.y, BINS)
        cap = np.maximum(shown, 1.0) / 1.0  # no car weighs more than one passage through a bin's width, ten times
        moved, shown = moved / cap, shown / cap
        shapes = [
            _even_on_average(moved.sum(0) - moved[number], shown.sum(0) - shown[number]) for number in range(len(cars))
        ]
    return shapes


def _even_on_average(moved: Floats, shown: Floats) -> Floats:
    shape = (moved + SHAPE_TRUST) / (shown + SHAPE_TRUST)
    shape = np.clip(shape, 1 - LARGEST_SHAPE, 1 + LARGEST_SHAPE)
    return np.asarray(shape / shape.mean())


def _estimate(car: Windows, shape: Floats, shared_sd: float, least: float) -> Estimate:
    y = car.y * shape[car.bin]
    covered = float(100 * np.abs(car.y).sum())
    found = fit(car, y)
    thin = covered < least or found is None
    if thin or found is None or not PLAUSIBLE_AH[0] <= found.capacity <= PLAUSIBLE_AH[1]:
        reason = TOO_LITTLE_EVIDENCE if thin else "implausible"
        return Estimate(METHOD, n=int(car.q.size), sum_delta_soc=covered, reasons=(reason, *counted(car.left_out)))
    used = found.weights > 0
    w = found.weights * car.s
    effective = float((w * (car.q + found.offset * car.h)).sum())
    per_offset = float((w * car.h).sum() / effective)
    residual = y - (car.q + found.offset * car.h) / found.capacity
    scatter = float(np.sqrt(((w * residual) ** 2).sum()) / (w * y).sum())
    cold = float(np.average(car.cold, weights=np.abs(y) + 1e-12))
    capacity = found.capacity / (1 + BMS_GAIN_PRIOR[0] * cold)
    charges = float((car.s > 0).mean())
    systematic = OWN_SD[1] if charges > 0.2 else OWN_SD[0]
    own = np.sqrt(
        (1.5 * scatter) ** 2 + (per_offset * found.offset_sd) ** 2 + (BMS_GAIN_PRIOR[1] * cold) ** 2 + systematic**2
    )
    left_out = car.left_out + Counter(outlier=int((~used).sum()))
    return Estimate(
        METHOD,
        n=int(used.sum()),
        sum_delta_soc=float(100 * np.abs(car.y[used]).sum()),
        reasons=counted(left_out),
        capacity_ah=float(capacity),
        sd_ah=float(capacity * np.hypot(own, shared_sd)),
        kwh_per_ah=car.kwh_per_ah if car.kwh_per_ah > 0 else None,
        offset_a=found.offset,
        offset_sd_a=found.offset_sd,
        per_offset=per_offset,
    )

"""Usable capacity from charge sessions: energy that went into the battery over the rise of SoC.

    capacity = E / (ΔSoC/100), session by session (Deng et al. 2023 with Ah; TeslaMate's charge energy added)

Belongs here: which sessions count, their weights, the pooled value. Not here: the corrections for losses inside the
pack and for temperature (charge_corrections.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from ev_platform.battery.charge_corrections import Sessions, fit_corrections
from ev_platform.battery.estimate import MIN_SUM_DELTA_SOC, PLAUSIBLE_KWH, TOO_LITTLE_EVIDENCE, Estimate, counted
from ev_platform.battery.robust import REJECT_Z, huber_weights, mad_sd, shrunk_variance, weighted_median

Floats = npt.NDArray[np.float64]

METHOD = "charge_energy"

MIN_DELTA_SOC = 3.0
"""Shorter charges say nothing that their quantisation does not hide; the rest is left to the weights."""
MIN_CONFIDENCE = 0.5
SOC_SD = {True: 0.4, False: 0.1}
"""Error of a SoC reading in percent points: of a feed in whole percents (0.29 to 0.5), and of one with fractions."""
METER_SD = {"counter": 0.008, "power_integral": 0.025}
"""Relative error of a session's energy, by method. A part of it is the car's own and stays in the mean."""
TRUNCATED_SD = 0.7
"""Error of ΔSoC in percent points of a charge whose begin or end was not observed. Its counter and its SoC still span
the same stretch, so it counts; an integral of power over a stretch with an unseen end does not."""
ENERGY_QUANTUM_KWH = 0.05
MAX_C_RATE = 5.0
"""Faster than any car charges: a power in another unit must not pass for a loss."""
SCALE_TRUST = 4.0
"""Sessions that the stated errors are worth when the sessions' own scatter is weighed in."""
NO_TEMPERATURE_SD = 0.01
"""Error of a session whose battery temperature is not known, relative."""


def estimate_charge_energy(
    charges: pl.DataFrame,
    soc_is_whole: Mapping[str, bool],
    models: Mapping[str, str],
    shared_sd: Mapping[str, float],
) -> dict[str, Estimate]:
    """Estimate per vehicle that has any charge session.

    Cars of one model share two correction coefficients, so an estimate depends on which cars of the model are given.

    Args:
        charges: `Evidence.charges`, sorted by vin and start.
        soc_is_whole: whether a vehicle's SoC comes in whole percents.
        models: model of each vehicle.
        shared_sd: relative error shared with other methods, per vehicle.
    """
    judged = charges.with_columns(left_out=_left_out())
    skipped = {vin: Counter[str]() for vin in judged["vin"].unique().sort()}
    for vin, reason in judged.filter(pl.col("left_out").is_not_null()).select("vin", "left_out").iter_rows():
        skipped[vin][reason] += 1
    used = judged.filter(pl.col("left_out").is_null())
    by_model: dict[str, list[pl.DataFrame]] = {}
    for car in used.partition_by("vin", maintain_order=True):
        by_model.setdefault(models[car["vin"][0]], []).append(car)
    estimates = {}
    for cars in by_model.values():
        sessions = [_measure(car, whole=soc_is_whole.get(car["vin"][0], True)) for car in cars]
        corrections = fit_corrections(sessions)
        for car, measured in zip(cars, sessions, strict=True):
            vin = car["vin"][0]
            extra = corrections.relative_sd(measured)
            estimates[vin] = _pool(corrections.apply(measured), extra, skipped[vin], shared_sd[vin])
    for vin, reasons in skipped.items():
        estimates.setdefault(vin, Estimate(METHOD, reasons=(TOO_LITTLE_EVIDENCE, *counted(reasons))))
    return estimates


def _left_out() -> pl.Expr:
    """First reason why a session is no evidence; null if it is."""
    delta = pl.col("soc_end") - pl.col("soc_start")
    ratio = 100 * pl.col("energy_kwh") / delta
    return (
        pl.when(pl.col("inferred"))
        .then(pl.lit("inferred"))
        .when(pl.col("truncated") & (pl.col("energy_method") != "counter").fill_null(value=True))
        .then(pl.lit("truncated"))
        .when(pl.col("confidence") < MIN_CONFIDENCE)
        .then(pl.lit("low_confidence"))
        .when(~pl.col("energy_method").is_in(list(METER_SD)).fill_null(value=False))
        .then(pl.lit("energy_not_measured"))
        .when(delta.is_null() | pl.col("end").is_null() | ~pl.col("energy_kwh").is_finite().fill_null(value=False))
        .then(pl.lit("incomplete"))
        .when(delta < MIN_DELTA_SOC)
        .then(pl.lit("small_delta_soc"))
        .when(~ratio.is_between(*PLAUSIBLE_KWH))
        .then(pl.lit("implausible"))
    )


def _measure(car: pl.DataFrame, *, whole: bool) -> Sessions:
    """Numbers of one car's sessions, with relative variance from w = ΔSoC²/(2·σ_soc² + σ_q²).

    σ_q is the energy's error in SoC points: the counter's step and METER_SD of what went in.
    """
    delta = (car["soc_end"] - car["soc_start"]).to_numpy()
    energy = car["energy_kwh"].to_numpy()
    ratio = 100 * energy / delta
    meter = car["energy_method"].replace_strict(METER_SD, return_dtype=pl.Float64).to_numpy()
    hours = ((car["end"] - car["start"]).dt.total_microseconds() / 3.6e9).to_numpy()
    power = car["power_mean_kw"].fill_null(float("nan")).to_numpy()
    power = np.where(np.isnan(power), energy / np.maximum(hours, 1 / 60), power)
    temperature, at_start, at_end = (
        car[name].fill_null(float("nan")).to_numpy()
        for name in ("battery_temp_mean_c", "battery_temp_start_c", "battery_temp_end_c")
    )
    meter_points = np.hypot(ENERGY_QUANTUM_KWH * 100 / ratio, meter * delta)
    variance = (2 * SOC_SD[whole] ** 2 + meter_points**2) / delta**2
    variance = variance + np.where(car["truncated"].fill_null(value=False).to_numpy(), (TRUNCATED_SD / delta) ** 2, 0.0)
    variance = variance + np.where(np.isnan(temperature), NO_TEMPERATURE_SD**2, 0.0)
    c_rate = np.clip(power / ratio, 0, MAX_C_RATE)
    return Sessions(delta, ratio, c_rate, temperature, at_start, at_end, variance, meter)


def _pool(car: Sessions, correction_sd: float, skipped: Counter[str], shared_sd: float) -> Estimate:
    """One car's month: ratio of weighted sums 100·Σ aE / Σ aΔSoC with a = h·w/ΔSoC, h Huber's weights.

    That is the mean of the session capacities with weights h·w. Its variance takes the sessions' own scatter into
    account, drawn to the stated errors when there are few. The meter's error is the car's own and does not average out.
    """
    scatter = (car.ratio_kwh / weighted_median(car.ratio_kwh, 1 / car.variance) - 1) / np.sqrt(car.variance)
    # A scale below one would throw out good sessions of a car whose few sessions agree by luck.
    kept = np.abs(scatter - np.median(scatter)) <= REJECT_Z * max(mad_sd(scatter), 1.0)
    left_out = skipped + Counter(outlier=int((~kept).sum()))
    unknown = Counter(temperature_unknown=int(np.isnan(car.temperature_c[kept]).sum()))
    reasons, n, total = counted(left_out + unknown), int(kept.sum()), float(car.delta_soc[kept].sum())
    if total < MIN_SUM_DELTA_SOC:
        return Estimate(METHOD, n=n, sum_delta_soc=total, reasons=(TOO_LITTLE_EVIDENCE, *reasons))
    ratio, precision = car.ratio_kwh[kept], 1 / car.variance[kept]
    capacity, weights = weighted_median(ratio, precision), precision
    for _ in range(50):
        weights = precision * huber_weights((ratio / capacity - 1) * np.sqrt(precision), max(mad_sd(scatter), 1.0))
        capacity, before = float(weights @ ratio / weights.sum()), capacity
        if abs(capacity - before) < 1e-12 * capacity:
            break
    chi_squared = float(weights @ (ratio / capacity - 1) ** 2)
    scale = shrunk_variance(chi_squared / max(n - 1, 1), n - 1, 1.0, SCALE_TRUST)
    meter = float(weights @ car.meter_sd[kept] / weights.sum())
    own = capacity * np.sqrt(scale / weights.sum() + correction_sd**2 + meter**2)
    return Estimate(METHOD, capacity, float(own), capacity * shared_sd, n, total, reasons)

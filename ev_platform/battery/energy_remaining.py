"""Usable capacity from the energy that the battery management system states, against its SoC.

Belongs here: the affine estimator and its uncertainty. Not here: matching of signals (evidence.py), the reserve of a
model (reserve.py), the strengths of the effects of cold (temperature.py).

    EnergyRemaining = e0 + C·(SoC/100 - lock·coldness + gain·SoC/100·coldness)

Tesla documents EnergyRemaining as nominal, Soc as usable percent: at 0 % there is energy left, so EnergyRemaining/Soc
(the proportional form) is too high by e0/SoC, and only the slope is the usable capacity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ev_platform.battery.estimate import MIN_SUM_DELTA_SOC, PLAUSIBLE_KWH, TOO_LITTLE_EVIDENCE, Estimate, counted
from ev_platform.battery.reserve import Reserve, expected_reserve
from ev_platform.battery.robust import (
    REJECT_Z,
    blocked_jackknife,
    huber_weights,
    mad_sd,
    shrunk_variance,
    theil_sen,
)
from ev_platform.battery.temperature import BMS_PRIOR, Strengths, coldness, shared_strengths

Floats = npt.NDArray[np.float64]

METHOD = "energy_remaining"

MIN_POINTS = 12
"""Points (one per day and SoC percent) that a line needs."""
MIN_SPAN = 15.0
"""SoC between the 5th and 95th percentile of the points, percent: a shorter line has no trustworthy slope."""
HUBER_FLOOR = 0.005
"""Deviation that is normal, relative to capacity: a recalibration of the BMS is evidence, not an outlier."""
REJECT_FLOOR = 0.01
"""As HUBER_FLOOR for leaving out: nothing within 3.5 % of capacity is left out."""
QUANTUM_KWH = 0.02
"""Step of the stated energy: residuals are never taken to be finer."""
DAY_SCATTER = 0.005
"""Expected day-to-day scatter of the slope, relative; worth DAY_TRUST days when the days' own scatter is weighed in."""
DAY_TRUST = 3.0
OWN_SD = 0.0025
"""Systematic error of the stated energy, relative (0.23 to 0.28 % daily error measured on a Nissan Leaf)."""
UNSEEN_SD = 0.004
"""Error per share of the SoC scale not seen: the line may bend there."""
CALIBRATION_SD, CALIBRATION_DAYS = 0.007, 10.0
"""Error of one self-calibration of the battery management system, relative, and the days that it lasts: a month sees
several of them, a week about one."""


@dataclass(frozen=True)
class CarFit:
    """A robust line through one car's month as sums per day, so that later steps are small linear algebra.

    information: (days, 4, 4) and right: (days, 4), weighted normal equations of the columns 1, SoC/100, -coldness,
    SoC/100·coldness. noise: residual variance, kWh². span: 0 to 1. left_out: points by reason.
    """

    capacity_kwh: float
    information: Floats
    right: Floats
    noise: float
    span: float
    sum_delta_soc: float
    left_out: Counter[str]


@dataclass(frozen=True)
class Line:
    """Reserve and capacity (kWh) with their covariance (kWh²); `inflation`: variance over that of independent noise."""

    beta: Floats
    covariance: Floats
    inflation: float


def estimate_energy_remaining(
    points: pl.DataFrame, models: Mapping[str, str], shared_sd: Mapping[str, float]
) -> dict[str, Estimate]:
    """Estimate per vehicle that has any point.

    Cars of one model share the strengths of cold and, from FEWEST_OTHERS other cars on, the expectation of the
    reserve; so an estimate depends on which cars of the model are in `points`. Give it the whole fleet.

    Args:
        points: `Evidence.points`, sorted by vin and day.
        models: model of each vehicle; a vehicle of its own model stands alone.
        shared_sd: relative error shared with other methods, per vehicle.
    """
    fits: dict[str, CarFit] = {}
    estimates: dict[str, Estimate] = {}
    for vin, car in _by_vehicle(points):
        fitted = fit_car(car)
        if isinstance(fitted, CarFit):
            fits[vin] = fitted
        else:
            estimates[vin] = fitted
    by_model: dict[str, list[str]] = {}
    for vin in sorted(fits):
        by_model.setdefault(models[vin], []).append(vin)
    for vins in by_model.values():
        estimates |= _estimate_model({vin: fits[vin] for vin in vins}, shared_sd)
    return estimates


def _by_vehicle(points: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    groups = points.partition_by("vin", maintain_order=True)
    return [(car["vin"][0], car) for car in groups]


def fit_car(car: pl.DataFrame) -> CarFit | Estimate:
    """Robust line through the points of one car: Theil–Sen start, then Huber's weights (IRLS, Huber 1964).

    Returns:
        The fit, or an estimate without a number that says why there is none.
    """
    soc, energy = car["soc_percent"].to_numpy(), car["battery_energy_kwh"].to_numpy()
    temperature = car["battery_temp_c"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    day = car["day"].to_numpy()
    starts = np.flatnonzero(np.r_[True, day[1:] != day[:-1]])
    if soc.size < MIN_POINTS or _span(soc) < MIN_SPAN:
        return _no_number("small_soc_span", starts.size, _covered(soc, starts))
    x, cold = soc / 100, coldness(temperature)
    start, slope = theil_sen(x, energy)
    columns = np.column_stack([np.ones_like(x), x, -cold, x * cold])
    weights, noise, capacity = _irls(columns, energy, np.array([start, slope, 0.0, 0.0]))
    kept = weights > 0
    covered = _covered(np.where(kept, soc, np.nan), starts)
    if not PLAUSIBLE_KWH[0] <= capacity <= PLAUSIBLE_KWH[1]:
        return _no_number("implausible_slope", starts.size, covered)
    if _span(soc[kept]) < MIN_SPAN:
        return _no_number("small_soc_span", starts.size, covered)
    weighted = columns * weights[:, None]
    information = np.add.reduceat(weighted[:, :, None] * columns[:, None, :], starts, axis=0)
    right = np.add.reduceat(weighted * energy[:, None], starts, axis=0)
    left_out = Counter(outlier_points=int((~kept).sum()), temperature_unknown=int(np.isnan(temperature).sum()))
    used = information[:, 0, 0] > 0
    return CarFit(capacity, information[used], right[used], noise, _span(soc[kept]) / 100, covered, left_out)


def _span(soc: Floats) -> float:
    return float(np.ptp(np.percentile(soc, [5, 95])))


def _covered(soc: Floats, starts: npt.NDArray[np.intp]) -> float:
    """Σ of the days' SoC spans, percent; NaN are points left out."""
    spans = np.fmax.reduceat(soc, starts) - np.fmin.reduceat(soc, starts)
    return float(np.nansum(spans))


def _no_number(reason: str, days: int, covered: float) -> Estimate:
    return Estimate(METHOD, n=days, sum_delta_soc=covered, reasons=(TOO_LITTLE_EVIDENCE, reason))


def _irls(columns: Floats, energy: Floats, beta: Floats) -> tuple[Floats, float, float]:
    """Weights (0 = left out), residual variance (kWh²) and slope (kWh) of the robust fit."""
    weights, noise = np.ones_like(energy), QUANTUM_KWH**2
    for _ in range(50):
        residuals = energy - columns @ beta
        scale, capacity = mad_sd(residuals), max(abs(beta[1]), PLAUSIBLE_KWH[0])
        weights = huber_weights(residuals, max(scale, HUBER_FLOOR * capacity))
        weights[np.abs(residuals) > REJECT_Z * max(scale, REJECT_FLOOR * capacity)] = 0.0
        noise = max(float(weights @ residuals**2) / max(float(weights.sum()) - 3, 1.0), QUANTUM_KWH**2)
        weighted = columns * weights[:, None]
        tie = np.zeros((4, 4))
        tie[2:, 2:] = noise / capacity**2 * np.linalg.inv(BMS_PRIOR.covariance)
        right = weighted.T @ energy + tie[:, 2:] @ (capacity * BMS_PRIOR.mean)
        new = np.linalg.lstsq(weighted.T @ columns + tie, right)[0]
        if np.allclose(new, beta, rtol=1e-10, atol=1e-12):
            break
        beta = new
    return weights, noise, float(beta[1])


def solve_line(fit: CarFit, strengths: Floats, reserve: Reserve | None = None, inflation: float = 1.0) -> Line:
    """Reserve and capacity of one car, given the strengths of cold and, if known, what reserve to expect.

    The expectation enters as one more observation at 0 % SoC. Its weight against the car's points takes their
    dependence into account (`inflation`). The variance has three parts: the days' scatter (jackknife, drawn to
    DAY_SCATTER when there are few days, never less than independent noise), the wander of the stated energy's scale
    over the days (recalibration; seen best with the reserve held fixed), and the expectation's own variance.
    """
    shape = np.array([[1, 0], [0, 1], [0, strengths[0]], [0, strengths[1]]])
    information, right = shape.T @ fit.information @ shape, fit.right @ shape
    prior, prior_right = np.zeros((2, 2)), np.zeros(2)
    if reserve is not None:
        prior[0, 0] = fit.noise * inflation / reserve.variance
        prior_right[0] = prior[0, 0] * reserve.kwh
    inverse = np.linalg.inv(information.sum(0) + prior)
    beta = inverse @ (right.sum(0) + prior_right)
    scatter = blocked_jackknife(information, right, prior, prior_right).independent
    scale = blocked_jackknife(
        information[:, 1:, 1:], right[:, 1:] - information[:, 1:, 0] * beta[0], np.zeros((1, 1)), np.zeros(1)
    )
    independent = fit.noise * (inverse @ information.sum(0) @ inverse)
    expected = max((DAY_SCATTER * beta[1]) ** 2 / len(right), independent[1, 1])
    variance = shrunk_variance(scatter, len(right) - 1, expected, DAY_TRUST)
    variance = max(variance, independent[1, 1]) + scale.wander
    covariance = independent * variance / independent[1, 1]
    if reserve is not None:
        gain = inverse[:, 0] * prior[0, 0]
        covariance = covariance + np.outer(gain, gain) * reserve.variance
    return Line(beta, covariance, float(variance / independent[1, 1]))


def own_strengths(fit: CarFit, inflation: float) -> tuple[Floats, Floats]:
    """(J, J·strengths) of one car's own data, per kelvin: reserve and capacity are projected out (Schur complement)."""
    a, b = fit.information.sum(0), fit.right.sum(0)
    through = np.linalg.solve(a[:2, :2], np.column_stack([a[:2, 2:], b[:2]]))
    information = a[2:, 2:] - a[2:, :2] @ through[:, :2]
    right = b[2:] - a[2:, :2] @ through[:, 2]
    noise = fit.noise * inflation
    return information * fit.capacity_kwh**2 / noise, right * fit.capacity_kwh / noise


def _estimate_model(fits: Mapping[str, CarFit], shared_sd: Mapping[str, float]) -> dict[str, Estimate]:
    """Estimates of the cars of one model: shared strengths of cold, then the reserve of the others, then capacity."""
    alone = {vin: solve_line(fit, BMS_PRIOR.mean) for vin, fit in fits.items()}
    own = [own_strengths(fit, alone[vin].inflation) for vin, fit in fits.items()]
    strengths = shared_strengths(np.array([one[0] for one in own]), np.array([one[1] for one in own]), BMS_PRIOR)
    alone = {vin: solve_line(fit, strengths.mean) for vin, fit in fits.items()}
    reserves = np.array([line.beta[0] for line in alone.values()])
    variances = np.array([line.covariance[0, 0] for line in alone.values()])
    estimates = {}
    for number, (vin, fit) in enumerate(fits.items()):
        reserve = expected_reserve(np.delete(reserves, number), np.delete(variances, number))
        estimates[vin] = _estimate_car(fit, strengths, reserve, alone[vin].inflation, shared_sd[vin])
    return estimates


def _estimate_car(
    fit: CarFit, strengths: Strengths, reserve: Reserve | None, inflation: float, shared_sd: float
) -> Estimate:
    reasons, days = counted(fit.left_out), len(fit.right)
    if fit.sum_delta_soc < MIN_SUM_DELTA_SOC:
        reasons = (TOO_LITTLE_EVIDENCE, *reasons)
        return Estimate(METHOD, n=days, sum_delta_soc=fit.sum_delta_soc, reasons=reasons)
    line = solve_line(fit, strengths.mean, reserve, inflation)
    capacity = float(line.beta[1])
    steps = np.linalg.cholesky(strengths.covariance).T
    of_cold = [
        solve_line(fit, strengths.mean + step, reserve, inflation).beta[1]
        - solve_line(fit, strengths.mean - step, reserve, inflation).beta[1]
        for step in steps
    ]
    calibration = CALIBRATION_SD / np.sqrt(1 + days / CALIBRATION_DAYS)
    systematic = capacity * np.sqrt(OWN_SD**2 + calibration**2 + (UNSEEN_SD * (1 - fit.span)) ** 2)
    own = np.sqrt(line.covariance[1, 1] + np.sum(np.square(of_cold)) / 4 + systematic**2)
    return Estimate(METHOD, capacity, float(own), capacity * shared_sd, days, fit.sum_delta_soc, reasons)

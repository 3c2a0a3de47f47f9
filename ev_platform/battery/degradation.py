"""What lies ahead: how a model's packs fade, how one car differs from that, and its capacity in 1, 3 and 12 months.

    ln C(t) = level_car − (1 + δ_car)·F(t) + season(t) + slow wander + noise,   F(t) = a·√t + b·t + bend(t)

Belongs here: the template of a model's fleet, and the best linear prediction of one car from its few months. To first
order that is SOH(t) = 1 − a√t − bt with a, b ≥ 0. The template is drawn to published fleets where a model has little
data, and every car to its template (empirical Bayes; Henderson 1975 for the prediction). Not here: the filter
(filter.py), tables (history.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ev_platform.battery.robust import huber_weights, mad_sd

Floats = npt.NDArray[np.float64]

PRIOR = (0.012, 0.014)
"""a per √year and b per year before any data: 2.3 % in the first year with a slower sequel, 8-year loss near 15 % to
18 % (Geotab 2025: 2.3 %/a on average, 81.6 % left at 8 years)."""
PRIOR_SD = (0.010, 0.012)
SEASON_SD = 0.005
BEND_SD = 0.004
"""What the shape may bend away from a√t + bt at a knot."""
KNOT_YEARS = 0.25
RATE_SPREAD = (0.12, 0.6)
"""Spread of δ between cars of a model: never taken to be smaller or larger."""
UNKNOWN_RATE_SPREAD = 0.45
WANDER_SD = 0.005
WANDER_YEARS = 0.7
"""Slow error of one car (recalibrations, season of its own): sd of ln C and how long it lasts."""
SMALLEST_NOISE = 0.002
LEVEL_SD = 0.3
FEWEST_CARS = 4


@dataclass(frozen=True)
class Series:
    """Monthly capacities of one car: years since the car's (or the log's) begin, season 0..1 of the year, ln C, sd."""

    years: Floats
    season: Floats
    log_capacity: Floats
    sd: Floats


@dataclass(frozen=True)
class Template:
    """Fade of a model. coefficients: a, b, cos, sin, bends at the knots; covariance of them; noise of a month."""

    coefficients: Floats
    covariance: Floats
    knots: Floats
    noise: float
    rate_spread: float
    n_cars: int

    def fade(self, years: Floats) -> Floats:
        """F(t): share of capacity lost by an average car, without season."""
        beta = self.coefficients.copy()
        beta[2:4] = 0
        return -_columns(years, np.zeros_like(years), self.knots) @ beta

    def mean(self, years: Floats, season: Floats) -> Floats:
        """Ln C relative to a new pack, season included."""
        return _columns(years, season, self.knots) @ self.coefficients


@dataclass(frozen=True)
class Prediction:
    """ln of a capacity and its standard deviation; rate: 1 + δ."""

    log_capacity: Floats
    sd: Floats
    rate: float
    rate_sd: float


def _columns(years: Floats, season: Floats, knots: Floats) -> Floats:
    """(n, 4 + knots): −√t, −t, season, and hats of the bend (0 at t = 0 and beyond the last knot held)."""
    angle = 2 * np.pi * season
    columns = [-np.sqrt(np.maximum(years, 0)), -years, np.cos(angle), np.sin(angle)]
    if knots.size:
        at = np.clip(years, 0, knots[-1]) / KNOT_YEARS
        columns += [np.maximum(0.0, 1 - np.abs(at - (k + 1))) for k in range(knots.size)]
    return np.column_stack(columns)


def fit_template(cars: Sequence[Series]) -> Template:
    """Template of the cars of one model by ridge regression with Huber weights; one free level per car."""
    cars = [car for car in cars if car.years.size]
    end = max((float(car.years.max()) for car in cars), default=0.0)
    knots: Floats = np.arange(1.0, int(end / KNOT_YEARS) + 1) * KNOT_YEARS if len(cars) >= FEWEST_CARS else np.empty(0)
    centre = np.concatenate([PRIOR, [0, 0], np.zeros(knots.size)])
    tie: Floats = np.diag(np.concatenate([PRIOR_SD, [SEASON_SD] * 2, np.full(knots.size, BEND_SD)]) ** -2.0)
    if not cars:
        return Template(centre, np.linalg.inv(tie).astype(np.float64), knots, 0.006, UNKNOWN_RATE_SPREAD, 0)
    number = np.repeat(np.arange(len(cars)), [car.years.size for car in cars])
    years, season, target, sd = (
        np.concatenate([getattr(car, name) for car in cars]) for name in ("years", "season", "log_capacity", "sd")
    )
    design = _columns(years, season, knots)
    # A car's own rate and wander make its months err together: a car counts about as one path, not as n months.
    months = np.bincount(number)[number]
    variance = np.maximum(sd, SMALLEST_NOISE) ** 2 + WANDER_SD**2 * np.sqrt(months)
    allowed = np.ones(centre.size, dtype=bool)
    weights, beta = 1 / variance, centre
    covariance: Floats = np.linalg.inv(tie).astype(np.float64)
    for _ in range(12):
        mean = _car_means(np.column_stack([design, target]), weights, number)
        x, y = (design - mean[:, :-1])[:, allowed], target - mean[:, -1]
        weighted = x * weights[:, None]
        precision = weighted.T @ x + tie[np.ix_(allowed, allowed)]
        found = np.linalg.solve(precision, weighted.T @ y + (tie @ centre)[allowed])
        beta = np.zeros(centre.size)
        beta[allowed] = found
        covariance = np.zeros((centre.size, centre.size))
        covariance[np.ix_(allowed, allowed)] = np.linalg.inv(precision)
        if (beta[:2] < 0).any() and allowed[:2].all():
            allowed[int(np.argmin(beta[:2]))] = False
            continue
        residual = (y - x @ found) / np.sqrt(variance)
        weights = huber_weights(residual, max(mad_sd(residual), 0.5)) / variance
    residual = target - design @ beta
    residual = residual - _car_means(residual[:, None], weights, number)[:, 0]
    template = Template(beta, covariance, knots, 0.0, UNKNOWN_RATE_SPREAD, len(cars))
    noise, spread = _spreads(cars, template, residual, number)
    return Template(beta, covariance, knots, noise, spread, len(cars))


def _car_means(values: Floats, weights: Floats, car: npt.NDArray[np.intp]) -> Floats:
    total = np.bincount(car, weights)
    sums = np.column_stack([np.bincount(car, weights * column) for column in values.T])
    return np.asarray((sums / total[:, None])[car])


def _spreads(
    cars: Sequence[Series], template: Template, residual: Floats, number: npt.NDArray[np.intp]
) -> tuple[float, float]:
    """(noise of one month, spread of δ between cars): from differences of neighbours, and from the cars' own slopes."""
    steps = np.concatenate([np.diff(residual[number == k]) for k in range(len(cars))] or [np.empty(0)])
    noise = max(mad_sd(steps) / np.sqrt(2), SMALLEST_NOISE) if steps.size >= 6 else 0.006
    rates, errors = [], []
    for k, car in enumerate(cars):
        fade = template.fade(car.years)
        fade = fade - fade.mean()
        power = float(fade @ fade)
        if car.years.size >= 6 and power > 0:
            rates.append(-float(fade @ residual[number == k]) / power)
            errors.append((noise**2 + WANDER_SD**2 * 2) / power)
    if len(rates) < FEWEST_CARS:
        return noise, UNKNOWN_RATE_SPREAD
    between = mad_sd(np.array(rates)) ** 2 - float(np.median(errors))
    return noise, float(np.sqrt(np.clip(between, RATE_SPREAD[0] ** 2, RATE_SPREAD[1] ** 2)))


def predict(car: Series, template: Template, years: Floats, season: Floats) -> Prediction:
    """Best linear prediction of ln C at other times from the months of one car.

    Args:
        car: its known months, at least one.
        template: of its model.
        years: when to predict, in the car's years.
        season: their part of the year, 0..1.
    """
    begin = car.years[:1]
    known, wanted = template.fade(car.years) - template.fade(begin), template.fade(years) - template.fade(begin)
    noise = np.diag(np.maximum(car.sd**2 * 0.5, template.noise**2))
    cross_known = _kernel(car.years, car.years, known, known, template.rate_spread)
    cross = _kernel(years, car.years, wanted, known, template.rate_spread)
    own = _kernel(years, years, wanted, wanted, template.rate_spread)
    inverse = np.linalg.inv(cross_known + noise)
    residual = car.log_capacity - template.mean(car.years, car.season)
    gain = cross @ inverse
    mean = template.mean(years, season) + gain @ residual
    variance = np.diag(own - gain @ cross.T)
    shape = _columns(years, season, template.knots) - gain @ _columns(car.years, car.season, template.knots)
    variance = variance + np.einsum("ij,jk,ik->i", shape, template.covariance, shape)
    to_rate = -(template.rate_spread**2) * known @ inverse
    rate_var = float(template.rate_spread**2 - template.rate_spread**4 * known @ inverse @ known)
    return Prediction(
        mean,
        np.sqrt(np.maximum(variance, 0)),
        1 + float(to_rate @ residual),
        float(np.sqrt(max(rate_var, 0.0))),
    )


def _kernel(a: Floats, b: Floats, fade_a: Floats, fade_b: Floats, spread: float) -> Floats:
    """Covariance of a car's own part of ln C between two sets of times: level, rate, slow wander."""
    wander = WANDER_SD**2 * np.exp(-np.abs(a[:, None] - b[None, :]) / WANDER_YEARS)
    return np.asarray(LEVEL_SD**2 + spread**2 * np.outer(fade_a, fade_b) + wander)


def forecast(
    history: Mapping[str, Series], models: Mapping[str, str], ahead_years: Sequence[float], season: Mapping[str, float]
) -> dict[str, tuple[Template, Prediction]]:
    """Template and prediction per car, `ahead_years` after its last month.

    Args:
        history: known months of each car, rising.
        models: model of each car.
        ahead_years: horizons, years.
        season: part of the year (0..1) of each car's last month.
    """
    members: dict[str, list[str]] = {}
    for vin in sorted(history):
        if history[vin].years.size:
            members.setdefault(models[vin], []).append(vin)
    found: dict[str, tuple[Template, Prediction]] = {}
    steps = np.asarray(ahead_years, dtype=np.float64)
    for vins in members.values():
        template = fit_template([history[vin] for vin in vins])
        for vin in vins:
            car = history[vin]
            at = car.years[-1] + steps
            found[vin] = template, predict(car, template, at, (season[vin] + steps) % 1.0)
    return found

"""What lies between the energy through a battery's terminals and the energy it holds at 25 °C.

Belongs here: three coefficients per model, fitted with a prior. Loss: current heats the cells, a share of what goes in
that grows with the C-rate P/C (I²R over I·V = P·R/V²). Lock and gain: the effects of cold (temperature.py); a pack that
warms up while it charges unlocks charge, so SoC rises by more than went in. Not here: which sessions count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ev_platform.battery.robust import huber_weights, mad_sd
from ev_platform.battery.temperature import CELL_GAIN_PRIOR, LOCK_PRIOR, coldness

Floats = npt.NDArray[np.float64]

LOSS_PRIOR = (0.025, 0.015)
"""Share lost per 1/h of C-rate, mean and sd: about 0.04 to 0.08 Ω at 350 to 400 V for 60 to 80 kWh (R·C/V²)."""


class Sessions(NamedTuple):
    """Charge sessions of one car, one value each.

    delta_soc: percent. ratio_kwh: 100·E/ΔSoC. c_rate: mean power over ratio, 1/h. temperature_c: mean of the battery;
    temperature_start_c, temperature_end_c: at the ends; NaN where unknown. variance: of ratio_kwh, relative. meter_sd:
    relative error of the energy.
    """

    delta_soc: Floats
    ratio_kwh: Floats
    c_rate: Floats
    temperature_c: Floats
    temperature_start_c: Floats
    temperature_end_c: Floats
    variance: Floats
    meter_sd: Floats


class Corrections(NamedTuple):
    """Coefficients (loss in h, gain and lock in 1/K) of ln ratio, and their covariance."""

    coefficients: Floats
    covariance: Floats

    def apply(self, car: Sessions) -> Sessions:
        """The sessions with the energy that the battery holds at 25 °C in place of what went in."""
        return car._replace(ratio_kwh=car.ratio_kwh * np.exp(-_drivers(car) @ self.coefficients))

    def relative_sd(self, car: Sessions) -> float:
        """Standard deviation that the coefficients leave in the car's mean, relative."""
        mean = (1 / car.variance) @ _drivers(car) / (1 / car.variance).sum()
        return float(np.sqrt(mean @ self.covariance @ mean))


def _drivers(car: Sessions) -> Floats:
    """(n, 3): C-rate, coldness, and warming-up below KNEE_C per full charge (negative: it lowers the ratio)."""
    known = ~np.isnan(car.temperature_start_c + car.temperature_end_c)
    warming = np.where(known, coldness(car.temperature_end_c) - coldness(car.temperature_start_c), 0.0)
    return np.column_stack([car.c_rate, coldness(car.temperature_c), -100 * warming / car.delta_soc])


def fit_corrections(cars: Sequence[Sessions]) -> Corrections:
    """Coefficients of a model by weighted ridge regression of ln(ratio), Huber weights, one level per car.

    Only differences between sessions of one car count (fixed effects), so a car's health cannot pose as a loss. The
    prior decides where all sessions are alike; its uncertainty then stays in the result.
    """
    centre, sd = np.array([LOSS_PRIOR, CELL_GAIN_PRIOR, LOCK_PRIOR]).T
    tie = np.diag(sd**2)
    car = np.repeat(np.arange(len(cars)), [one.ratio_kwh.size for one in cars])
    drivers = np.concatenate([_drivers(one) for one in cars])
    target = np.log(np.concatenate([one.ratio_kwh for one in cars]))
    precision = 1 / np.concatenate([one.variance for one in cars])
    coefficients, weights, scale = centre, precision, 1.0
    posterior = tie
    for _ in range(30):
        mean = _car_means(np.column_stack([drivers, target]), weights, car)
        inner, aim = drivers - mean[:, :-1], target - mean[:, -1]
        weighted = inner * weights[:, None] / scale
        posterior = np.linalg.inv(weighted.T @ inner + np.linalg.inv(tie))
        new = posterior @ (weighted.T @ aim + np.linalg.solve(tie, centre))
        converged = np.allclose(new, coefficients, rtol=1e-9, atol=1e-12)
        coefficients = new
        if converged:
            break
        errors = (aim - inner @ coefficients) * np.sqrt(precision)
        scale = max(mad_sd(errors), 1.0) ** 2
        weights = precision * huber_weights(errors, scale**0.5)
    return Corrections(coefficients, posterior)


def _car_means(values: Floats, weights: Floats, car: npt.NDArray[np.intp]) -> Floats:
    """Weighted mean of each car's rows, repeated for each row."""
    total = np.bincount(car, weights)
    sums = np.column_stack([np.bincount(car, weights * column) for column in values.T])
    return (sums / total[:, None])[car]

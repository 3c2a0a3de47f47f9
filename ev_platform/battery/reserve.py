"""The energy a battery still states at 0 % SoC: what the cars of one model know about it together.

EnergyRemaining = reserve + capacity · SoC/100. The reserve is a design value of the model with a spread between cars,
so a car whose month covers little of the SoC scale borrows it from the others. Not here: the fit of one car.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ev_platform.battery.robust import mad_sd, weighted_median

Floats = npt.NDArray[np.float64]

FEWEST_OTHERS = 4
"""Other cars of the model that are needed; with fewer each car stands alone."""
SMALLEST_SPREAD_KWH = 0.4
"""Spread between cars is never taken to be smaller: a handful of cars may agree by luck."""


class Reserve(NamedTuple):
    """Reserve to expect of one more car of a model, kWh, and its variance, kWh²."""

    kwh: float
    variance: float


def expected_reserve(others_kwh: Floats, variances: Floats) -> Reserve | None:
    """Prediction of a car's reserve from the *other* cars of its model; None if they are fewer than FEWEST_OTHERS.

    Random effects (DerSimonian and Laird 1986) in a robust form: weighted median, and between-car variance = squared
    MAD scale less the typical own variance. The variance is that of a Student prediction for one more car, (n−1)/(n−3)
    times the spread, so few cars bind less than many. The car itself is left out: its data must not count twice.

    Args:
        others_kwh: reserve of each other car, kWh.
        variances: of those estimates, kWh².
    """
    n = others_kwh.size
    if n < FEWEST_OTHERS:
        return None
    between = max(mad_sd(others_kwh) ** 2 - float(np.median(variances)), SMALLEST_SPREAD_KWH**2)
    weights = 1.0 / (variances + between)
    of_centre = (np.pi / 2) / float(weights.sum())
    return Reserve(weighted_median(others_kwh, weights), between * (n - 1) / (n - 3) + of_centre)

"""What cold does to a battery's numbers: two effects, their priors, and the fit of their strength per model.

Belongs here: the shape of the effects and how cars of a model share their strength. Not here: how an estimator applies
it.

    SoC shown = SoC + lock·coldness            a cold pack locks charge away: SoC shown falls, energy stays
    energy    = energy₂₅·(1 + gain·coldness)   a cold pack gives and takes less per percent

coldness ≤ 0 is the kelvin below KNEE_C. Strengths are (lock, gain), both per kelvin and relative to the full capacity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KNEE_C = 20.0
"""Above this a pack shows its full capacity, so a value at 20 °C is also the value at the reference of 25 °C."""
CAR_SPREAD = 0.0003
"""Spread of both strengths between cars of one model, 1/K: one car's month alone never decides for the model."""


class Strengths(NamedTuple):
    """(lock, gain), 1/K, and their covariance."""

    mean: Floats
    covariance: Floats


LOCK_PRIOR = (0.0005, 0.001)
"""Mean and sd: owners see a usable level 2 to 4 % below the total one (Tesla: Soc, BatteryLevel) near freezing."""
BMS_GAIN_PRIOR = (0.001, 0.0015)
"""Energy the battery management system states: between a system that corrects for temperature already (-0.05 %/K
measured on a BMW i3) and bare cells (+0.25 %/K)."""
CELL_GAIN_PRIOR = (0.002, 0.0015)
"""Energy that passes the terminals: lithium-ion cells give and take 0.2 to 0.3 %/K less below 20 °C, but a system whose
SoC allows for that hides it."""

BMS_PRIOR = Strengths(
    np.array([LOCK_PRIOR[0], BMS_GAIN_PRIOR[0]]), np.diag([LOCK_PRIOR[1] ** 2, BMS_GAIN_PRIOR[1] ** 2])
)


def coldness(temperature_c: Floats) -> Floats:
    """Kelvin below KNEE_C as a number ≤ 0; 0 where warm or not known (NaN)."""
    return np.nan_to_num(np.minimum(temperature_c, KNEE_C) - KNEE_C, nan=0.0)


def shared_strengths(information: Floats, right: Floats, prior: Strengths) -> Strengths:
    """Strengths of a model from what its cars say and a prior (ridge regression; Hoerl and Kennard 1970).

    Cars are random effects with CAR_SPREAD: each counts with (J⁻¹ + s²)⁻¹ = (1 + s²J)⁻¹J, which also holds for a car
    that was never cold (J = 0).

    Args:
        information: (cars, 2, 2), inverse covariance J of each car's own estimate.
        right: (cars, 2), J times that estimate.
        prior: what holds without evidence.

    Returns:
        Strengths to expect of one car of the model.
    """
    damped = np.linalg.inv(np.eye(2) + CAR_SPREAD**2 * information)
    precision = np.linalg.inv(prior.covariance)
    total = (damped @ information).sum(0) + precision
    mean = np.linalg.solve(total, (damped @ right[..., None])[..., 0].sum(0) + precision @ prior.mean)
    return Strengths(mean, np.linalg.inv(total) + CAR_SPREAD**2 * np.eye(2))

"""Several methods' answers as one number with one standard deviation.

Belongs here: weighting, the check of agreement, thin evidence. Not here: how a method came to its answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ev_platform.battery.estimate import TOO_LITTLE_EVIDENCE, Estimate

METHOD = "pooled"

DISAGREE = 2.0
"""Birge ratio from which methods are said to disagree: with two methods, a difference of two standard deviations."""


def pool(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of the methods' capacities with the inverse of their own variances as weights.

    If they scatter more than their own standard deviations allow, those are scaled up by the Birge ratio
    R = √(χ²/(m − 1)) (Birge 1932; the scale factor of the Particle Data Group). What all methods share is not averaged
    down but added. The same charge can be seen by two methods, so Σ ΔSoC is the largest of theirs, not the sum; n is
    the sum (sessions and days). Reasons of a method carry its name in front: `charge_energy.inferred:2`.
    """
    reasons = tuple(f"{one.method}.{reason}" for one in estimates for reason in one.reasons)
    given = [one for one in estimates if one.capacity_kwh is not None]
    covered = max((one.sum_delta_soc for one in given or estimates), default=0.0)
    n = sum(one.n for one in given or estimates)
    if not given:
        return Estimate(METHOD, n=n, sum_delta_soc=covered, reasons=(TOO_LITTLE_EVIDENCE, *reasons))
    capacities = np.array([one.capacity_kwh for one in given], dtype=np.float64)
    own = np.array([one.own_sd_kwh for one in given])
    shared = np.array([one.shared_sd_kwh for one in given])
    weights = own**-2 / (own**-2).sum()
    capacity = float(weights @ capacities)
    sd = float((own**-2).sum() ** -0.5)
    if len(given) > 1:
        birge = float(np.sqrt((((capacities - capacity) / own) ** 2).sum() / (len(given) - 1)))
        sd *= max(birge, 1.0)
        if birge > DISAGREE:
            reasons = ("methods_disagree", *reasons)
    return Estimate(METHOD, capacity, sd, float(weights @ shared), n, covered, reasons)

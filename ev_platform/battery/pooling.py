"""Several methods' answers as one number with one standard deviation.

Belongs here: weighting, the check of agreement, thin evidence. Not here: how a method came to its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ev_platform.battery.estimate import TOO_LITTLE_EVIDENCE, Estimate

METHOD = "pooled"

MEAN_VOLTAGE_SD = 0.015
"""Error of turning charge into energy by the mean voltage of the same windows, relative."""
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


def publish(energy: Sequence[Estimate], others: Mapping[str, Estimate]) -> Estimate:
    """The published answer: the pooled energy methods, else the next best evidence, which is then named.

    Order where no energy method has a number: charge by the pack's current times its mean voltage, rated range, the
    manufacturer. Charge capacity stands beside energy, from the current, else from the manufacturer.

    Args:
        energy: the methods that measure energy; pooled by `pool`.
        others: estimates by method: current, rated_range, manufacturer.
    """
    answer = pool(energy)
    current, stated = others.get("current"), others.get("manufacturer")
    if answer.capacity_kwh is None:
        named = (
            (name, _as_energy(others[name])) for name in ("current", "rated_range", "manufacturer") if name in others
        )
        name, found = next(((n, one) for n, one in named if one.capacity_kwh is not None), ("", None))
        if found is not None:
            reasons = (f"fallback:{name}", *(r for r in answer.reasons if r != TOO_LITTLE_EVIDENCE))
            answer = replace(found, method=METHOD, reasons=reasons)
    charge = current if current is not None and current.capacity_ah is not None else stated
    if charge is not None and charge.capacity_ah is not None:
        reasons = (*answer.reasons, f"ah_from:{charge.method}")
        if answer.capacity_kwh is None:
            reasons = tuple(r for r in reasons if r != TOO_LITTLE_EVIDENCE)
            answer = replace(answer, n=charge.n, sum_delta_soc=charge.sum_delta_soc)
        answer = replace(answer, capacity_ah=charge.capacity_ah, sd_ah=charge.sd_ah, reasons=reasons)
    if stated is not None:
        answer = replace(answer, soh_percent=stated.soh_percent, soh_sd=stated.soh_sd)
    extra = (f"{one.method}.{r}" for one in others.values() for r in one.reasons)
    return replace(answer, reasons=(*answer.reasons, *extra))


def _as_energy(one: Estimate) -> Estimate:
    """The estimate with an energy, where its charge and mean voltage give one."""
    if one.capacity_kwh is not None or one.capacity_ah is None or one.sd_ah is None or not one.kwh_per_ah:
        return one
    kwh = one.capacity_ah * one.kwh_per_ah
    sd = kwh * float(np.hypot(one.sd_ah / one.capacity_ah, MEAN_VOLTAGE_SD))
    return replace(one, capacity_kwh=kwh, own_sd_kwh=sd, shared_sd_kwh=0.0)

"""Robust statistics that the estimators share: small numeric functions over NumPy arrays, no vehicle in sight.

Belongs here: lines, scales, weights and variances that survive outliers and dependence. Not here: batteries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HUBER_K = 1.345
"""Huber's tuning constant: 95 % efficiency for Gaussian noise (Huber 1964)."""
MAD_TO_SD = 1.4826
"""Median absolute deviation to the standard deviation of a Gaussian."""
REJECT_Z = 3.5
"""Modified z-score beyond which a value is an outlier (Iglewicz and Hoaglin 1993)."""
THEIL_SEN_POINTS = 256
"""Points of the starting line at most: 32,640 pairs."""
FEWEST_GROUPS = 4
"""Groups of days that the blocking analysis needs at least: fewer say nothing about a variance."""


def mad_sd(values: Floats) -> float:
    """Standard deviation of the bulk of `values` by the median absolute deviation from their median."""
    return float(MAD_TO_SD * np.median(np.abs(values - np.median(values))))


def weighted_median(values: Floats, weights: Floats) -> float:
    """Value with half of the weight on either side; the middle of two where the halves meet between them."""
    order = np.lexsort((weights, values))
    cumulative = np.cumsum(weights[order])
    low = np.searchsorted(cumulative, cumulative[-1] * (0.5 - 1e-12))
    high = np.searchsorted(cumulative, cumulative[-1] * (0.5 + 1e-12))
    return float((values[order][low] + values[order][min(high, values.size - 1)]) / 2)


def huber_weights(residuals: Floats, scale: float) -> Floats:
    """Weights of iteratively reweighted least squares for Huber's loss: 1 inside HUBER_K·scale, then falling as 1/r.

    `scale` must be positive.
    """
    limit = HUBER_K * scale
    return limit / np.maximum(np.abs(residuals), limit)


def theil_sen(x: Floats, y: Floats) -> tuple[float, float]:
    """(intercept, slope): the median of all pairwise slopes (Theil 1950, Sen 1968), bad points up to 29 % do no harm.

    Long inputs are thinned evenly along x, so the result stays a function of the set of points.
    """
    order = np.lexsort((y, x))
    if order.size > THEIL_SEN_POINTS:
        order = order[np.linspace(0, order.size - 1, THEIL_SEN_POINTS).astype(int)]
    a, b = np.triu_indices(order.size, 1)
    dx, dy = x[order][b] - x[order][a], y[order][b] - y[order][a]
    slope = float(np.median(dy[dx > 0] / dx[dx > 0])) if (dx > 0).any() else 0.0
    return float(np.median(y - slope * x)), slope


def shrunk_variance(measured: float, freedom: float, expected: float, trust: float) -> float:
    """Variance from few values, drawn to an expected one: (ν₀·s₀² + ν·s²)/(ν₀ + ν).

    The scaled inverse chi-squared prior (Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6): a few days that
    agree by luck must not give a standard deviation near zero. `trust` is ν₀, the number of values it is worth.
    """
    return (trust * expected + freedom * measured) / (trust + freedom)


class Scatter(NamedTuple):
    """Variances of an estimate, by what its days say about it.

    independent: as if every day's error were its own; it averages out with more days.
    wander: of an error that neighbouring days share; it does not average out.
    """

    independent: float
    wander: float


def blocked_jackknife(information: Floats, right: Floats, prior: Floats, prior_right: Floats) -> Scatter:
    """Variances of the last parameter of a weighted least-squares solution whose data come in consecutive days.

    Leaves out one day after the other (Tukey's jackknife), then groups of 2, 4, 8 … consecutive days. Independent days
    give the same variance at every size; where it grows with the size, days err together (blocking; Flyvbjerg and
    Petersen 1989), as after a recalibration. A value that moved like that within the month is off by about as much
    all month long, so the excess counts as the variance of one group, not of the mean of the groups.

    Args:
        information: (days, p, p), XᵀWX of each day.
        right: (days, p), XᵀWy of each day.
        prior: (p, p), added to XᵀWX of every solution.
        prior_right: (p,), added to XᵀWy of every solution.

    Returns:
        Scatter; zeros with fewer than two days.
    """
    days, p = right.shape
    ridge = np.eye(p) * 1e-9 * np.trace(information.sum(0))
    independent, wander, size = 0.0, 0.0, 1
    while days >= 2 and (size == 1 or -(-days // size) >= FEWEST_GROUPS):
        starts = np.arange(0, days, size)
        kept = information.sum(0) + prior + ridge - np.add.reduceat(information, starts, axis=0)
        kept_right = right.sum(0) + prior_right - np.add.reduceat(right, starts, axis=0)
        last = np.linalg.solve(kept, kept_right[..., None])[:, -1, 0]
        groups = len(starts)
        variance = float((groups - 1) / groups * ((last - last.mean()) ** 2).sum())
        if size == 1:
            independent = variance
        wander = max(wander, groups * (variance - independent))
        size *= 2
    return Scatter(independent, wander)

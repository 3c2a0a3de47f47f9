"""Battery health over months: a state-space filter of level and trend, causal, with a calibrated interval.

    x(t+Δ) = x(t) + trend·Δ + noise        x = ln(capacity); observed once a month with the month's own error

Belongs here: the filter of one series and the table of all. Not here: where the monthly values come from (health.py),
what lies ahead (degradation.py). Kalman 1960; local linear trend with a prior on the trend (Harvey 1989), the prior
from published fleets.

A month's error has two parts: noise, which months average out, and what stays (the meter, the SoC scale), which they
do not; so the interval never shrinks below the second. A value that does not fit is damped (Huber); two in a row on the
same side are a fact (a new battery, a new calibration) and the filter starts again there. Nothing is forced to fall.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TREND_PER_YEAR = -0.023
"""Mean of published fleets (Geotab 2025: 22,700 vehicles of 21 models lose 2.3 % a year)."""
TREND_SD_PER_YEAR = 0.02
LEVEL_NOISE = 0.0004
"""Process noise of ln(capacity) per √day: 0.02 Ah/√day on a pack of 55 Ah."""
TREND_NOISE = 0.00002
"""Process noise of the trend, per year and √day: about 0.04 %/a in a year."""
STAYS = 0.006
"""Share of a month's error that other months of the same car repeat, relative: the SoC that all methods divide by, the
meter, the stated energy's own scale."""
SMALLEST_NOISE = 0.002
OUTLIER_Z = 3.0
BREAK_Z = 4.0
DAYS_PER_YEAR = 365.25
FAR_APART_DAYS = 400
"""After a silence of more than a year only the level is carried on."""


@dataclass(frozen=True)
class State:
    """Filtered state after one month. level is ln(capacity); trend per year; variances and covariance beside them.

    stays_sd: relative error that more months do not reduce. n: months observed since the last break.
    """

    level: float
    trend: float
    level_var: float
    trend_var: float
    covariance: float
    stays_sd: float
    n: int
    reason: str = ""

    @property
    def capacity(self) -> float:
        """Filtered capacity in the unit of the observations."""
        return float(np.exp(self.level))

    @property
    def sd(self) -> float:
        """One standard deviation of the capacity."""
        return self.capacity * float(np.sqrt(self.level_var + self.stays_sd**2))

    def ahead(self, days: float) -> State:
        """The state `days` later without any observation."""
        years = days / DAYS_PER_YEAR
        level_var = self.level_var + 2 * years * self.covariance + years**2 * self.trend_var + LEVEL_NOISE**2 * days
        return State(
            self.level + self.trend * years,
            self.trend,
            level_var,
            self.trend_var + TREND_NOISE**2 * days,
            self.covariance + years * self.trend_var,
            self.stays_sd,
            self.n,
        )


def filter_series(days: Iterable[float], values: Floats, sds: Floats) -> list[State]:
    """Filtered states of one series, each from its own and earlier values only.

    Args:
        days: time of each value, days, rising.
        values: capacity, any unit; NaN where the month has no value (the state is carried on).
        sds: one standard deviation of each value, same unit.

    Returns:
        A state per value; values before the first observation give none, so the list may be shorter at its front.
    """
    states: list[State] = []
    waiting: tuple[float, float] | None = None
    at = 0.0
    for day, value, sd in zip(days, values, sds, strict=True):
        known = bool(np.isfinite(value) and value > 0 and np.isfinite(sd) and sd > 0)
        if not states:
            if known:
                states.append(_first(float(value), float(sd)))
                at = day
            continue
        state = states[-1].ahead(day - at)
        at = day
        if not known:
            states.append(state)
            continue
        new, surprise = _update(state, float(value), float(sd))
        if abs(surprise) > BREAK_Z and waiting is not None and np.sign(waiting[0]) == np.sign(surprise):
            pair = _first(float(np.sqrt(value * waiting[1])), float(sd))
            new = State(pair.level, state.trend, pair.level_var, state.trend_var, 0.0, pair.stays_sd, 2, "level_shift")
            waiting = None
        else:
            waiting = (surprise, float(value)) if abs(surprise) > BREAK_Z else None
        states.append(new)
    return states


def _noise(relative_sd: float) -> tuple[float, float]:
    """(noise, what stays) of a relative standard deviation."""
    stays = min(STAYS, relative_sd * 0.85)
    return max(float(np.sqrt(relative_sd**2 - stays**2)), SMALLEST_NOISE), stays


def _first(value: float, sd: float) -> State:
    noise, stays = _noise(sd / value)
    return State(float(np.log(value)), TREND_PER_YEAR, noise**2, TREND_SD_PER_YEAR**2, 0.0, stays, 1)


def _update(state: State, value: float, sd: float) -> tuple[State, float]:
    """State after one observation, and the observation's surprise in standard deviations."""
    noise, stays = _noise(sd / value)
    innovation = float(np.log(value)) - state.level
    total = state.level_var + noise**2
    surprise = innovation / np.sqrt(total)
    reason = ""
    if abs(surprise) > OUTLIER_Z:  # Huber: the weight falls as 1/|z|
        total *= abs(surprise) / OUTLIER_Z
        reason = "damped_outlier"
    gain_level, gain_trend = state.level_var / total, state.covariance / total
    stays_sd = (state.stays_sd * state.n + stays) / (state.n + 1)
    return (
        State(
            state.level + gain_level * innovation,
            state.trend + gain_trend * innovation,
            (1 - gain_level) * state.level_var,
            state.trend_var - gain_trend * state.covariance,
            (1 - gain_level) * state.covariance,
            stays_sd,
            state.n + 1,
            reason,
        ),
        float(surprise),
    )


def middle_of(month: str) -> date:
    """The day that a month's value stands for.

    Raises:
        ValueError: not a month "YYYY-MM".
    """
    return date(int(month[:4]), int(month[5:7]), 15)

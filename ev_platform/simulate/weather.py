"""Outside temperature where the fleet lives: season, weather of the day, time of day."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ev_platform.simulate.streams import DAY_MS, stream

_SEASON_MEAN_C, _SEASON_SWING_C, _DAILY_SWING_C, _WEATHER_SD_C = 11.5, 8.5, 3.5, 3.0


@lru_cache(maxsize=4096)
def _anomaly_c(seed: int, day_number: int) -> float:
    return float(stream(seed, "weather", day_number).normal(0.0, _WEATHER_SD_C))


def outside_temperature_c(seed: int, time_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Temperature in °C at each instant (ms since 1970, UTC); moderate European climate, plausible."""
    days = time_ms / DAY_MS
    first = int(days[0])
    knots = np.arange(first - 1, int(days[-1]) + 3)
    weather = np.interp(days, knots + 0.5, [_anomaly_c(seed, int(knot)) for knot in knots])
    season = _SEASON_SWING_C * np.sin(2 * np.pi * (days - 110.0) / 365.25)
    clock = _DAILY_SWING_C * np.sin(2 * np.pi * (days % 1.0 - 0.36))
    result: NDArray[np.float64] = _SEASON_MEAN_C + season + clock + weather
    return result

"""Rules of cleaning for the pack current and voltage that need a vehicle's whole day: sign and level.

Belongs here: what a day of one vehicle and provider says about its sensors. Not here: single values (clean_rules.py),
the offset of the current sensor, which takes weeks to see (current_offset.py). Pure.
"""

from __future__ import annotations

import numpy as np

from ev_platform.transform.clean_tables import Wide
from ev_platform.transform.series import Floats, Groups, Ints, run_of_row, run_starts, sum_runs

INTEGRAL_STEP_S = 60.0
SIGN_CORRELATION = -0.7
SIGN_SOC_PERCENT = 5.0
SIGN_STEPS = 3
VOLTAGE_SHARE = (0.52, 1.35)
"""0.6 to 1.15 of the nominal voltage, where the day's median may itself lie between 0.85 and 1.15 of it."""
VOLTAGE_READINGS = 10


def turn_reversed_current(wide: Wide) -> None:
    """Current that runs against SoC all day is turned: the feed counts discharging as positive.

    The sign is declared per feed; loggers differ from car to car all the same. Only a clear case is touched: over steps
    of SoC that add up to 5 % and more, charge and SoC are correlated by -0.7 and less. Every value turned is counted
    and flagged.
    """
    if not wide.has("soc_percent", "pack_current_a"):
        return
    soc, current, groups = wide.values["soc_percent"], wide.values["pack_current_a"], wide.groups
    series = run_of_row(groups.starts, groups.rows)
    step_soc, step_ah, of_series = _steps(wide, soc, current, series)
    count = len(groups.starts)
    both = sum_runs(step_soc * step_ah, of_series, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(sum_runs(step_soc**2, of_series, count) * sum_runs(step_ah**2, of_series, count))
        correlation = both / spread
    enough = sum_runs(np.abs(step_soc), of_series, count) >= SIGN_SOC_PERCENT
    enough &= np.bincount(of_series, minlength=count) >= SIGN_STEPS
    turned = (enough & (correlation <= SIGN_CORRELATION))[series] & ~np.isnan(current)
    if turned.any():
        wide.values["pack_current_a"] = np.where(turned, -current, current)
        wide.flag("reversed", "pack_current_a", np.flatnonzero(turned))


def _steps(wide: Wide, soc: Floats, current: Floats, series: Ints) -> tuple[Floats, Floats, Ints]:
    """(change of SoC, charge in Ah, series) of every step between whole percents of SoC that the current covers."""
    known = np.flatnonzero(~np.isnan(soc))
    observed = Groups.of(series[known])
    at = known[run_starts(observed, np.floor(soc[known]))]  # finer steps drown in the noise of slow sampling
    begins = np.zeros(wide.groups.rows, dtype=bool)
    begins[at] = True
    begins[wide.groups.starts] = True
    step = np.cumsum(begins) - 1
    count = int(step[-1]) + 1 if len(step) else 0
    rows = np.flatnonzero(~np.isnan(current))
    seconds = np.zeros(len(rows))
    seconds[:-1] = np.where(series[rows[1:]] == series[rows[:-1]], np.diff(wide.time[rows]) / 1e6, 0.0)
    covered = np.where(seconds <= INTEGRAL_STEP_S, seconds, 0.0)
    ah = sum_runs(current[rows] * covered / 3600, step[rows], count)
    cover = sum_runs(covered, step[rows], count)
    whole = at[1:][series[at[1:]] == series[at[:-1]]]
    first = at[:-1][series[at[1:]] == series[at[:-1]]]
    length = (wide.time[whole] - wide.time[first]) / 1e6
    good = cover[step[first]] >= 0.5 * length
    return (soc[whole] - soc[first])[good], ah[step[first]][good], series[first][good]


def null_voltage_off_level(wide: Wide) -> None:
    """Pack voltage below 0.52 or above 1.35 of the day's median: no pack of that kind shows it, full or empty."""
    if not wide.has("pack_voltage_v"):
        return
    voltage, groups = wide.values["pack_voltage_v"], wide.groups
    level = np.full(groups.rows, np.nan)
    for start in groups.starts.tolist():
        rows = slice(start, groups.last[start] + 1)
        readings = voltage[rows][~np.isnan(voltage[rows])]
        if len(readings) >= VOLTAGE_READINGS:
            level[rows] = np.median(readings)
    low, high = VOLTAGE_SHARE
    wide.null("voltage_level", "pack_voltage_v", (voltage < low * level) | (voltage > high * level))

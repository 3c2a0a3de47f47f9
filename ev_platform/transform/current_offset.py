"""Offset of a vehicle's current sensor, from one day: what power and state of charge disagree by, per hour.

A sensor that reads 1.3 A too low makes a drive 13 % too short of energy, and a charge too rich. SoC does not drift, so
over every drive, charge and awake standing of the day

    power integral = capacity x change of SoC + offset x (voltage x time)

holds with two unknowns per vehicle: least squares with a prior on both (capacity from the registry, no offset). Days
with a charge and a drive separate them well, others hardly: then the prior wins and nothing is corrected. The idea is
that of window regression with a shared offset (battery health does it over months, for the capacity).

Belongs here: the estimate. Not here: the sums it is made from (segment_measure.py). Pure, vehicle by vehicle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ev_platform.transform.series import Bools, Floats, Ints

PRIOR_OFFSET_A = 1.0
"""Standard deviation of offsets over cars: 1.3 A was seen, most have none."""
PRIOR_HEALTH, PRIOR_HEALTH_SD = 0.93, 0.12
UNKNOWN_KWH, UNKNOWN_SD_KWH = 55.0, 40.0
SOC_SD_PERCENT, SOC_SD_WHOLE_PERCENT = 0.15, 0.4
MODEL_SD = 0.02
"""Share of a window's energy that SoC and power may disagree by for other reasons (losses, BMS, temperature)."""
LEAST_A, LEAST_SIGMAS = 0.3, 2.5
LEAST_WINDOW_S = 300.0


@dataclass(frozen=True, slots=True)
class Windows:
    """One value per piece of time: vehicle, power integral in kWh, voltage integral in kWh per A, change of SoC."""

    vehicle: Ints
    power_kwh: Floats
    volt_kwh_per_a: Floats
    delta_soc: Floats
    whole: Bools
    """SoC comes in whole numbers."""


def offsets(windows: Windows, usable_kwh: Floats) -> tuple[Floats, Floats]:
    """(offset in A, its standard deviation) per vehicle; offset 0 where it is not clearly seen.

    Args:
        windows: the vehicles' windows; NaN where a figure is unknown (left out).
        usable_kwh: usable capacity when new per vehicle, NaN where unknown.
    """
    count = len(usable_kwh)
    known = np.isfinite(windows.power_kwh) & np.isfinite(windows.delta_soc) & np.isfinite(windows.volt_kwh_per_a)
    at = windows.vehicle[known]
    y, x, s = windows.power_kwh[known], windows.volt_kwh_per_a[known], windows.delta_soc[known] / 100
    capacity = np.where(np.isnan(usable_kwh), UNKNOWN_KWH, usable_kwh * PRIOR_HEALTH)
    capacity_sd = np.where(np.isnan(usable_kwh), UNKNOWN_SD_KWH, usable_kwh * PRIOR_HEALTH_SD)
    soc_sd = np.where(windows.whole[known], SOC_SD_WHOLE_PERCENT, SOC_SD_PERCENT) / 100 * np.sqrt(2)
    weight = 1 / ((soc_sd * capacity[at]) ** 2 + (MODEL_SD * y) ** 2)

    def total(values: Floats) -> Floats:
        return np.bincount(at, weights=values * weight, minlength=count).astype(np.float64)

    ss = total(s * s) + 1 / capacity_sd**2
    xx = total(x * x) + 1 / PRIOR_OFFSET_A**2
    sx, sy, xy = total(s * x), total(s * y) + capacity / capacity_sd**2, total(x * y)
    determinant = ss * xx - sx**2
    offset = (ss * xy - sx * sy) / determinant
    sd = np.sqrt(ss / determinant)
    clear = (np.abs(offset) >= LEAST_A) & (np.abs(offset) >= LEAST_SIGMAS * sd)
    return np.where(clear, offset, 0.0), sd

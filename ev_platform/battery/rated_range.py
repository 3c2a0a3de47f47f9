"""Usable capacity from the rated range that a vehicle shows: the last resort, where nothing else is sent.

    capacity = range at 100 % · kWh per rated km        (as TeslaMate's battery health)

The factor is a constant of the model. It comes from the registry (capacity and rated range when new), else from other
cars of the model whose capacity is known by a better method; never from the car itself, which would be a circle. Weak:
a range changes with the wheels that are set and with the software, so its standard deviation is large.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from ev_platform.battery.estimate import TOO_LITTLE_EVIDENCE, Estimate
from ev_platform.battery.robust import mad_sd

METHOD = "rated_range"
OWN_SD = 0.03
"""Systematic error, relative: wheels, software, rounding inside the vehicle."""
FEWEST_OTHERS = 3
FEWEST_DAYS = 3


def estimate_rated_range(
    ranges: pl.DataFrame,
    models: Mapping[str, str],
    new: Mapping[str, tuple[float | None, float | None]],
    known_kwh: Mapping[str, float],
) -> dict[str, Estimate]:
    """Estimate per vehicle that stated a range.

    Args:
        ranges: `Evidence.ranges`.
        models: model of each vehicle.
        new: (usable kWh, rated km) when new of each vehicle, None where unknown.
        known_kwh: capacity by better methods, of the vehicles that have one.
    """
    full = {vin: car["full_range_km"].to_numpy() for vin, car in ((c["vin"][0], c) for c in ranges.partition_by("vin"))}
    per_km = {vin: known_kwh[vin] / float(np.median(km)) for vin, km in full.items() if vin in known_kwh}
    return {vin: _estimate(vin, km, models, new.get(vin, (None, None)), per_km) for vin, km in sorted(full.items())}


def _estimate(
    vin: str,
    km: np.ndarray,
    models: Mapping[str, str],
    new: tuple[float | None, float | None],
    per_km: Mapping[str, float],
) -> Estimate:
    days = int(km.size)
    if days < FEWEST_DAYS:
        return Estimate(METHOD, n=days, reasons=(TOO_LITTLE_EVIDENCE,))
    kwh, rated = new
    others = [value for other, value in per_km.items() if other != vin and models[other] == models[vin]]
    if kwh and rated:
        factor, reason = kwh / rated, "kwh_per_km:registry"
    elif len(others) >= FEWEST_OTHERS:
        factor, reason = float(np.median(others)), f"kwh_per_km:{len(others)} cars of the model"
    else:
        return Estimate(METHOD, n=days, reasons=("no_range_reference",))
    middle = float(np.median(km))
    own = middle * factor * float(np.hypot(OWN_SD, mad_sd(km) / middle / np.sqrt(days)))
    return Estimate(METHOD, middle * factor, own, 0.0, days, reasons=(reason,))

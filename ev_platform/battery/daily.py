"""Capacity day by day from stated energy: fine enough to see a recalibration, causal, on a fixed hidden reserve.

    C(day) = E / (SoC − s0) with s0, the SoC at which the stated energy is zero, from all days up to this one

Belongs here: the daily series. Not here: the published monthly value (energy_remaining.py), which lets the reserve
breathe and corrects cold. The proportional form E/SoC is wrong by s0/SoC: 4.6 % against 0.3 % on a Nissan Leaf.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ev_platform.battery.evidence import collect_evidence
from ev_platform.battery.robust import huber_weights, mad_sd
from ev_platform.lake.schemas import SESSIONS

Floats = npt.NDArray[np.float64]

LOWEST_SHARE = 0.15
"""Readings within this of s0 (as a share of the scale) only magnify rounding."""
CALIBRATION_DAYS = 60
"""s0 is a constant of the car: looked for in all days up to this one, after so many days in the first ones only."""
FEWEST_POINTS = 12
DAILY = pa.schema(
    [
        ("vin", pa.string()),
        ("day", pa.date32()),
        ("capacity_kwh", pa.float64()),
        ("capacity_sd_kwh", pa.float64()),
        ("zero_soc_percent", pa.float64()),
        ("n_points", pa.int64()),
    ]
)
"""What `daily_capacity` returns; zero_soc_percent is s0, negative where energy is left at 0 %."""


def daily_capacity(cleaned: pa.Table, vehicles: pa.Table) -> pa.Table:
    """Capacity (kWh per 100 % of SoC) per vehicle and day, from that and earlier days only.

    Args:
        cleaned: rows with vin, time, soc_percent and battery_energy_kwh, any length.
        vehicles: VEHICLES; may be empty.

    Returns:
        DAILY, sorted; days before FEWEST_POINTS points were seen, or without any usable reading, are left out.
    """
    months = sorted(
        {str(month) for month in pa.compute.unique(pa.compute.strftime(cleaned["time"], "%Y-%m")).to_pylist()}
    )
    points = [
        collect_evidence(
            cleaned.filter(pa.compute.equal(pa.compute.strftime(cleaned["time"], "%Y-%m"), month)),
            SESSIONS.empty_table(),
            vehicles,
            month,
        ).points
        for month in months
    ]
    rows = []
    for car in (
        (pl.concat(points).sort("vin", "day") if points else pl.DataFrame()).partition_by("vin") if points else []
    ):
        rows += daily_series(car)
    return pa.Table.from_pylist(rows, schema=DAILY)


def daily_series(car: pl.DataFrame) -> list[dict[str, object]]:
    """Rows of DAILY of one vehicle from its `Evidence.points` of any length, sorted by day."""
    day = car["day"].to_numpy()
    x, energy = car["soc_percent"].to_numpy() / 100, car["battery_energy_kwh"].to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], day[1:] != day[:-1]]))
    ends = np.append(starts[1:], day.size)
    rows: list[dict[str, object]] = []
    zero: float | None = None
    calibrated_until = day[0] + np.timedelta64(CALIBRATION_DAYS, "D")
    for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
        if b >= FEWEST_POINTS and (zero is None or day[a] <= calibrated_until):
            zero = _zero_soc(x[:b], energy[:b], np.searchsorted(starts, np.arange(b), side="right") - 1)
        if zero is None:
            continue
        far = x[a:b] - zero >= LOWEST_SHARE
        if not far.any():
            continue
        weight = x[a:b][far] - zero
        ratio = energy[a:b][far] / weight
        middle = float(np.average(ratio, weights=weight**2))
        sd = float(np.sqrt(np.average((ratio - middle) ** 2, weights=weight**2) / max(int(far.sum()) - 1, 1)))
        rows.append(
            {
                "vin": car["vin"][0],
                "day": car["day"][a],
                "capacity_kwh": middle,
                "capacity_sd_kwh": float(np.hypot(sd, 0.003 * middle)),
                "zero_soc_percent": 100 * zero,
                "n_points": int(far.sum()),
            }
        )
    return rows


def _zero_soc(x: Floats, energy: Floats, day: npt.NDArray[np.intp]) -> float | None:
    """s0 (share): common to all days, each with a capacity of its own; alternating least squares with Huber's weights.

    Energy = C_day·(x − s0) is linear in (C_day, C·s0) once C is about the same on all days.
    """
    if np.ptp(np.percentile(x, [5, 95])) < 0.15:
        return None
    days = int(day[-1]) + 1
    slope, level = np.polyfit(x, energy, 1)
    zero, weights = -level / slope, np.ones_like(x)
    for _ in range(60):
        arm = x - zero
        denominator = np.bincount(day, weights * arm**2, days)
        capacity = np.bincount(day, weights * arm * energy, days) / np.maximum(denominator, 1e-12)
        # days without a lever of their own follow the others
        capacity = np.where(denominator > 0.05, capacity, slope)[day]
        new = float((weights * capacity * (capacity * x - energy)).sum() / (weights * capacity**2).sum())
        residual = energy - capacity * (x - new)
        weights = huber_weights(residual, max(mad_sd(residual), 1e-3 * abs(slope)))
        if abs(new - zero) < 1e-9:
            break
        zero = new
    return float(np.clip(zero, -0.3, 0.3))

"""The earlier rules and other plain ways to a capacity: the things to beat, kept as simple as they were.

None of them gives an uncertainty. Each takes what it needs and returns kWh or Ah per vehicle.
"""

import numpy as np
import polars as pl


def energy_added_over_soc(sessions: pl.DataFrame, least_soc=20.0) -> dict[str, float]:
    """Energy added over ΔSoC per charge with ΔSoC above a threshold; the median."""
    charges = sessions.filter(
        pl.col("kind") == "charge",
        (pl.col("soc_end") - pl.col("soc_start")) > least_soc,
        pl.col("energy_kwh").is_not_null(),
    )
    ratio = 100 * pl.col("energy_kwh") / (pl.col("soc_end") - pl.col("soc_start"))
    return dict(charges.group_by("vin").agg(ratio.median()).iter_rows())


def energy_over_soc(cleaned: pl.DataFrame, least_soc=50.0) -> dict[str, float]:
    """The proportional form: stated energy over SoC at high SoC; the median. Wrong by the hidden reserve."""
    rows = cleaned.filter(pl.col("soc_percent") >= least_soc, pl.col("battery_energy_kwh").is_not_null())
    ratio = 100 * pl.col("battery_energy_kwh") / pl.col("soc_percent")
    return dict(rows.group_by("vin").agg(ratio.median()).iter_rows())


def current_ratio(windows: pl.DataFrame) -> dict[str, float]:
    """Sum of charge over sum of ΔSoC while discharging, Ah; blind to the sensor's offset."""
    rows = windows.filter(pl.col("charge_ah") < 0, pl.col("delta_soc") < 0)
    ratio = 100 * pl.col("charge_ah").sum() / pl.col("delta_soc").sum()
    return dict(rows.group_by("vin").agg(ratio).iter_rows())


def forced_decay(monthly: list[float], epsilon=0.003) -> list[float]:
    """The earlier chain's last step: start at the maximum, then never rise and fall by at most epsilon per step."""
    out, level = [], max(monthly)
    for value in monthly:
        level = max(min(level, value), level * (1 - epsilon))
        out.append(level)
    return out


def persistence(known: np.ndarray, ahead: int) -> np.ndarray:
    """The last known value, for ever."""
    return np.full(ahead, known[-1])


def own_line(known: np.ndarray, ahead: int) -> np.ndarray:
    """A straight line through the car's own months."""
    x = np.arange(known.size)
    return np.polyval(np.polyfit(x, known, 1), np.arange(known.size, known.size + ahead))


def template_times_level(known: np.ndarray, others: np.ndarray, ahead: int) -> np.ndarray:
    """Mean of the other cars' curves times the car's own level."""
    curve = (others / others[:, :1]).mean(0)
    level = (known / curve[: known.size]).mean()
    return level * curve[known.size : known.size + ahead]

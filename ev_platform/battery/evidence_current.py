"""Windows of pack current against SoC: how much charge moved while SoC went from one step to another.

Belongs here: integration of the current between two changes of SoC, one vehicle at a time. Not here: what a window says
about capacity (current.py).

A window begins and ends where the shown SoC changes: right after a change even a SoC in whole percents is known to a
fraction of its step. Current is integrated by trapezoids over contiguous samples only, never over a pause. Nothing is
interpolated in SoC, so a stale or jumping SoC makes a window that does not fit, and is left out later.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ev_platform.lake.frames import in_order

Floats = npt.NDArray[np.float64]

WINDOW_S = 300.0
"""Length of a window: charge and SoC both move by a multiple of their noise, and a drive still has several."""
BREAK_S = 16.0
"""Longest time between two current samples that are integrated: three times the slowest useful sampling of a drive
(5 s), measured on a BMW i3: trip charge is off by 3.6 % at 5 s, 7.4 % at 10 s, 31 % at 60 s."""
CHARGE_BREAK_S = 65.0
"""As BREAK_S while current flows in steadily: charging power changes slowly."""
STEADY = 0.1
"""Change of a charging current between two samples, relative, up to which a longer step is integrated."""
TYPES: dict[str, pl.DataType] = {
    "vin": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "hours": pl.Float64(),
    "delta_soc": pl.Float64(),
    "charge_ah": pl.Float64(),
    "energy_kwh": pl.Float64(),
    "soc_mid": pl.Float64(),
    "soc_step": pl.Float64(),
    "period_s": pl.Float64(),
    "battery_temp_c": pl.Float64(),
}
"""Columns of a table of windows; `soc_step` is the finest step of the vehicle's SoC."""
COLUMNS = ("time", "soc_percent", "pack_current_a", "pack_voltage_v", "battery_temp_c")


def current_windows(rows: pl.DataFrame) -> pl.DataFrame:
    """Windows of every vehicle.

    Args:
        rows: vin and COLUMNS, one provider per vehicle; current positive into the battery; null = not observed.

    Returns:
        Columns TYPES, sorted by vin, time.
    """
    useful = rows.filter(pl.col("pack_current_a").is_not_null()).select("vin").unique()
    rows = rows.join(useful, on="vin", how="semi").filter(
        pl.any_horizontal(pl.col("pack_current_a", "soc_percent").is_not_null())
    )
    parts = [pl.DataFrame(schema=TYPES)]
    rows = rows.select("vin", *COLUMNS)
    rows = rows if in_order(rows, "vin", "time") else rows.sort("vin", "time", *COLUMNS[1:])
    for car in rows.partition_by("vin", maintain_order=True):
        found = _vehicle(car)
        if found is not None:
            parts.append(
                found.with_columns(pl.lit(car["vin"][0]).alias("vin")).select(
                    pl.col(name).cast(kind) for name, kind in TYPES.items()
                )
            )
    return pl.concat(parts).sort("vin", "time", "delta_soc", "charge_ah")


def _vehicle(car: pl.DataFrame) -> pl.DataFrame | None:
    """Windows of one vehicle from its rows in order of time; None without any."""
    seconds = car["time"].dt.timestamp("us").to_numpy() / 1e6
    amps, soc = (car[name].to_numpy().astype(np.float64) for name in ("pack_current_a", "soc_percent"))
    volts = _held(car["pack_voltage_v"].to_numpy().astype(np.float64))
    has = ~np.isnan(amps)
    at, current = seconds[has], amps[has]
    if at.size < 3:
        return None
    step = np.diff(at)
    steady = np.abs(np.diff(current)) <= STEADY * np.abs(current[1:])
    joined = (step <= BREAK_S) | ((step <= CHARGE_BREAK_S) & (current[1:] > 0) & (current[:-1] > 0) & steady)
    stretch = np.concatenate([[0], np.cumsum(~joined)])
    mean = np.where(joined, (current[1:] + current[:-1]) / 2, 0.0)
    power = current * np.nan_to_num(volts[has], nan=0.0) / 1000
    moved = np.concatenate([[0.0], np.cumsum(mean * step)]) / 3600
    energy = np.concatenate([[0.0], np.cumsum(np.where(joined, (power[1:] + power[:-1]) / 2, 0.0) * step)]) / 3600
    event, value, size = _changes(soc)
    row = np.searchsorted(at, seconds[event], side="right") - 1  # the last current sample up to the change
    inside = (row >= 0) & (row < at.size - 1)
    event, value, row = event[inside], value[inside], row[inside]
    inside = joined[row] | (seconds[event] == at[row])
    event, value, row = event[inside], value[inside], row[inside]
    if event.size < 2:
        return None
    when = seconds[event]
    share = np.where(joined[row], (when - at[row]) / np.maximum(step[row], 1e-9), 0.0)
    charge = moved[row] + share * (moved[row + 1] - moved[row])
    work = energy[row] + share * (energy[row + 1] - energy[row])
    begin = np.concatenate([[0], np.flatnonzero(np.diff(stretch)) + 1])
    bucket = ((when - at[begin][stretch[row]]) // WINDOW_S).astype(np.int64)
    first = np.concatenate([[True], (np.diff(stretch[row]) != 0) | (np.diff(bucket) != 0)])
    edge = np.flatnonzero(first)
    a, b = edge[:-1], edge[1:]
    keep = (stretch[row[a]] == stretch[row[b]]) & (when[b] - when[a] >= WINDOW_S / 2)
    a, b = a[keep], b[keep]
    if a.size == 0:
        return None
    temperature = _held(car["battery_temp_c"].to_numpy().astype(np.float64))
    return pl.DataFrame(
        {
            "time": car["time"][event[a]],
            "hours": (when[b] - when[a]) / 3600,
            "delta_soc": value[b] - value[a],
            "charge_ah": charge[b] - charge[a],
            "energy_kwh": work[b] - work[a],
            "soc_mid": (value[b] + value[a]) / 2,
            "soc_step": np.full(a.size, size),
            "period_s": (when[b] - when[a]) / np.maximum(row[b] - row[a], 1),
            "battery_temp_c": temperature[event[a]],
        }
    )


def _held(values: Floats) -> Floats:
    """The last known value at every row; before the first one, that one."""
    known = ~np.isnan(values)
    if not known.any():
        return values
    last = np.maximum.accumulate(np.where(known, np.arange(values.size), -1))
    return np.asarray(values[np.where(last < 0, int(np.argmax(known)), last)])


def _changes(soc: Floats) -> tuple[npt.NDArray[np.intp], Floats, float]:
    """Rows at which the shown SoC changes, SoC at that instant, and the finest step of the feed.

    At the instant of a change by one step the true SoC lies on the border between the two shown values.
    """
    seen = np.flatnonzero(~np.isnan(soc))
    if seen.size < 2:
        return seen[:0], soc[:0], 1.0
    jump = np.diff(soc[seen])
    moved = np.flatnonzero(jump) + 1
    sizes = np.abs(jump[jump != 0])
    size = float(np.percentile(sizes, 10)) if sizes.size else 1.0
    border = np.abs(jump[moved - 1]) <= 1.5 * size
    shown = soc[seen[moved]]
    return seen[moved], shown - np.where(border, jump[moved - 1] / 2, 0.0) * (size >= 0.2), size

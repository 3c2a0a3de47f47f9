"""The earlier rules: phases of one direction of SoC, as one integration cut them. The thing to beat, nothing else.

Null SoC dropped; direction = sign of the change of SoC, held on; a phase = a run of one direction; phases of less than
3 minutes join the one before; one point between two equal runs is absorbed; a phase is split where 45 minutes are
missing; charging or driving if SoC changes by more than 0.5 in all, else idle, unless both neighbours agree; energy =
change of SoC x net capacity. Usable: more than one point, at most 24 h.
"""

from __future__ import annotations

import pandas as pd

SPLIT_S, SHORT_S, LEAST_PERCENT, LONGEST_S = 45 * 60, 180, 0.5, 86_400


def phases(cleaned: pd.DataFrame, usable: dict[str, float]) -> list[dict]:
    """Charges and drives (dicts like sessions) of rows with vin, time, soc_percent."""
    found = []
    for vin, rows in cleaned.dropna(subset=["soc_percent"]).groupby("vin"):
        found += [_phase(vin, part, usable.get(vin)) for part in _runs(rows.sort_values("time"))]
    return [phase for phase in found if phase is not None]


def _runs(rows: pd.DataFrame) -> list[pd.DataFrame]:
    step = rows["soc_percent"].diff()
    direction = step.gt(0).astype(int) - step.lt(0).astype(int)
    direction = direction.where(direction != 0).ffill().bfill().fillna(0)
    split = rows["time"].diff().dt.total_seconds().gt(SPLIT_S).cumsum()
    runs: list[tuple[int, list[int]]] = []
    for place, key in enumerate(zip(direction, split, strict=True)):
        if runs and runs[-1][0] == key:
            runs[-1][1].append(place)
        else:
            runs.append((key, [place]))
    merged: list[tuple[int, list[int]]] = []
    for key, places in runs:
        seconds = (rows["time"].iloc[places[-1]] - rows["time"].iloc[places[0]]).total_seconds()
        same = bool(merged) and merged[-1][0] == key
        if merged and (same or seconds < SHORT_S) and merged[-1][0][1] == key[1]:
            merged[-1][1].extend(places)
        else:
            merged.append((key, list(places)))
    return [rows.iloc[[max(places[0] - 1, 0), *places]] for _, places in merged]


def _phase(vin: str, part: pd.DataFrame, usable: float | None) -> dict | None:
    first, last = part.iloc[0], part.iloc[-1]
    change = last["soc_percent"] - first["soc_percent"]
    seconds = (last["time"] - first["time"]).total_seconds()
    if abs(change) <= LEAST_PERCENT or len(part) < 2 or seconds > LONGEST_S:
        return None
    return {
        "vin": vin,
        "kind": "charge" if change > 0 else "drive",
        "start": first["time"].to_pydatetime(),
        "end": last["time"].to_pydatetime(),
        "soc_start": first["soc_percent"],
        "soc_end": last["soc_percent"],
        "energy_kwh": None if usable is None else change / 100 * usable,
    }

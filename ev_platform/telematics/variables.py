"""The vocabulary of telematics readings as data: variables with kind and unit, and the bands of alarmClass.

`alarmClass` is a band code, not a severity from 0 to 5: 1 very low, 2 low, 0 normal, 3 high, 4 very high; 5 marks a
flag that is off. Its thresholds are those of the device. A value of exactly 0 is always sent as class 0.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

BANDS: dict[int, str] = {0: "normal", 1: "very_low", 2: "low", 3: "high", 4: "very_high", 5: "off"}
"""Band of each alarm class."""

ALARMS = ("very_low", "very_high")
"""Bands whose runs are alarms; `low` and `high` are notices, `off` is a state."""

KINDS = ("number", "flag", "position")


class Variable(NamedTuple):
    """A variable that devices send."""

    name: str
    kind: str
    unit: str
    note: str


@lru_cache(maxsize=1)
def variables() -> dict[str, Variable]:
    """Variables by name."""
    with (Path(__file__).parent / "variables.csv").open(encoding="utf-8", newline="") as file:
        found = [Variable(*row) for row in csv.reader(file)][1:]
    return {one.name: one for one in found}


def class_of(value: object) -> int | None:
    """The alarm class that a message carries, as a number or as text; None when it is none that we know."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value in BANDS else None

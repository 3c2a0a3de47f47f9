"""Files of history with known truth, in the shape of LeafSpy logs: what `ev import` reads. Same seed, same rows.

`python -m ev_platform.simulate.history FILE --rows 1000000` writes one, and beside it the registry of its cars
(FILE.vehicles.csv). Each car has two drives and a charge a day; its usable capacity is known, energy is affine in the
state of charge (a hidden reserve), and all columns are written as LeafSpy writes them: SOC and AHr times 10,000, Gids
of 80 Wh, pack amps positive while discharging.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

DAY_S = 86_400
RESERVE_KWH = 2.4
CAPACITY_NEW_KWH = 38.0
_DRIVES_H = (7.4, 17.2)
_CHARGE_H = 18.6
_VOLTS = 355.0


@dataclass(frozen=True)
class Car:
    """One car and what is true about it."""

    vin: str
    usable_kwh: float
    seed: int


def cars(count: int, seed: int = 1) -> list[Car]:
    """Invented cars; VINs have the form of ISO 3779, no maker's code."""
    chance = np.random.default_rng(seed)
    return [
        Car(f"EVPLEAF00{n:08d}", round(float(chance.uniform(31, 37)), 2), seed * 1000 + n) for n in range(1, count + 1)
    ]


def log(car: Car, first_day: date, days: int, period_s: int = 5) -> pl.DataFrame:
    """The log of one car: a row every `period_s` seconds while it drives or charges."""
    chance = np.random.default_rng(car.seed)
    parts, soc, odometer = [], 80.0, 20_000.0
    for number in range(days):
        start = datetime.combine(first_day, datetime.min.time(), UTC) + timedelta(days=number)
        for hour in _DRIVES_H:
            part, soc, odometer = _drive(car, start, hour, soc, odometer, period_s, chance)
            parts.append(part)
        part, soc = _charge(car, start, soc, odometer, period_s, chance)
        parts.append(part)
    return _as_written(pl.concat(parts), car)


def _drive(
    car: Car, start: datetime, hour: float, soc: float, odometer: float, period_s: int, chance: np.random.Generator
) -> tuple[pl.DataFrame, float, float]:
    minutes = chance.uniform(35, 55)
    steps = int(minutes * 60 / period_s)
    t = hour * 3600 + chance.uniform(0, 900) + np.arange(steps) * period_s
    speed = np.clip(45 + 30 * np.sin(np.arange(steps) * period_s / 170) + chance.normal(0, 6, steps), 0, 120)
    power = -(1.0 + 0.165 * speed) + chance.normal(0, 2, steps)  # kW, negative out of the battery
    energy = np.cumsum(power) * period_s / 3600
    distance = np.cumsum(speed) * period_s / 3600
    ends = soc + energy / car.usable_kwh * 100
    frame = _frame(start, t, ends, power, odometer + distance, speed, "4", "0", "0")
    return frame, float(ends[-1]), float(odometer + distance[-1])


def _charge(
    car: Car, start: datetime, soc: float, odometer: float, period_s: int, chance: np.random.Generator
) -> tuple[pl.DataFrame, float]:
    target = chance.uniform(84, 94)
    power_kw = 6.2
    steps = max(2, int((target - soc) / 100 * car.usable_kwh / power_kw * 3600 / period_s))
    t = _CHARGE_H * 3600 + np.arange(steps) * period_s
    power = np.full(steps, power_kw) + chance.normal(0, 0.05, steps)
    ends = soc + np.cumsum(power) * period_s / 3600 / car.usable_kwh * 100
    frame = _frame(start, t, ends, power, np.full(steps, odometer), np.zeros(steps), "1", "2", "2")
    return frame, float(ends[-1])


def _frame(
    start: datetime,
    t: np.ndarray,
    soc: np.ndarray,
    power: np.ndarray,
    odometer: np.ndarray,
    speed: np.ndarray,
    gear: str,
    plug: str,
    mode: str,
) -> pl.DataFrame:
    inside = t < DAY_S - 1  # a charge that is not done at midnight goes on without the logger
    columns = {
        "epoch": int(start.timestamp()) + t.astype(int),
        "soc": soc,
        "power": power,
        "odo": odometer,
        "speed": speed,
    }
    frame = pl.DataFrame({name: values[inside] for name, values in columns.items()})
    return frame.with_columns(
        pl.lit(gear).alias("Gear"), pl.lit(plug).alias("Plug State"), pl.lit(mode).alias("Charge Mode")
    )


def _as_written(frame: pl.DataFrame, car: Car) -> pl.DataFrame:
    energy = RESERVE_KWH + pl.col("soc") / 100 * car.usable_kwh
    stamp = pl.from_epoch("epoch").dt.strftime("%m/%d/%Y %H:%M:%S")
    return frame.select(
        stamp.alias("Date/Time"),
        (48.8 + pl.col("odo") % 50 / 500).round(6).alias("Lat"),
        (2.3 + pl.col("odo") % 70 / 700).round(6).alias("Long"),
        pl.col("speed").round(1).alias("Speed"),
        (energy / 0.08).round().cast(pl.Int64).alias("Gids"),
        (pl.col("soc") * 10_000).round().cast(pl.Int64).alias("SOC"),
        pl.lit(round(car.usable_kwh / CAPACITY_NEW_KWH * 115 * 10_000)).alias("AHr"),
        (_VOLTS + pl.col("soc") / 2).round(2).alias("Pack Volts"),
        (-pl.col("power") * 1000 / (_VOLTS + pl.col("soc") / 2)).round(3).alias("Pack Amps"),
        pl.lit(car.vin).alias("VIN"),
        pl.col("odo").floor().cast(pl.Int64).alias("Odo(km)"),
        pl.lit(14).alias("Ambient"),
        pl.lit(round(car.usable_kwh / CAPACITY_NEW_KWH * 100, 2)).alias("SOH"),
        pl.col("epoch").alias("epoch time"),
        "Plug State",
        "Charge Mode",
        "Gear",
    )


def registry(fleet: list[Car]) -> pl.DataFrame:
    """The registry of the cars."""
    return pl.DataFrame(
        {
            "vin": [car.vin for car in fleet],
            "provider": "leafspy",
            "make": "Invented",
            "model": "Leaf-like 40 kWh",
            "chemistry": "NMC",
            "usable_new_kwh": CAPACITY_NEW_KWH,
            "reference_source": "simulator",
            "first_registration": "2019-05-01",
        }
    )


def write(path: Path, rows: int, first_day: date, fleet: list[Car], period_s: int = 5) -> int:
    """Write at least `rows` rows of the cars' logs, car after car, and the registry; returns the number of rows."""
    one_day = len(log(fleet[0], first_day, 3, period_s)) / 3
    days = max(1, math.ceil(1.03 * rows / len(fleet) / one_day))
    whole = pl.concat([log(car, first_day, days, period_s) for car in fleet])
    whole.write_csv(path)
    registry(fleet).write_csv(path.with_name(path.name + ".vehicles.csv"))
    return len(whole)


def main() -> None:
    """Write a file; prints what is true about its cars."""
    parser = argparse.ArgumentParser(description="writes invented LeafSpy logs for `ev import`")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cars", type=int, default=5)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=date(2026, 7, 1))
    given = parser.parse_args()
    fleet = cars(given.cars)
    print(f"{write(given.file, given.rows, given.first, fleet)} rows in {given.file}")
    for car in fleet:
        print(f"{car.vin}: {car.usable_kwh} of {CAPACITY_NEW_KWH} kWh")


if __name__ == "__main__":
    main()

"""Invented telematics readings with the shape, the bands and the dirt of real devices; same seed, same rows.

Belongs here: the generator of demo and test data, with what is true about it. Not here: playing it (replay.py).
A device has drives; while it drives it sends speed, engine speed, accelerations, positions and flags. Thresholds are
the device's own; a value of 0 is always class 0; a flag is 0 or 1, with class 5 when it is off; about 7 % of positions
have no fix. One alarm runs over midnight.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

FIELDS = ("deviceId", "timeMili", "timestamp", "value", "variable", "alarmClass")
NO_FIX_SHARE = 0.075


@dataclass(frozen=True)
class Reading:
    """One reading as a device sends it."""

    device_id: str
    milliseconds: int
    value: str
    variable: str
    alarm_class: int

    def as_row(self) -> dict[str, str | int]:
        """The message's fields."""
        moment = datetime.fromtimestamp(self.milliseconds / 1000, UTC)
        stamp = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{self.milliseconds % 1000:03d}000"
        return dict(
            zip(
                FIELDS,
                (self.device_id, self.milliseconds, stamp, self.value, self.variable, self.alarm_class),
                strict=True,
            )
        )


def device_ids(devices: int, seed: int) -> list[str]:
    """Invented ids of 32 characters, as real ones have."""
    chance = random.Random(f"devices {seed}")  # noqa: S311 - no secret
    return ["".join(chance.choices("0123456789abcdef", k=32)) for _ in range(devices)]


def readings(first_day: date, days: int, devices: int, seed: int) -> list[Reading]:
    """All readings of some devices and days, in order of time."""
    found: list[Reading] = []
    for number, device in enumerate(device_ids(devices, seed)):
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
        for offset in range(days):
            midnight = datetime.combine(first_day + timedelta(days=offset), datetime.min.time(), UTC)
            for hour in sorted(chance.sample(range(6, 21), 2)):
                start = midnight + timedelta(hours=hour, minutes=chance.randrange(40))
                found += _drive(device, start, chance.randrange(8, 18), chance, limit=60 + 10 * number)
            if number == 0 and offset + 1 < days:
                found += _battery_over_midnight(device, midnight + timedelta(days=1))
    return sorted(found, key=lambda one: (one.milliseconds, one.device_id, one.variable, one.value))


def _drive(device: str, start: datetime, minutes: int, chance: random.Random, limit: int) -> Iterator[Reading]:
    """One drive: flags at both ends, a reading of each sensor every few seconds in between."""
    base = int(start.timestamp() * 1000) + chance.randrange(1000)
    yield Reading(device, base, "1", "IGNITION_STATUS", 0)
    speed, latitude, longitude = 0.0, 12.9 + chance.random() / 10, 77.5 + chance.random() / 10
    for step in range(minutes * 12):
        at = base + step * 5000 + chance.randrange(4000)
        speed = max(0.0, min(1.5 * limit, speed + chance.gauss(0.4, 6)))
        latitude, longitude = latitude + speed / 8e5, longitude + speed / 9e5
        lost = chance.random() < NO_FIX_SHARE
        place = (
            f"0,0,{chance.randrange(-900, 0)}" if lost else f"{latitude:.6f},{longitude:.6f},{chance.randrange(900)}"
        )
        yield Reading(device, at, f'"{place}"', "POSITION", 0)
        if step % 3 == 0:
            yield _banded(device, at + 1, "Vehicle speed", round(speed), (5, 15, 0.8 * limit, limit))
            yield _banded(device, at + 2, "ENGINE RPM", round(750 + speed * 25 + chance.gauss(0, 80)),
                          (700, 800, 2200, 2600))  # fmt: skip
        if step % 4 == 0:
            yield _banded(device, at + 3, "ACCELERATION X", round(chance.gauss(0, 1.6), 2), (-3.2, -2.2, 2.2, 3.2))
            yield Reading(device, at + 4, str(int(speed < 3)), "IDLING", 0 if speed < 3 else 5)
    end = base + minutes * 60_000
    yield Reading(device, end, "0", "IGNITION_STATUS", 5)
    yield Reading(device, end + 500, str(int(chance.random() < 0.1)), "TOWING", 0)


def _battery_over_midnight(device: str, midnight: datetime) -> Iterator[Reading]:
    """A very low battery from 23:40 to 00:20: one alarm of two days."""
    for minutes in range(-20, 21, 5):
        at = int((midnight + timedelta(minutes=minutes)).timestamp() * 1000)
        yield Reading(device, at, f"{11.4 - minutes / 1000:.3f}", "EXTERNAL BATTERY", 1)


def _banded(device: str, at: int, variable: str, value: float, edges: tuple[float, float, float, float]) -> Reading:
    very_low, low, high, very_high = edges
    alarm_class = 4 if value > very_high else 3 if value > high else 0
    if value < low:
        alarm_class = 1 if value < very_low else 2
    return Reading(device, at, f"{value:g}", variable, alarm_class if value else 0)


def write_csv(rows: list[Reading], path: Path) -> None:
    """The readings as a file that `ev replay` plays."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(row.as_row() for row in rows)

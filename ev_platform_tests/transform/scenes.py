"""Short hand-written scenes: rows of one vehicle given as (minutes after noon, data) in Tesla's words and units."""

from __future__ import annotations

from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import stitch
from ev_platform_tests.transform.fleet import (
    DAY,
    HOUR,
    INVALID,
    MIDNIGHT,
    MILE,
    Life,
    Message,
    compressed,
    vehicles,
    vin_of,
)

NOON = MIDNIGHT + 12 * HOUR
MINUTE = 60_000_000


def scene(*steps, usable_kwh=60.0, start=NOON) -> Life:
    """A vehicle whose messages are (minutes after `start`, data)."""
    life = Life(vin_of(1), usable_kwh=usable_kwh)
    life.messages = [Message(start + round(m * MINUTE), data, offset=i) for i, (m, data) in enumerate(steps)]
    return life


def every(minutes, first, last, data):
    """Steps at a period; values may be functions of the minutes since `first`."""
    count = round((last - first) / minutes)
    return [
        (first + i * minutes, {k: v(i * minutes) if callable(v) else v for k, v in data.items()})
        for i in range(count + 1)
    ]


def pieces(life, day=DAY, registry=None) -> list[dict]:
    """SEGMENTS rows of one day."""
    registry = vehicles([life]) if registry is None else registry
    return segment(clean(compressed([life], day), registry).table, day, registry).to_pylist()


def sessions(life, days, registry=None) -> list[dict]:
    """SESSIONS rows of some days."""
    import pyarrow as pa

    registry = vehicles([life]) if registry is None else registry
    parts = [segment(clean(compressed([life], day), registry).table, day, registry) for day in days]
    return stitch(pa.concat_tables(parts), registry).to_pylist()


def kinds(rows) -> list[str]:
    """Kinds in order; a sleeping idle is "asleep"; pieces without length left out."""
    return ["asleep" if row["asleep"] else row["kind"] for row in rows if row["end"] > row["start"]]


def minutes(row) -> tuple[float, float]:
    """Start and end in minutes after noon of the day."""
    return tuple(round((row[k].timestamp() * 1e6 - NOON) / MINUTE, 3) for k in ("start", "end"))


PARKED = {"Gear": "ShiftStateP", "VehicleSpeed": INVALID, "PackVoltage": 360.0, "PackCurrent": -0.8}
DRIVING = {"Gear": "ShiftStateD", "VehicleSpeed": 31.0, "PackVoltage": 350.0, "PackCurrent": -30.0}
CHARGING = {"DetailedChargeState": "Charging", "PackVoltage": 370.0, "PackCurrent": 28.0, "Gear": "ShiftStateP"}


def odometer(start_km, kmh):
    """Odometer in miles, growing."""
    return lambda minutes: (start_km + kmh * minutes / 60) / MILE


def soc(start, per_hour):
    """SoC, changing."""
    return lambda minutes: start + per_hour * minutes / 60

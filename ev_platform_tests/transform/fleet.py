"""A small fleet for the tests of this room: a daily life with known truth, sent as Tesla sends it (change-only).

Independent of the product's simulator: plain Python, one loop per vehicle, no noise unless a test asks for it.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum

import pyarrow as pa

from ev_platform.lake.schemas import COMPRESSED, VEHICLES


class Marker(Enum):
    """Stands for `{"invalid": true}`."""

    INVALID = 1


DAY = "2026-11-03"
MIDNIGHT = int(datetime(2026, 11, 3, tzinfo=UTC).timestamp() * 1e6)
HOUR = 3_600_000_000
SECOND = 1_000_000
INVALID = Marker.INVALID
MILE = 1.609344


def vin_of(number: int) -> str:
    return f"EVPTEST{number:010d}"


@dataclass
class Message:
    """One record: a time and what it says, in the provider's words and units."""

    time: int
    data: dict
    offset: int = 0
    source_ts: int | None = None


@dataclass
class Truth:
    kind: str
    start: int
    end: int
    soc: float = 0.0
    km: float = 0.0
    kwh: float = 0.0
    dc: bool = False


@dataclass
class Life:
    """State of one vehicle that is driven, charged and parked by calls in time order; collects messages and truth."""

    vin: str
    usable_kwh: float = 60.0
    soc: float = 70.0
    odometer_km: float = 20_000.0
    period_s: int = 10
    time: int = MIDNIGHT
    noise: random.Random | None = None
    messages: list[Message] = field(default_factory=list)
    truth: list[Truth] = field(default_factory=list)
    counter: float = 0.0
    _sent: dict = field(default_factory=dict)

    def _voltage(self) -> float:
        return 330 + 0.6 * self.soc

    def send(self, data: dict, everything: bool = False) -> None:
        """One message with what has changed since it was last sent."""
        news = {k: v for k, v in data.items() if everything or self._sent.get(k) != v}
        self._sent.update(news)
        if news:
            self.messages.append(Message(self.time, news, offset=len(self.messages)))

    def _measures(self, current: float, speed: object, gear: object, state: str) -> dict:
        return {
            "Soc": round(self.soc, 4),
            "Odometer": round(self.odometer_km / MILE, 4),
            "PackVoltage": round(self._voltage() + current * 0.02, 2),
            "PackCurrent": round(current, 2),
            "VehicleSpeed": speed,
            "Gear": gear,
            "DetailedChargeState": "DetailedChargeState" + state,
            "DCChargingEnergyIn": round(self.counter, 3),
            "OutsideTemp": 8.0,
        }

    def sleep(self, seconds: float) -> None:
        self.time += int(seconds * SECOND)
        self.soc -= 0.02 * seconds / 3600

    def wake(self) -> None:
        """First message after sleep: every configured field is sent."""
        self.send(self._measures(-0.8, INVALID, INVALID, "Disconnected"), everything=True)
        self.time += SECOND

    def awake(
        self, seconds: float, current: float = -0.8, state: str = "Disconnected", extra: dict | None = None
    ) -> None:
        """Parked and awake."""
        for _ in range(int(seconds / self.period_s)):
            wobble = self.noise.uniform(-0.3, 0.3) if self.noise else 0.0
            self.send(self._measures(current + wobble, INVALID, INVALID, state) | (extra or {}))
            self._step(current, 0.0)

    def drive(self, seconds: float, kmh: float = 60.0, current: float = -30.0, end_sent: bool = True) -> None:
        first, soc, km = self.time, self.soc, self.odometer_km
        self.truth.append(Truth("drive", first, 0))
        for i in range(int(seconds / self.period_s)):
            speed = kmh + (self.noise.uniform(-20, 20) if self.noise else (i % 5) * 2.0)
            wobble = self.noise.uniform(-15, 15) if self.noise else (i % 3) * 4.0
            self.send(self._measures(current + wobble, round(speed / MILE, 3), "ShiftStateD", "Disconnected"))
            self._step(current + wobble, speed)
        if end_sent:
            self.send(self._measures(-0.8, INVALID, "ShiftStateP", "Disconnected"))
            self.time += SECOND
        self.truth[-1].end, self.truth[-1].soc, self.truth[-1].km = self.time, self.soc - soc, self.odometer_km - km

    def charge(self, seconds: float, current: float = 28.0, end_sent: bool = True, dc: bool = False) -> None:
        """Plugged in and charging; the battery-side counter starts at 0."""
        first, soc = self.time, self.soc
        self.counter = 0.0
        self.truth.append(Truth("charge", first, 0, dc=dc))
        where = {"FastChargerPresent": dc} | ({} if dc else {"ACChargingPower": round(current * 0.4, 2)})
        for i in range(int(seconds / self.period_s)):
            if self.soc > 99:
                break
            wobble = self.noise.uniform(-0.5, 0.5) if self.noise else (i % 4) * 0.05
            self.send(self._measures(current + wobble, INVALID, "ShiftStateP", "Charging") | where)
            before = self.soc
            self._step(current + wobble, 0.0)
            self.counter += (self.soc - before) / 100 * self.usable_kwh
        done = self._measures(-0.8, INVALID, "ShiftStateP", "Complete" if end_sent else "Charging")
        self.send(done | {"ACChargingPower": 0.0, "FastChargerPresent": False})
        self.time += SECOND
        self.truth[-1].end, self.truth[-1].soc, self.truth[-1].kwh = self.time, self.soc - soc, self.counter

    def _step(self, current: float, kmh: float) -> None:
        hours = self.period_s / 3600
        self.soc = min(100.0, self.soc + current * self._voltage() / 1000 * hours / self.usable_kwh * 100)
        self.odometer_km += kmh * hours
        self.time += self.period_s * SECOND


def commuter(number: int, days: int = 1, seed: int = 0, period_s: int = 10, start: int = MIDNIGHT) -> Life:
    """Two trips a day, AC charging over night on some days, a fast charge now and then."""
    noise = random.Random(f"{seed}/{number}")
    life = Life(vin_of(number), usable_kwh=60 + number % 3 * 10, period_s=period_s, noise=noise, time=start)
    life.soc, life.odometer_km = noise.uniform(55, 90), noise.uniform(1_000, 90_000)
    for _ in range(days):
        day_start = life.time
        life.sleep(noise.uniform(5.5, 7.5) * 3600)
        for leg in range(2):
            life.wake()
            life.awake(noise.uniform(60, 240))
            life.drive(noise.uniform(900, 2400), kmh=noise.uniform(30, 90))
            life.awake(noise.uniform(120, 600))
            if leg == 0 and noise.random() < 0.3:
                life.charge(noise.uniform(900, 1500), current=180.0, dc=True)
                life.awake(120)
            life.sleep(noise.uniform(4, 6) * 3600)
        if life.soc < 70:
            life.wake()
            life.charge(noise.uniform(1.5, 3) * 3600)
            life.awake(300, state="Complete")
        life.sleep(max(0.0, (day_start + 24 * HOUR - life.time) / 1e6))
    return life


def shifted(life: Life, microseconds: int) -> Life:
    """The same life, some time later."""
    moved = copy.deepcopy(life)
    for message in moved.messages:
        message.time += microseconds
    for truth in moved.truth:
        truth.start, truth.end = truth.start + microseconds, truth.end + microseconds
    return moved


def day_of(time: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).date().isoformat()


def next_day(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def compressed(lives: list[Life], day: str | None = None, provider: str = "tesla") -> pa.Table:
    """COMPRESSED rows of the messages of a day (of all days without one)."""
    rows: list[dict] = []
    for partition, life in enumerate(lives):
        for message in life.messages:
            if day is None or day_of(message.time) == day:
                rows.extend(datum(life.vin, message, s, v, provider, partition) for s, v in message.data.items())
    return pa.Table.from_pylist(rows, schema=COMPRESSED)


def datum(vin: str, message: Message, signal: str, value: object, provider: str = "tesla", partition: int = 0) -> dict:
    """One COMPRESSED row."""
    row = {
        "vin": vin,
        "event_time": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=message.time),
        "event_time_ns": 0,
        "signal": signal,
        "kind": "doubleValue",
        "status": "ok",
        "provider": provider,
        "is_resend": False,
        "source": f"{provider}_V",
        "partition": partition,
        "offset": message.offset,
        "source_ts": message.time // 1000 if message.source_ts is None else message.source_ts,
    }
    if value is INVALID:
        return row | {"status": "invalid", "kind": "invalid"}
    if isinstance(value, bool):
        return row | {"number": float(value), "kind": "booleanValue"}
    if isinstance(value, str):
        return row | {"text": value, "kind": "stringValue"}
    return row | {"number": float(value)}


def vehicles(lives: list[Life]) -> pa.Table:
    """Registry lines of these vehicles."""
    rows = [
        {"vin": life.vin, "provider": "tesla", "model": "M", "chemistry": "NMC", "usable_new_kwh": life.usable_kwh}
        for life in lives
    ]
    return pa.Table.from_pylist(rows, schema=VEHICLES)

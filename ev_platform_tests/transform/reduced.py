"""A car's day second by second, and what loggers of other kinds would have seen of it.

Real logs hold few of the signals that Tesla streams: taxis SoC, voltage, current and odometer every 10 to 30 s, phone
loggers what the driver switched on, polled feeds whole numbers every few minutes. `lived` is the truth, `seen` one view
of it as rows of `cleaned` (through the whole of cleaning), `score` compares sessions with the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa

from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import stitch
from ev_platform_tests.transform.fleet import MIDNIGHT, MILE, Life, Message, compressed, day_of, vehicles, vin_of

SECOND = 1_000_000


@dataclass
class Lived:
    """Arrays per second, and (kind, start s, end s) of every drive and charge."""

    soc: list = field(default_factory=list)
    km: list = field(default_factory=list)
    speed: list = field(default_factory=list)
    volt: list = field(default_factory=list)
    amp: list = field(default_factory=list)
    mode: list = field(default_factory=list)
    truth: list = field(default_factory=list)
    kwh: dict = field(default_factory=dict)


@cache
def lived(seed: int, usable_kwh: float = 28.0, aux_kw: float = 0.4) -> Lived:  # noqa: C901
    """A taxi-like day: five trips in town and out of it, one fast charge at noon, one slow one in the evening."""
    noise = np.random.default_rng(seed)
    life = Lived()
    state = {"soc": float(noise.uniform(78, 92)), "km": float(noise.uniform(20_000, 90_000))}

    def step(speed, kw, mode):
        volt = 320 + 0.6 * state["soc"]
        amp = kw * 1000 / volt
        state["soc"] = min(100.0, state["soc"] + kw / 3600 / usable_kwh * 100)
        state["km"] += speed / 3600
        for name, value in (("soc", state["soc"]), ("km", state["km"]), ("speed", speed)):
            getattr(life, name).append(value)
        life.volt.append(volt + 0.05 * amp)
        life.amp.append(amp)
        life.mode.append(mode)

    def spend(kind, seconds):
        start = len(life.soc)
        yield from range(seconds)
        if len(life.soc) > start + 180:
            life.truth.append((kind, start, len(life.soc)))
        life.kwh[start] = sum(v * a for v, a in zip(life.volt[start:], life.amp[start:], strict=True)) / 3.6e6

    def park(minutes, asleep):
        for i in range(int(minutes * 60)):
            quiet = asleep and i > 240
            step(0.0, -0.01 if quiet else -aux_kw, "asleep" if quiet else "parked")

    def drive(minutes, top):
        speed, target = 0.0, top
        for i in spend("drive", int(minutes * 60)):
            if i % 45 == 0:
                stop = noise.random() < 0.3 and i > 60
                target = 0.0 if stop else float(noise.uniform(0.4, 1.0)) * top
            accel = float(np.clip(target - speed, -6.0, 5.0))  # km/h per second
            speed = max(0.0, speed + accel)
            step(speed, _traction_kw(speed / 3.6, accel / 3.6) - aux_kw, "drive")

    def charge(kw, limit):
        for _ in spend("charge", 4 * 3600):
            if state["soc"] < limit:
                step(0.0, kw * min(1.0, (100.5 - state["soc"]) / 18), "charge")

    park(noise.uniform(300, 400), True)
    drive(noise.uniform(25, 40), 45)
    park(noise.uniform(12, 30), False)
    drive(noise.uniform(30, 50), 85)
    park(noise.uniform(40, 90), True)
    drive(noise.uniform(15, 25), 50)
    park(4 * 1.6, False)
    charge(42.0, 80)
    park(8, False)
    drive(noise.uniform(30, 55), 100)
    park(noise.uniform(60, 120), True)
    drive(noise.uniform(12, 20), 40)
    park(10, False)
    charge(6.6, 97)
    park(max(1.0, (86_400 - len(life.soc)) / 60 - 1), True)
    return life


def _traction_kw(speed_ms, accel_ms2):
    """Power into the battery of a small car: rolling, air, acceleration; losses both ways."""
    kw = -(190 + 0.45 * speed_ms**2 + 1700 * accel_ms2) * speed_ms / 1000
    return float(np.clip(kw / 0.82 if kw < 0 else kw * 0.6, -90, 40))


def seen(life: Lived, signals: tuple[str, ...], period_s: int, seed: int = 0, **how) -> Life:
    """Messages of one logger.

    how: soc_step, km_step (resolution), sleeps (no rows while the car sleeps), only_on (rows only while driving or
    charging), sign (of the current), offset_a (of the current sensor), jitter (irregular period), gear, state (words).
    """
    noise = np.random.default_rng(seed)
    messages, at = [], int(noise.integers(0, period_s))
    end = len(life.soc)
    while at < end:
        mode = life.mode[at]
        if not (how.get("sleeps", True) and mode == "asleep") and not (
            how.get("only_on") and mode not in ("drive", "charge")
        ):
            messages.append(Message(MIDNIGHT + at * SECOND, _row(life, at, signals, how), offset=len(messages)))
        at += max(1, round(period_s * (noise.uniform(0.6, 1.6) if how.get("jitter") else 1)))
    return Life(vin_of(how.get("number", 1)), usable_kwh=28.0, messages=messages)


def _row(life, at, signals, how):
    soc_step, km_step = how.get("soc_step", 0.1), how.get("km_step", 0.1)
    mode = life.mode[at]
    known = {
        "Soc": round(int(life.soc[at] / soc_step + 1e-9) * soc_step, 4),
        "Odometer": int(life.km[at] / km_step + 1e-9) * km_step / MILE,
        "VehicleSpeed": round(life.speed[at] / MILE, 2),
        "PackVoltage": round(life.volt[at], 1),
        "PackCurrent": round(how.get("sign", 1) * life.amp[at] + how.get("offset_a", 0.0), 1),
        "Gear": "ShiftStateD" if mode == "drive" else "ShiftStateP",
        "DetailedChargeState": "DetailedChargeState" + ("Charging" if mode == "charge" else "Disconnected"),
    }
    return {name: known[name] for name in signals}


def found(view: Life, registry: pa.Table | None = None) -> list[dict]:
    """Sessions of everything that was seen, day by day."""
    registry = vehicles([view]) if registry is None else registry
    days = sorted({day_of(message.time) for message in view.messages})
    parts = [segment(clean(compressed([view], day), registry).table, day, registry) for day in days]
    return stitch(pa.concat_tables(parts), registry).to_pylist()


def score(life: Lived, rows: list[dict], kind: str) -> float:
    """F1 of sessions of a kind at an overlap of one half."""
    true = [(s, e) for k, s, e in life.truth if k == kind]
    ours = [
        (row["start"].timestamp() - MIDNIGHT / 1e6, row["end"].timestamp() - MIDNIGHT / 1e6)
        for row in rows
        if row["kind"] == kind
    ]
    hits, left = 0, list(ours)
    for start, end in true:
        best = max(left, key=lambda o: min(end, o[1]) - max(start, o[0]), default=None)
        if best and (min(end, best[1]) - max(start, best[0])) / (max(end, best[1]) - min(start, best[0])) >= 0.5:
            hits += 1
            left.remove(best)
    return 2 * hits / max(len(true) + len(ours), 1)

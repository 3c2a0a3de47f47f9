"""Faults for cleaning tests: one function that damages messages at random, reproducibly, in every way that is known."""

from __future__ import annotations

import random

from ev_platform_tests.transform.fleet import INVALID, SECOND, Life, Message


def damage(life: Life, seed: int, rate: float = 0.02) -> Life:
    """The same life with faults of every kind; changes the messages in place."""
    noise = random.Random(f"faults/{seed}/{life.vin}")
    extra: list[Message] = []
    previous: dict = {}
    for message in life.messages:
        data = message.data
        if noise.random() < rate:
            fault = noise.choice(sorted(FAULTS))
            FAULTS[fault](noise, data, previous)
        if noise.random() < rate:  # sent again: new offset, sometimes with another value
            again = dict(data)
            if noise.random() < 0.3 and "Soc" in again and again["Soc"] is not INVALID:
                again["Soc"] = 50.0
            extra.append(Message(message.time, again, message.offset + 100_000, message.time // 1000 + 5_000))
        if noise.random() < rate / 4:  # a record whose time is another one's
            extra.append(Message(message.time + noise.choice([0, SECOND]), dict(data), message.offset + 200_000))
        previous = {**previous, **data}
    life.messages += extra
    return life


def _set(signal, value):
    def change(noise, data, previous):
        data[signal] = value(noise, previous) if callable(value) else value

    return change


def _last(signal, change):
    def value(noise, previous):
        known = previous.get(signal)
        return change(noise, known) if isinstance(known, float) else change(noise, 50.0)

    return value


FAULTS = {
    "soc zero": _set("Soc", 0.0),
    "soc above": _set("Soc", 101.5),
    "soc spike": _set("Soc", _last("Soc", lambda noise, x: abs(x - noise.uniform(15, 40)))),
    "soc text": _set("Soc", _last("Soc", lambda noise, x: f" {x}")),
    "soc nonsense": _set("Soc", "n/a"),
    "soc nan": _set("Soc", "NaN"),
    "soc invalid": _set("Soc", INVALID),
    "odometer back": _set("Odometer", _last("Odometer", lambda noise, x: x - noise.uniform(0.05, 30))),
    "odometer spike": _set("Odometer", _last("Odometer", lambda noise, x: x + noise.uniform(50, 5000))),
    "odometer zero": _set("Odometer", 0.0),
    "current": _set("PackCurrent", 1500.0),
    "power": _set("PackCurrent", 980.0),
    "energy": _set("EnergyRemaining", 140.0),
    "sentinel": _set("IdealBatteryRange", 999.0),
    "range": _set("IdealBatteryRange", lambda noise, previous: noise.uniform(100, 300)),
    "old gear": _set("Gear", lambda noise, previous: noise.choice(["P", "D", "", "ShiftStateSNA", "ShiftStateR", "X"])),
    "old bool": _set("FastChargerPresent", lambda noise, previous: noise.choice(["true", "false", "maybe", True])),
    "enum number": _set("BMSState", lambda noise, previous: noise.choice([12, "BMSStateDrive", "BMSStateSNA"])),
    "unmapped": _set("MediaAudioVolume", 3.5),
    "text": _set("Version", lambda noise, previous: noise.choice(["2026.38", "2026.40", INVALID])),
    "speed stuck": _set("VehicleSpeed", 90.0),
}

"""What a provider's server knows of a simulated car at any moment: the last value of each signal, and when it was.

Belongs here: from the physics to canonical names and units. Not here: a provider's spelling (standins/).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import numpy as np

from ev_platform.simulate.physics import Stretch
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.sensors import MILE_KM, report
from ev_platform.simulate.vehicle import Car, State

SAMPLE_MS = 60_000
"""A car tells its maker's server no more often than this."""

_WORDS = {
    "Charging": "charging", "Complete": "complete", "Starting": "starting", "Stopped": "stopped", "NoPower": "no_power",
    "Disconnected": "disconnected",
}  # fmt: skip


class LastKnown:
    """One car's days as change-only series, one per canonical signal."""

    def __init__(self, scenario: Scenario, index: int, first: date, days: int) -> None:
        self._times: dict[str, list[int]] = defaultdict(list)
        self._values: dict[str, list[Any]] = defaultdict(list)
        car = scenario.fleet.cars[index]
        for number in range(days):
            for session in scenario.fleet.car_day(index, first + timedelta(days=number)).sessions:
                for state, stretch in session.stretches:
                    self._add(car, state, stretch)

    def __call__(self, now_ms: int) -> dict[str, tuple[Any, int]]:
        """Canonical name → (value, time in ms), as known at that time."""
        known = {}
        for name, times in self._times.items():
            at = bisect_right(times, now_ms) - 1
            if at >= 0:
                known[name] = (self._values[name][at], times[at])
        return known

    def _add(self, car: Car, state: State, stretch: Stretch) -> None:
        step = max(1, SAMPLE_MS // stretch.step_ms)
        rows = sorted({*range(0, len(stretch.time_ms), step), len(stretch.time_ms) - 1})
        values = _canonical(report(car, state, stretch), stretch)
        for name, found in values.items():
            series = np.broadcast_to(np.asarray(found), (len(stretch.time_ms),))
            times, kept = self._times[name], self._values[name]
            for row in rows:
                value, time = series[row].item(), int(stretch.time_ms[row])
                if (not kept or kept[-1] != value) and (not times or time > times[-1]):
                    times.append(time)
                    kept.append(value)


def _canonical(sent: dict[str, Any], stretch: Stretch) -> dict[str, Any]:
    speed = sent["VehicleSpeed"]
    power = np.maximum(np.asarray(sent["ACChargingPower"]), np.asarray(sent["DCChargingPower"]))
    return {
        "soc_percent": sent["Soc"],
        "battery_energy_kwh": sent["EnergyRemaining"],
        "odometer_km": np.asarray(sent["Odometer"]) * MILE_KM,
        "estimated_range_km": np.asarray(sent["EstBatteryRange"]) * MILE_KM,
        "outside_temp_c": sent["OutsideTemp"],
        "inside_temp_c": sent["InsideTemp"],
        "charge_state": _WORDS[str(sent["DetailedChargeState"])],
        "plugged": bool(stretch.plugged),
        "charger_power_kw": power,
        "charge_limit_percent": float(sent["ChargeLimitSoc"]),
        "speed_kmh": 0.0 if speed is None else np.asarray(speed) * MILE_KM,
        "latitude": sent["Latitude"],
        "longitude": sent["Longitude"],
        "pack_power_kw": stretch.power_kw,
    }

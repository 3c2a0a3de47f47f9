"""What a vehicle physically does in one stretch of time: drive, charge, stand. Everything vectorised over samples.

Belongs here: speeds, forces, pack voltage and current, energy in the cells. Not here: what the car reports of it
(sensors.py) or why it happens (life.py). Powers are at the pack's terminals, positive into the battery.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ev_platform.simulate.models import OCV_PER_CELL
from ev_platform.simulate.profiles import ROADS
from ev_platform.simulate.vehicle import Car, Floats, State, reported_soc_percent
from ev_platform.simulate.weather import outside_temperature_c

_GRAVITY, _AIR_DENSITY = 9.81, 1.22
_DRIVETRAIN, _REGEN = 0.84, 0.58
_BASE_LOAD_KW = 0.40
_AC_EFFICIENCY, _AC_ELECTRONICS_KW = 0.935, 0.18
LOWEST_PERCENT = 4.0
"""Nobody drives below this share of the usable energy."""
SHORTEST_CHARGE_MS = 120_000
_FULL = 0.998


@dataclass
class Stretch:
    """Samples of one mode at a fixed step; a scalar means constant. Words are Tesla's without their enum prefix."""

    mode: str
    time_ms: NDArray[np.int64]
    step_ms: int
    energy_kwh: Floats
    power_kw: Floats
    volt: Floats
    amp: Floats
    odometer_km: Floats
    latitude: Floats
    longitude: Floats
    outside_c: Floats
    battery_c: Floats
    speed_kmh: Floats | None = None
    line_ac_kw: Floats | float = 0.0
    power_dc_kw: Floats | float = 0.0
    counter_kwh: Floats | float = 0.0
    counter_ac_kwh: Floats | float = 0.0
    charge_state: str = "Disconnected"
    hvac: str = "Off"
    plugged: bool = False
    words: dict[str, str] | None = None

    def first(self, count: int) -> Stretch:
        """Its first `count` samples."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)}
        return replace(self, **{name: values[:count] for name, values in arrays.items()})

    @property
    def end_ms(self) -> int:
        """Instant after the last sample."""
        return int(self.time_ms[-1]) + self.step_ms

    @property
    def terminal_kwh(self) -> float:
        """Net energy through the pack's terminals, positive into the battery."""
        return float(self.power_kw.sum()) * self.step_ms / 3.6e6


def open_circuit_v(car: Car, percent: Floats) -> Floats:
    """Pack voltage at rest for a true state of charge in percent."""
    knots, volts = zip(*OCV_PER_CELL[car.model.chemistry], strict=True)
    result: Floats = np.interp(percent, knots, volts) * car.model.cells_in_series
    return result


def _electric(car: Car, state: State, power_kw: Floats, step_ms: int) -> tuple[Floats, Floats, Floats]:
    """Volts, amperes and energy in the cells (after each sample) when `power_kw` flows at the terminals.

    U = U0 + R·I and P = U·I give I; the cells gain U0·I. U0 moves with the charge, taken from the energy without loss.
    """
    hours = step_ms / 3.6e6
    capacity = state.capacity_kwh(car)
    rough = state.energy_kwh + np.cumsum(power_kw) * hours
    rest = open_circuit_v(car, 100.0 * rough / capacity)
    resistance = car.model.resistance_ohm
    root = np.sqrt(np.maximum(rest**2 + 4000.0 * resistance * power_kw, (0.6 * rest) ** 2))
    amp = (root - rest) / (2 * resistance)
    energy = state.energy_kwh + np.cumsum(rest * amp) * hours / 1000.0
    return rest + resistance * amp, amp, np.clip(energy, 0.0, capacity)


def _relax(start_c: float, target_c: Floats | float, hours: Floats, time_constant_h: float) -> Floats:
    result: Floats = target_c + (start_c - target_c) * np.exp(-hours / time_constant_h)
    return result


def _times(start_ms: int, count: int, step_ms: int) -> NDArray[np.int64]:
    return start_ms + step_ms * np.arange(count, dtype=np.int64)


def _speeds_kmh(km: float, road: str, step_s: float, draw: Generator) -> Floats:
    """Speed at each sample of a trip of about `km`: pieces of a target speed and stops, smoothed, 0 at both ends."""
    targets, stop_share = ROADS[road]
    choices = np.array(targets) * 1.0
    pieces = int(1.7 * km / (np.mean(choices) / 3600 * 55)) + 12  # more than enough, cut below
    speed = draw.choice(choices, pieces) * draw.uniform(0.92, 1.05, pieces)
    speed[draw.random(pieces) < stop_share] = 0.0
    town = min(3, pieces // 3)
    speed[:town] = np.minimum(speed[:town], 42.0)
    samples = np.maximum(1, (draw.uniform(25, 95, pieces) / step_s).astype(int))
    samples[speed == 0.0] = np.maximum(1, int(25 / step_s))
    series = np.repeat(speed, samples)
    width = max(1, round(20 / step_s))
    series = np.convolve(np.concatenate([np.zeros(width), series]), np.ones(width) / width, "valid")
    series = np.maximum(0.0, series + draw.normal(0, 1.1, len(series)) * (series > 3))
    cut = int(np.searchsorted(np.cumsum(series) * step_s / 3600, km)) + 1
    ramp = series[: min(cut, len(series))]
    tail = np.linspace(0.7 * ramp[-1], 0.0, max(2, round(15 / step_s)))
    result: Floats = np.concatenate([[0.0], ramp, tail])
    return result


def _motor_kw(car: Car, speed_kmh: Floats, outside_c: Floats, step_s: float) -> Floats:
    """Power the motors draw, negative when they recuperate: road load (rolling, air, inertia) over efficiency."""
    metres_s = speed_kmh / 3.6
    density = _AIR_DENSITY * (1 + (15 - outside_c) * 0.0035)
    rolling = car.model.rolling * car.model.mass_kg * _GRAVITY
    force = rolling + 0.5 * density * car.model.drag_area_m2 * metres_s**2
    inertia = 1.05 * car.model.mass_kg * np.gradient(metres_s, step_s)
    wheel_kw = (force + inertia) * metres_s / 1000
    return np.where(wheel_kw > 0, wheel_kw / _DRIVETRAIN, np.maximum(wheel_kw * _REGEN, -70.0))


def _climate_kw(outside_c: Floats, hours: Floats) -> Floats:
    """Heating or cooling the cabin: strong at first, then holding (plausible)."""
    heating = np.clip(0.16 * (19 - outside_c), 0, 3.5) * (0.45 + 0.55 * np.exp(-hours * 5))
    result: Floats = heating + np.clip(0.12 * (outside_c - 24), 0, 2.0)
    return result


def drive(
    car: Car, state: State, km: float, road: str, to: tuple[float, float], step_ms: int, draw: Generator
) -> Stretch:
    """A trip of about `km` from the state's position to `to`; ends early when the battery runs low."""
    step_s = step_ms / 1000
    speed = _speeds_kmh(km, road, step_s, draw)
    time_ms = _times(state.time_ms, len(speed), step_ms)
    hours = (time_ms - state.time_ms) / 3.6e6
    outside = outside_temperature_c(car.seed, time_ms) + car.climate_offset_c
    climate = _climate_kw(outside, hours)
    power = -(_motor_kw(car, speed, outside, step_s) + _BASE_LOAD_KW + climate + draw.normal(0, 0.02, len(speed)))
    volt, amp, energy = _electric(car, state, power, step_ms)
    low = np.flatnonzero(energy < LOWEST_PERCENT / 100 * state.capacity_kwh(car))
    n = max(int(low[0]), 8) if len(low) else len(speed)
    km_done = np.cumsum(speed) * step_s / 3600
    share = km_done / km_done[-1]
    bend = 0.04 * np.sin(share * np.pi * 3) * (km_done[-1] / 111.2)
    trip = Stretch(
        mode="drive",
        time_ms=time_ms,
        step_ms=step_ms,
        energy_kwh=energy,
        power_kw=power,
        volt=volt,
        amp=amp,
        odometer_km=state.odometer_km + km_done,
        latitude=state.position[0] + (to[0] - state.position[0]) * share + bend,
        longitude=state.position[1] + (to[1] - state.position[1]) * share - bend,
        outside_c=outside,
        battery_c=_relax(state.battery_temp_c, outside + 16.0, hours, 1.6),
        speed_kmh=speed,
        counter_kwh=state.counter_kwh,
        counter_ac_kwh=state.counter_ac_kwh,
        hvac="On" if float(climate[0]) > 0.1 else "Off",
    )
    return trip.first(n)


def stand(car: Car, state: State, seconds: float, step_ms: int, draw: Generator, load_kw: float = 0.24) -> Stretch:
    """Parked and awake."""
    count = max(2, round(seconds * 1000 / step_ms))
    time_ms = _times(state.time_ms, count, step_ms)
    hours = (time_ms - state.time_ms) / 3.6e6
    outside = outside_temperature_c(car.seed, time_ms) + car.climate_offset_c
    power = -np.maximum(0.08, load_kw + draw.normal(0, 0.03, count))
    volt, amp, energy = _electric(car, state, power, step_ms)
    here = np.ones(count)
    return Stretch(
        mode="idle",
        time_ms=time_ms,
        step_ms=step_ms,
        energy_kwh=energy,
        power_kw=power,
        volt=volt,
        amp=amp,
        odometer_km=here * state.odometer_km,
        latitude=here * state.position[0],
        longitude=here * state.position[1],
        outside_c=outside,
        battery_c=_relax(state.battery_temp_c, outside, hours, 14.0),
        counter_kwh=state.counter_kwh,
        counter_ac_kwh=state.counter_ac_kwh,
        charge_state=state.cable,
        plugged=state.plugged,
    )


@dataclass(frozen=True)
class Charger:
    """Where the power comes from: `kind` ac | dc, and the most it gives."""

    kind: str
    line_kw: float


def _accepted_kw(car: Car, charger: Charger, percent: Floats, battery_c: float) -> Floats:
    """Terminal power the pack takes at each percent of charge: the charger's limit, tapered by the pack."""
    if charger.kind == "ac":
        heater = min(1.2, 0.3 * charger.line_kw) if battery_c < 6 else 0.0
        offered = max(0.8, charger.line_kw * _AC_EFFICIENCY - _AC_ELECTRONICS_KW - heater)
        result: Floats = offered * np.clip((101.0 - percent) / 3.5, 0.18, 1.0)
        return result
    knots, limits = zip(*car.model.dc_curve_kw, strict=True)
    warmth = np.clip(0.45 + 0.022 * battery_c, 0.35, 1.0)
    limited: Floats = np.minimum(np.interp(percent, knots, limits) * warmth, charger.line_kw)
    return limited


def _charging_curve(car: Car, state: State, charger: Charger) -> tuple[Floats, Floats, Floats]:
    """Percents from now to full, the terminal power at each, and the hours until each.

    The time to a percent is the integral of capacity over the power that arrives inside the cells.
    """
    capacity = state.capacity_kwh(car)
    percent = np.append(np.arange(100 * state.energy_kwh / capacity, 100.0, 0.2), 100.0)
    accepted = _accepted_kw(car, charger, percent, state.battery_temp_c)
    rest = open_circuit_v(car, percent)
    resistance = car.model.resistance_ohm
    inside_kw = rest * (np.sqrt(rest**2 + 4000 * resistance * accepted) - rest) / (2000 * resistance)
    steps = np.diff(percent) / 100 * capacity / ((inside_kw[1:] + inside_kw[:-1]) / 2)
    return percent, accepted, np.concatenate([[0.0], np.cumsum(steps)])


def charge(
    car: Car,
    state: State,
    charger: Charger,
    limit_percent: float,
    until_ms: int,
    step_ms: int,
    draw: Generator,
    counted: tuple[float, float] = (0.0, 0.0),
) -> Stretch | None:
    """Charge from the state until `Soc` shows `limit_percent` or `until_ms`; None when it would take two minutes.

    `counted` are the energy counters (battery, charger) to go on from, kWh.
    """
    capacity = state.capacity_kwh(car)
    percent, accepted, hours_at = _charging_curve(car, state, charger)
    count = min(int(hours_at[-1] * 3.6e6 / step_ms), (until_ms - state.time_ms) // step_ms)
    if count * step_ms < SHORTEST_CHARGE_MS:
        return None
    time_ms = _times(state.time_ms, count, step_ms)
    hours = (time_ms - state.time_ms) / 3.6e6
    power = np.interp(np.interp(hours, hours_at, percent), percent, accepted) * (1 + draw.normal(0, 0.004, count))
    outside = outside_temperature_c(car.seed, time_ms) + car.climate_offset_c
    fast = charger.kind == "dc"
    battery = _relax(state.battery_temp_c, 46.0 if fast else outside + 6.0, hours, 0.35 if fast else 3.0)
    volt, amp, energy = _electric(car, state, power, step_ms)
    line = np.zeros(count) if fast else (power + _AC_ELECTRONICS_KW) / _AC_EFFICIENCY
    here = np.ones(count)
    whole = Stretch(
        mode="charge",
        time_ms=time_ms,
        step_ms=step_ms,
        energy_kwh=energy,
        power_kw=power,
        volt=volt,
        amp=amp,
        odometer_km=here * state.odometer_km,
        latitude=here * state.position[0],
        longitude=here * state.position[1],
        outside_c=outside,
        battery_c=battery,
        line_ac_kw=line,
        power_dc_kw=power if fast else 0.0,
        counter_kwh=counted[0] + np.cumsum(power) * step_ms / 3.6e6 * car.counter_gain,
        counter_ac_kwh=counted[1] + np.cumsum(line) * step_ms / 3.6e6,
        charge_state="Charging",
        plugged=True,
    )
    shown = reported_soc_percent(car, state, energy, battery)
    full = np.flatnonzero((shown >= limit_percent) | (energy >= _FULL * capacity))
    result = whole.first(int(full[0]) + 1) if len(full) else whole
    return result if len(result.time_ms) * step_ms >= SHORTEST_CHARGE_MS else None


def precondition(car: Car, state: State, seconds: float, step_ms: int, draw: Generator) -> Stretch:
    """Warm the cabin on mains: 3–5 kW flow through the charger, next to nothing into the battery (TeslaLogger)."""
    result = stand(car, state, seconds, step_ms, draw, load_kw=0.15)
    n = len(result.time_ms)
    result.mode = "charge"
    result.line_ac_kw = np.minimum(float(draw.uniform(3.2, 4.8)), car.home_ac_kw) + draw.normal(0, 0.05, n)
    result.hvac = "Precondition"
    return result

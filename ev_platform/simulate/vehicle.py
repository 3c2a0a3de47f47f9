"""One vehicle: what never changes (`Car`), what is carried from day to day (`State`), and how its battery ages.

Belongs here: the true battery and what its battery management system (BMS) believes about it. Not here: motion and
charging (physics.py), the daily life (life.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from ev_platform.simulate.models import MODELS, EvModel
from ev_platform.simulate.profiles import PROFILES, Profile
from ev_platform.simulate.streams import stream

Floats = NDArray[np.float64]

_COLD_BELOW_C, _COLD_PERCENT_PER_K = 18.0, 0.10
_RECALIBRATION_PER_DAY = 1 / 12
_LFP_DRIFT_PERCENT_PER_DAY = 0.15
SENSOR_OFFSET_EVERY = 6
"""Every n-th car has a current sensor that reads more than 1 A wrong."""


@dataclass(frozen=True)
class Car:
    """Identity and constants of one vehicle."""

    seed: int
    index: int
    vin: str
    model: EvModel
    profile: Profile
    first_registration: date
    reserve_kwh: float
    calendar_percent_per_year: float
    cycle_percent_per_100: float
    current_offset_a: float
    counter_gain: float
    home: tuple[float, float]
    work: tuple[float, float]
    home_ac_kw: float
    charge_limit_percent: float
    old_firmware: bool
    sentry: bool
    climate_offset_c: float


@dataclass(frozen=True)
class State:
    """What a vehicle carries from one moment to the next; energies are those inside the cells.

    `cable` is Tesla's DetailedChargeState while nothing flows: Disconnected, Stopped (waiting), Complete.
    """

    time_ms: int
    energy_kwh: float
    odometer_km: float
    soh_percent: float
    battery_temp_c: float
    lifetime_kwh: float
    day_throughput_kwh: float
    bms_offset_percent: float
    bms_gain: float
    position: tuple[float, float]
    at_home: bool
    cable: str
    charge_at_ms: int | None
    counter_kwh: float
    counter_ac_kwh: float
    reported_soc_percent: float
    reported_odometer_mi: float
    stale_next: bool
    session_number: int

    @property
    def plugged(self) -> bool:
        """Whether a charging cable is in."""
        return self.cable != "Disconnected"

    def capacity_kwh(self, car: Car) -> float:
        """True usable capacity now, kWh."""
        return car.model.usable_new_kwh * self.soh_percent / 100.0


def make_vin(seed: int, index: int) -> str:
    """An invented VIN that no manufacturer uses; fleets of different seeds (below 1000) share no vehicle."""
    return f"EVPTESLA{seed % 1000:03d}{index + 1:06d}"


def make_car(seed: int, index: int, first_day: date, faults: bool) -> tuple[Car, State]:
    """Deal vehicle `index` of the fleet and its state at 00:00 UTC of `first_day`."""
    draw = stream(seed, "car", index)
    model = MODELS[index % len(MODELS)]
    profile = PROFILES[(index * 3 + index // len(MODELS)) % len(PROFILES)]
    years = float(draw.uniform(0.3, 7.5))
    home = (float(45.2 + draw.uniform(0, 3.6)), float(0.4 + draw.uniform(0, 5.0)))
    bearing = float(draw.uniform(0, 2 * np.pi))
    km = profile.work_km * float(draw.uniform(0.7, 1.3))
    work = (home[0] + 0.75 * km * np.cos(bearing) / 111.2, home[1] + 0.75 * km * np.sin(bearing) / 76.0)
    offset_a = float(draw.normal(0, 0.12))
    if faults and index % SENSOR_OFFSET_EVERY == 2:
        offset_a = float(draw.choice([-1.0, 1.0])) * float(draw.uniform(1.0, 1.6))
    car = Car(
        seed=seed,
        index=index,
        vin=make_vin(seed, index),
        model=model,
        profile=profile,
        first_registration=first_day - timedelta(days=round(years * 365.25)),
        reserve_kwh=model.reserve_kwh * float(draw.uniform(0.8, 1.25)),
        calendar_percent_per_year=model.calendar_percent_per_year * float(draw.uniform(0.6, 1.6)),
        cycle_percent_per_100=model.cycle_percent_per_100 * float(draw.uniform(0.7, 1.4)),
        current_offset_a=offset_a,
        counter_gain=1.0 + float(draw.normal(0, 0.003)),
        home=home,
        work=(float(work[0]), float(work[1])),
        home_ac_kw=min(profile.home_ac_kw, model.max_ac_kw),
        charge_limit_percent=100.0 if model.chemistry == "LFP" else float(draw.choice([75, 80, 80, 85, 90])),
        old_firmware=index % 8 == 5,
        sentry=index % 10 == 3,
        climate_offset_c=float(draw.normal(0, 1.0)),
    )
    return car, _first_state(car, years, draw)


def _first_state(car: Car, years: float, draw: np.random.Generator) -> State:
    """The first years were quicker than the later ones (square root of time), as all published fleets show."""
    odometer_km = years * car.profile.km_per_year * float(draw.uniform(0.7, 1.3))
    cycles = odometer_km * 0.19 / car.model.usable_new_kwh
    loss = (
        car.calendar_percent_per_year * (0.9 * np.sqrt(years) + 0.65 * years) + car.cycle_percent_per_100 * cycles / 100
    )
    soh = float(np.clip(100.8 + draw.normal(0, 0.7) - loss, 70.0, 102.0))
    soc = float(draw.uniform(45, 75))
    return State(
        time_ms=0,
        energy_kwh=car.model.usable_new_kwh * soh / 100 * soc / 100,
        odometer_km=odometer_km,
        soh_percent=soh,
        battery_temp_c=12.0,
        lifetime_kwh=odometer_km * 0.19,
        day_throughput_kwh=0.0,
        bms_offset_percent=float(draw.normal(0, 0.5)),
        bms_gain=1.0 + float(draw.normal(0, 0.004)),
        position=car.home,
        at_home=True,
        cable="Disconnected",
        charge_at_ms=None,
        counter_kwh=float(draw.uniform(5, 30)),
        counter_ac_kwh=0.0,
        reported_soc_percent=soc,
        reported_odometer_mi=odometer_km / 1.609344,
        stale_next=False,
        session_number=0,
    )


def age(car: Car, state: State, days: float) -> float:
    """State of health in percent after `days` and the energy cycled since: linear in time and in full cycles.

    2–4 %/yr together, the range of fleet studies (Geotab 2025: 1.5–3.0 %/yr by charging habit).
    """
    full_cycles = state.day_throughput_kwh / (2.0 * state.capacity_kwh(car))
    loss = car.calendar_percent_per_year * 0.85 * days / 365.25 + car.cycle_percent_per_100 * full_cycles / 100.0
    return state.soh_percent - loss


def next_bms(car: Car, state: State, draw: np.random.Generator) -> tuple[float, float]:
    """The BMS's error (offset of SoC in percent, gain of capacity) on the next day.

    It wanders a little and now and then jumps when the BMS recalibrates; iron phosphate drifts until a full charge.
    """
    offset = state.bms_offset_percent + float(draw.normal(0, 0.05))
    gain = state.bms_gain
    if car.model.chemistry == "LFP":
        offset += _LFP_DRIFT_PERCENT_PER_DAY * (1.0 if car.index % 2 else -1.0)
    if draw.random() < _RECALIBRATION_PER_DAY:
        offset = float(draw.normal(0, 1.0))
        gain = 1.0 + float(draw.normal(0, 0.004))
    return float(np.clip(offset, -2.5, 2.5)), gain


def reported_soc_percent(car: Car, state: State, energy_kwh: Floats, temp_c: Floats) -> Floats:
    """`Soc` as the car shows it: what the BMS believes, less what a cold battery cannot give now."""
    nominal = 100.0 * energy_kwh / state.capacity_kwh(car) + state.bms_offset_percent
    cold = _COLD_PERCENT_PER_K * np.maximum(0.0, _COLD_BELOW_C - temp_c)
    return np.clip(nominal - cold, 0.0, 100.0)


def reported_energy_kwh(car: Car, state: State, energy_kwh: Floats) -> Floats:
    """`EnergyRemaining`: reserve and the BMS's own usable energy, so affine in `Soc`."""
    nominal = energy_kwh / state.capacity_kwh(car) + state.bms_offset_percent / 100.0
    return car.reserve_kwh + np.maximum(nominal, 0.0) * state.capacity_kwh(car) * state.bms_gain

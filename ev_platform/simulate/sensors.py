"""What a car reports of a stretch: Tesla's field names and units, quantised, through the eyes of its BMS.

Belongs here: sensor offsets, rounding, sentinels. Not here: when a field is sent (telemetry.py), how it is lost or
repeated (faults.py).
"""

from __future__ import annotations

import numpy as np

from ev_platform.simulate.physics import Stretch
from ev_platform.simulate.streams import DAY_MS, HOUR_MS, stream
from ev_platform.simulate.vehicle import Car, Floats, State, reported_energy_kwh, reported_soc_percent

MILE_KM = 1.609344
IDEAL_RANGE_SENTINEL = 999.0
_COUNTER_STEP_KWH, _ENERGY_STEP_KWH = 0.02, 0.02
Value = Floats | float | int | bool | str | None
"""One value for the whole stretch, or one per sample; None or NaN = not measurable now."""


def _steps(values: Floats | float, step: float, digits: int) -> Floats:
    return np.round(np.round(np.asarray(values, dtype=np.float64) / step) * step, digits)


def _counter(values: Floats | float) -> Floats:
    """Counters run in steps and reach us through single precision: 3.42 arrives as 3.4199998."""
    counts = np.round(np.asarray(values) / _COUNTER_STEP_KWH).astype(np.float32)
    return np.asarray(counts * np.float32(_COUNTER_STEP_KWH)).astype(np.float64).round(7)


def _battery(car: Car, state: State, stretch: Stretch) -> dict[str, Value]:
    energy = _steps(reported_energy_kwh(car, state, stretch.energy_kwh), _ENERGY_STEP_KWH, 2)
    believed = (energy - car.reserve_kwh) / state.bms_gain
    back = believed - state.bms_offset_percent / 100 * state.capacity_kwh(car)
    soc = np.round(reported_soc_percent(car, state, back, np.round(stretch.battery_c)), 4)
    total = car.reserve_kwh + state.capacity_kwh(car) * state.bms_gain
    rated = soc / 100 * car.model.rated_range_mi * state.capacity_kwh(car) * state.bms_gain / car.model.usable_new_kwh
    brick = stretch.volt / car.model.cells_in_series
    used = np.maximum(-stretch.power_kw, 0.0)
    spread = 0.002 + 0.004 * (100 - state.soh_percent) / 15
    ideal = IDEAL_RANGE_SENTINEL if car.model.ideal_range_sentinel else np.round(rated * 1.26, 2)
    return {
        "Soc": soc,
        "EnergyRemaining": energy,
        "BatteryLevel": np.round(100 * energy / total, 4),
        "RatedRange": np.round(rated, 2),
        "EstBatteryRange": np.round(rated * 0.83, 2),
        "IdealBatteryRange": ideal,
        "PackVoltage": np.round(stretch.volt, 2),
        "PackCurrent": np.round(stretch.amp + car.current_offset_a, 1),
        "BrickVoltageMax": _steps(brick + spread / 2, 0.002, 3),
        "BrickVoltageMin": _steps(brick - spread / 2, 0.002, 3),
        "NumBrickVoltageMax": 1 + (car.index * 7) % car.model.cells_in_series,
        "NumBrickVoltageMin": 1 + (car.index * 13 + 5) % car.model.cells_in_series,
        "ModuleTempMax": _steps(stretch.battery_c + 0.8, 0.5, 1),
        "ModuleTempMin": _steps(stretch.battery_c - 0.9, 0.5, 1),
        "LifetimeEnergyUsed": np.round(state.lifetime_kwh + np.cumsum(used) * stretch.step_ms / 3.6e6, 1),
    }


def _charging(car: Car, state: State, stretch: Stretch) -> dict[str, Value]:
    fast = isinstance(stretch.power_dc_kw, np.ndarray)
    phases = 3 if car.home_ac_kw > 7.5 else 1
    line = np.asarray(stretch.line_ac_kw, dtype=np.float64)
    powered = bool(np.any(line > 0))
    charging = stretch.charge_state == "Charging"
    hours: Value = None
    if charging:
        hours = np.round((stretch.end_ms - stretch.time_ms) / HOUR_MS, 2)
    word = {"Charging": "Enable", "Starting": "Startup"}.get(stretch.charge_state, "Idle")
    return {
        "DetailedChargeState": stretch.charge_state,
        "ChargeState": word,
        "ACChargingPower": np.round(line, 1),
        "DCChargingPower": np.round(stretch.power_dc_kw, 1),
        "DCChargingEnergyIn": _counter(stretch.counter_kwh),
        "ACChargingEnergyIn": _counter(stretch.counter_ac_kwh),
        "ChargeAmps": np.round(line / phases / 0.232, 1) if powered else 0.0,
        "ChargerVoltage": np.round(232 + 0.8 * np.sin(stretch.time_ms / 9e5), 1) if powered else 2.0,
        "ChargerPhases": phases if powered else None,
        "ChargeLimitSoc": round(car.charge_limit_percent),
        "TimeToFullCharge": hours,
        "FastChargerPresent": fast,
        "FastChargerType": "Combo" if fast else None,
        "ChargingCableType": "IEC" if stretch.plugged else None,
        "ChargePortDoorOpen": stretch.plugged,
    }


def report(car: Car, state: State, stretch: Stretch) -> dict[str, Value]:
    """Everything the car would report in `stretch`, by Tesla's field name, in miles, mph, kWh, kW, °C, %, V, A."""
    driving = stretch.mode == "drive"
    day = int(stretch.time_ms[0]) // DAY_MS
    draw = stream(car.seed, "sensors", car.index, int(stretch.time_ms[0]) // 1000)
    inside = 20.5 if stretch.hvac != "Off" else 0.5 * (stretch.outside_c + 16.0)
    north = np.gradient(stretch.latitude) if driving else np.zeros(1)
    east = np.gradient(stretch.longitude) if driving else np.zeros(1)
    heading = np.round(np.degrees(np.arctan2(east, north)) % 360, 0) if driving else float(car.index * 37 % 360)
    bms = "Drive" if driving else ("Charge" if stretch.charge_state == "Charging" else "Standby")
    speed: Value = None
    if stretch.speed_kmh is not None:
        speed = np.round(stretch.speed_kmh / MILE_KM, 2)
    pedal = np.round(np.clip(-stretch.power_kw, 0, 160) / 1.6, 1) if driving else 0.0
    words = stretch.words or {}
    return {
        **_battery(car, state, stretch),
        **_charging(car, state, stretch),
        "VehicleSpeed": speed,
        "PedalPosition": pedal,
        "Odometer": np.round(stretch.odometer_km / MILE_KM, 3),
        "Latitude": np.round(stretch.latitude, 6),
        "Longitude": np.round(stretch.longitude, 6),
        "GpsHeading": heading,
        "OutsideTemp": _steps(stretch.outside_c, 0.5, 1),
        "InsideTemp": _steps(inside + draw.normal(0, 0.2, len(stretch.time_ms)), 0.1, 1),
        "Gear": "D" if driving else words.get("Gear"),
        "BMSState": bms,
        "DriveRail": driving,
        "HvacPower": stretch.hvac,
        "PreconditioningEnabled": stretch.hvac == "Precondition",
        "BatteryHeaterOn": stretch.charge_state == "Charging" and float(stretch.battery_c[0]) < 6.0,
        "NotEnoughPowerToHeat": None,
        "SentryMode": "Armed" if words.get("SentryMode") else "Off",
        "ClimateKeeperMode": "Off",
        "Locked": not driving and not words.get("DoorState"),
        "DoorState": words.get("DoorState", ""),
        "LocatedAtHome": state.at_home and not driving,
        "ScheduledChargingStartTime": str(day * 86_400 + 22 * 3600) if car.profile.charge_hour else None,
        "Version": "2024.44.3 f1a2b3c4d5e6" if car.old_firmware else "2026.38.2 0a1b2c3d4e5f",
        "CarType": car.model.car_type,
        "Trim": car.model.trim,
        "WheelType": ("Pinwheel18", "Apollo19", "Stiletto20")[car.index % 3],
        "TpmsPressureFl": round(2.85 + 0.03 * (car.index % 5), 3),
        "TpmsPressureRr": float("nan") if car.index % 9 == 7 else round(2.9 + 0.02 * (day % 4), 3),
    }

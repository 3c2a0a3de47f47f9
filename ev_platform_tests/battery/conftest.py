"""A small fleet with known batteries: what a month of `cleaned`, `sessions` and the registry look like.

Independent of the package's simulator: other physics code, faults chosen one by one, so a test can say which one it is
about. `Noise()` without arguments is a perfect world.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from ev_platform.lake.schemas import SESSIONS, TIME, VEHICLES

FIRST = datetime(2026, 11, 1, tzinfo=UTC)

CLEANED = pa.schema(
    [
        ("vin", pa.string()),
        ("time", TIME),
        ("provider", pa.string()),
        *[
            (name, pa.float64())
            for name in (
                "soc_percent",
                "battery_energy_kwh",
                "battery_temp_min_c",
                "battery_temp_max_c",
                "odometer_km",
            )
        ],
    ]
)


@dataclass(frozen=True)
class Noise:
    """Faults and physics of a fleet. Relative numbers are sd's unless said otherwise."""

    reserve_kwh: float = 4.0
    reserve_spread_kwh: float = 0.0
    bms_start: float = 0.0
    bms_jump: float = 0.0
    jumps_per_day: float = 0.0
    energy_kwh: float = 0.0
    energy_quantum_kwh: float = 0.0
    soc_bend_percent: float = 0.0
    whole_soc: bool = False
    soc_percent: float = 0.0
    bms_cold: float = 0.0
    cell_cold: float = 0.0
    cold_lock_percent: float = 0.0
    mean_temperature_c: float = 25.0
    loss_hours: float = 0.0
    meter_car: float = 0.0
    meter_session: float = 0.0
    counter_quantum_kwh: float = 0.0
    outlier_sessions: float = 0.0
    power_integral_share: float = 0.0


HONEST = Noise(
    reserve_spread_kwh=0.4,
    bms_start=0.004,
    bms_jump=0.006,
    jumps_per_day=0.1,
    energy_kwh=0.03,
    energy_quantum_kwh=0.02,
    soc_bend_percent=0.2,
    soc_percent=0.05,
    bms_cold=0.0012,
    cell_cold=0.002,
    cold_lock_percent=0.08,
    mean_temperature_c=14.0,
    loss_hours=0.03,
    meter_car=0.006,
    meter_session=0.006,
    counter_quantum_kwh=0.1,
    outlier_sessions=0.03,
    power_integral_share=0.1,
)


@dataclass
class Fleet:
    cleaned: pa.Table
    sessions: pa.Table
    vehicles: pa.Table
    truth: dict[str, float]


def vin_of(number: int) -> str:
    return f"EVPTEST{number:010d}"


def make_fleet(
    cars: int = 4,
    days: int = 30,
    seed: int = 1,
    models: int = 1,
    sample_seconds: int = 120,
    deep: bool = False,
    charge_every_day: bool = False,
    honest: bool = False,
    **faults,
) -> Fleet:
    """A month of `cars` vehicles; `honest` switches on every fault of HONEST, `faults` replace single ones."""
    noise = replace(HONEST if honest else Noise(), **faults)
    rng = np.random.default_rng(seed)
    tables, sessions, vehicles, truth = [], [], [], {}
    for number in range(cars):
        vin, model = vin_of(number), number % models
        new = (60.0, 75.0, 50.0, 90.0)[model % 4]
        truth[vin] = new * rng.uniform(0.8, 1.02)
        rows, charges = _month(vin, truth[vin], days, noise, rng, sample_seconds, deep, charge_every_day)
        tables.append(rows)
        sessions += charges
        vehicles.append(
            {
                "vin": vin,
                "provider": "tesla",
                "make": "Test",
                "model": f"Model {model}",
                "chemistry": "NMC",
                "usable_new_kwh": new,
                "reference_source": "maker",
                "first_registration": date(2020, 1, 1),
            }
        )
    cleaned = pa.concat_tables(tables) if tables else CLEANED.empty_table()
    return Fleet(
        cleaned,
        pa.Table.from_pylist(sessions, schema=SESSIONS),
        pa.Table.from_pylist(vehicles, schema=VEHICLES),
        truth,
    )


def _cold(temperature):
    return np.minimum(temperature, 20.0) - 20.0


def _month(vin, capacity, days, noise, rng, step, deep, charge_every_day):
    reserve = noise.reserve_kwh + rng.normal(0, noise.reserve_spread_kwh)
    meter = 1 + rng.normal(0, noise.meter_car)
    bms = 1 + rng.normal(0, noise.bms_start)
    soc, columns, charges = 70.0, [], []
    for day in range(days):
        morning = FIRST + timedelta(days=day, hours=7)
        ambient = noise.mean_temperature_c + rng.normal(0, 4)
        if rng.random() < noise.jumps_per_day:
            bms += rng.normal(0, noise.bms_jump)
        use = rng.uniform(25, 55) if deep else rng.uniform(8, 30)
        after = max(soc - use, 6.0)
        columns.append(_leg(morning, soc, after, 3600 * use / 25, ambient, ambient + 8, step))
        soc = after
        if soc < 45 or rng.random() < 0.3 or charge_every_day:
            target = min(rng.uniform(75, 95), 100.0)
            fast = rng.random() < 0.25
            power = (70.0 if fast else 11.0) * rng.uniform(0.8, 1.1)
            seconds = 3600 * capacity * (target - soc) / 100 / power
            start = morning + timedelta(hours=8)
            warm = ambient + (15 if fast else 6)
            columns.append(_leg(start, soc, target, seconds, ambient + 3, warm, step))
            charges.append(
                _charge(vin, start, soc, target, seconds, power, ambient + 3, warm, capacity, meter, noise, rng)
            )
            soc = target
        columns[-1] = (*columns[-1], bms)
        if len(columns) > 1 and len(columns[-2]) == 3:
            columns[-2] = (*columns[-2], bms)
    times = np.concatenate([c[0] for c in columns])
    true_soc = np.concatenate([c[1] for c in columns])
    temperature = np.concatenate([c[2] for c in columns])
    scale = np.concatenate([np.full(c[0].size, c[3]) for c in columns])
    stated = reserve + capacity * scale * (1 + noise.bms_cold * _cold(temperature)) * true_soc / 100
    stated = stated + rng.normal(0, 1, stated.size) * noise.energy_kwh
    if noise.energy_quantum_kwh:
        stated = np.round(stated / noise.energy_quantum_kwh) * noise.energy_quantum_kwh
    return _rows(vin, times, _shown(true_soc, temperature, noise, rng), stated, temperature), charges


def _shown(soc, temperature, noise, rng):
    """SoC as the vehicle shows it: less what a cold pack locks, bent, noisy, perhaps in whole percents."""
    soc = np.asarray(soc, dtype=float) + noise.cold_lock_percent * _cold(np.asarray(temperature))
    soc = soc + noise.soc_bend_percent * np.sin(2 * np.pi * soc / 100) + rng.normal(0, 1, soc.size) * noise.soc_percent
    soc = np.clip(soc, 0.1, 100.0)
    return np.round(soc) if noise.whole_soc else soc


def _leg(start, soc, target, seconds, cold, warm, step):
    offsets = np.arange(0, max(seconds, 2 * step), step, dtype=float)
    share = np.minimum(offsets / offsets[-1], 1.0)
    times = np.datetime64(start.replace(tzinfo=None), "us") + (offsets * 1e6).astype("timedelta64[us]")
    return times, soc + (target - soc) * share, cold + (warm - cold) * share


def _charge(vin, start, soc, target, seconds, power, cold, warm, capacity, meter, noise, rng):
    temperature = (cold + warm) / 2
    stored = capacity * (1 + noise.cell_cold * _cold(temperature)) * (target - soc) / 100
    energy = stored * np.exp(noise.loss_hours * power / capacity) * meter * (1 + rng.normal(0, noise.meter_session))
    method = "counter"
    if rng.random() < noise.power_integral_share:
        method, energy = "power_integral", energy * (1 + rng.normal(0, 0.02))
    if rng.random() < noise.outlier_sessions:
        energy *= rng.choice([0.6, 1.3])
    if noise.counter_quantum_kwh:
        energy = np.round(energy / noise.counter_quantum_kwh) * noise.counter_quantum_kwh
    shown = _shown([soc, target], [cold, warm], noise, rng)
    return {
        "session_id": f"{vin}-{start:%d%H}",
        "vin": vin,
        "kind": "charge",
        "start": start,
        "end": start + timedelta(seconds=seconds),
        "soc_start": float(shown[0]),
        "soc_end": float(shown[1]),
        "energy_kwh": float(energy),
        "energy_method": method,
        "battery_temp_mean_c": float(temperature),
        "power_mean_kw": float(power),
        "inferred": False,
        "truncated": False,
        "confidence": 1.0,
        "n_samples": 100,
        "reasons": [],
    }


def _rows(vin, times, soc, energy, temperature, provider="tesla"):
    n = len(times)
    return pa.table(
        {
            "vin": pa.array([vin] * n),
            "time": pa.array(times).cast(pa.timestamp("us")).cast(TIME),
            "provider": pa.array([provider] * n),
            "soc_percent": pa.array(np.asarray(soc, dtype=float)),
            "battery_energy_kwh": pa.array(np.asarray(energy, dtype=float)),
            "battery_temp_min_c": pa.array(np.asarray(temperature, dtype=float) - 1),
            "battery_temp_max_c": pa.array(np.asarray(temperature, dtype=float) + 1),
            "odometer_km": pa.array(np.full(n, 1000.0)),
        },
        schema=CLEANED,
    )


@pytest.fixture
def fleet():
    """make_fleet(...) -> Fleet."""
    return make_fleet

"""Logs as real cars give them: other physics, other sampling and other dirt than the package's simulator.

Modelled after what is known of public data: a 2013 Leaf with a consumer logger (5 s, irregular, current 1.3 A low,
stale heads, SoC = 0, no AC charges), stepped charge tests of ten EVs (1 Hz, displayed SoC bends), twenty taxis (monthly
capacity with season and noise). Everything comes from the seed.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas import SESSIONS, TIME, VEHICLES

LEAF = "JN1AZ0CP0DT000001"


def arrow_rows(vin, epoch_s, **columns):
    """Rows of `cleaned` from epoch seconds and columns of floats (NaN = not observed)."""
    n = len(epoch_s)
    data = {
        "vin": pa.array([vin] * n),
        "time": pa.array(np.round(np.asarray(epoch_s) * 1e6).astype("int64")).cast(pa.timestamp("us")).cast(TIME),
        "provider": pa.array(["files"] * n),
    }
    for name, values in columns.items():
        values = np.asarray(values, dtype=float)
        data[name] = pa.array(values, mask=np.isnan(values))
    return pa.table(data)


def registry_of(*rows):
    """VEHICLES from dicts; what is left out is null."""
    empty = dict.fromkeys(VEHICLES.names)
    return pa.Table.from_pylist([empty | row for row in rows], schema=VEHICLES)


def no_sessions():
    return SESSIONS.empty_table()


def leaf(
    seed=5,
    months=12,
    offset_a=-1.3,
    start_ah=55.0,
    loss_per_year=0.045,
    trips_per_day=2.2,
    period_s=5.0,
    soc_wander=0.35,
    whole_soc=False,
    dirt=True,
):
    """(cleaned, truth): one car's drives as a logger saw them; truth: month -> mean Ah.

    Energy remaining is affine in SoC with a negative intercept (11.3 % of SoC hold no stated energy).
    """
    rng = np.random.default_rng(seed)
    first = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    parts, truth, soc = [], {}, 85.0
    last = None
    for day in range(int(months * 30.4)):
        ah = start_ah * (1 - loss_per_year * day / 365.25) + 0.25 * np.sin(2 * np.pi * day / 365)
        month = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m")
        truth.setdefault(month, []).append(ah)
        clock = first + 86_400 * day + 3600 * rng.uniform(6, 8)
        for _ in range(rng.poisson(trips_per_day)):
            if soc < 30:
                soc = rng.uniform(75, 97)  # an AC charge that nobody logged
            minutes = float(np.clip(rng.lognormal(3.1, 0.5), 6, 90))
            t, amp, volt, true_soc = _leaf_trip(rng, minutes, soc, ah, period_s)
            if true_soc[-1] < 6:
                continue
            shown = true_soc + _wander(rng, t, soc_wander)
            energy = 0.0775 * np.round(0.30 * ah * np.maximum(shown - 11.3, 0) / 100 / 0.0775 * 1.26, 0)
            shown = np.round(shown) if whole_soc else np.round(shown, 4)
            reading = np.round(amp + offset_a + rng.normal(0, 0.4, t.size), 2)
            if dirt:
                shown = shown.copy()
                if last is not None and rng.random() < 0.3:
                    shown[:2] = last
                if rng.random() < 0.02:
                    shown[rng.integers(0, t.size)] = 0.0
                shown[shown <= 0] = np.nan
            parts.append((clock + t, shown, reading, volt, energy, np.full(t.size, 18 + 8 * np.sin(day / 58))))
            soc, last = float(true_soc[-1]), float(shown[-1])
            clock += t[-1] + 3600 * rng.uniform(0.5, 3)
        soc -= 1.0  # parked loss per day
    time, shown, amp, volt, energy, temp = (np.concatenate(column) for column in zip(*parts, strict=True))
    rows = arrow_rows(
        LEAF,
        time,
        soc_percent=shown,
        pack_current_a=amp,
        pack_voltage_v=volt,
        battery_energy_kwh=energy,
        battery_temp_min_c=temp,
        battery_temp_max_c=temp,
    )
    return rows, {month: float(np.mean(values)) for month, values in truth.items()}


def _leaf_trip(rng, minutes, soc, ah, period_s):
    """Time (s), current into the battery, voltage, true SoC; the current is finer than the logger sees it."""
    fine = np.arange(0, minutes * 60)
    cruise = rng.uniform(6, 22)
    traffic = np.convolve(rng.normal(0, 1, fine.size + 40), np.ones(40) / 40**0.5, "valid")[: fine.size]
    kw = cruise * (0.55 + 0.45 * np.sin(fine / 90) ** 2) + 11 * traffic + 0.6
    volt = 330 + 0.6 * soc - 0.1 * kw
    amp = -1000 * kw / volt
    fine_soc = soc + 100 * np.cumsum(amp) / 3600 / ah
    steps = np.clip(rng.normal(period_s, 0.8, int(minutes * 60 / period_s) + 5), 3, 22)
    steps[rng.random(steps.size) < 0.01] = 22
    t = np.cumsum(steps)
    t = t[t < fine.size - 1]
    at = t.astype(int)
    return t, amp[at], volt[at], fine_soc[at]


def _wander(rng, t, sd):
    """Slow error of the BMS's SoC: it lags and corrects itself over minutes."""
    knots = max(int(t[-1] // 240) + 2, 3)
    return np.interp(t, np.linspace(0, t[-1], knots), rng.normal(0, sd, knots))


def charge_tests(seed=9, cars=10, low=(5, 45), width=(40, 95)):
    """(cleaned, vehicles, truth): one partial charge per car at 1 Hz; the displayed SoC bends the same way for all."""
    rng = np.random.default_rng(seed)
    tables, vehicles, truth = [], [], {}
    clock = datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()
    for number in range(cars):
        vin = f"TESTCAR000000{number:04d}"
        new = float(rng.choice([100.0, 135.0, 180.0, 234.0]))
        truth[vin] = new * rng.uniform(0.79, 1.02)
        start = rng.uniform(*low)
        stop = min(start + rng.uniform(*width), 99.5)
        fine = np.arange(0, 20_000)
        amp = np.where(fine < 9000, new * 0.33, new * 0.2) * (1 + 0.002 * rng.normal(size=fine.size))
        real = np.cumsum(amp) / 3600 / truth[vin] * 100
        bend = rng.normal(1.0, 0.15)
        displayed = real + start
        displayed = displayed + bend * 2.4 * np.sin(2 * np.pi * displayed / 100) + rng.normal(0, 0.1)
        keep = displayed <= stop
        shown = np.round(displayed[keep] * 2) / 2
        t = clock + 86_400 * number + fine[keep]
        tables.append(arrow_rows(vin, t, soc_percent=shown, pack_current_a=amp[keep], pack_voltage_v=0 * t + 380))
        vehicles.append({"vin": vin, "make": "T", "model": "T", "usable_new_kwh": 50.0, "usable_new_ah": new})
    return pa.concat_tables(tables), registry_of(*vehicles), truth


def taxis(seed=3, cars=20, months=29, label_noise=0.0045):
    """(vin, month index, age in months, Ah): a fleet of one model that loses 15 % in 28 months, with a season."""
    rng = np.random.default_rng(seed)
    out = []
    for number in range(cars):
        rate = rng.normal(1.0, 0.10)
        level = 134 * rng.normal(1.0, 0.012)
        season = rng.normal(1.0, 0.15)
        slow = np.cumsum(rng.normal(0, 0.0012, months))
        for month in range(months):
            fade = rate * (0.012 * np.sqrt(month) + 0.0031 * month)
            swing = season * 0.006 * np.cos(2 * np.pi * (month + 6) / 12)
            noise = rng.normal(0, label_noise)
            out.append((f"TAXI{number:013d}", month, level * (1 - fade + swing + slow[month] + noise)))
    return out


def first_day_of(month_index, start=date(2019, 7, 1)):
    year, month = divmod(start.month - 1 + month_index, 12)
    return date(start.year + year, month + 1, 1)

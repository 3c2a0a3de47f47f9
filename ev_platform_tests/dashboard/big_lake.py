"""Result tables of a fleet of any size and number of days, written straight by their schemas: for speed and for size.

Figures are plausible, not simulated. Belongs here: the lake that pages are opened on. Not here: what is checked.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from ev_platform.lake import schemas, schemas_insights, schemas_results
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet

LAST_DAY = date(2026, 11, 20)
MODELS = (("Tesla", "Model 3 LR", 75.0), ("Tesla", "Model Y LR", 75.0), ("Renault", "Zoe", 52.0), ("BMW", "i4", 80.7))
SESSIONS_A_DAY = 6


def vins(vehicles: int) -> list[str]:
    """The fleet's VINs, sorted."""
    return [f"EVBGFLEET{n:08d}" for n in range(vehicles)]


def table(schema: pa.Schema, count: int, /, **columns: object) -> pa.Table:
    """A table of a schema; columns that are not given are null (lists: empty, booleans: false)."""
    arrays = []
    for field in schema:
        if field.name in columns:
            value = columns[field.name]
            array = value if isinstance(value, pa.Array) else pa.array(value, field.type, from_pandas=True)
        elif pa.types.is_list(field.type):
            array = pa.array([[]] * count, field.type)
        elif pa.types.is_boolean(field.type):
            array = pa.array(np.zeros(count, dtype=bool))
        else:
            array = pa.nulls(count, field.type)
        arrays.append(array.cast(field.type))
    return pa.table(arrays, schema=schema)


def write(url: str, vehicles: int, days: int, seed: int = 1) -> ObjectStore:
    """Write the lake; returns its store."""
    store, random = ObjectStore(url), np.random.default_rng(seed)
    names = vins(vehicles)
    kind = np.arange(vehicles) % len(MODELS)
    make, model = ([MODELS[k][part] for k in kind] for part in (0, 1))
    reference = np.array([MODELS[k][2] for k in kind])
    age = random.uniform(0.3, 8, vehicles)
    soh = np.clip(100 - 2.0 * age + random.normal(0, 1.8, vehicles), 62, 101)
    odometer = age * random.uniform(8_000, 25_000, vehicles)

    def put(name: str, rows: pa.Table) -> None:
        store.put(f"{name}/part-0000.parquet", to_parquet(rows))

    seen = [datetime.combine(LAST_DAY, datetime.min.time(), UTC) + timedelta(minutes=int(m)) for m in odometer % 1440]
    health = {"soh_percent": soh, "soh_sd": np.full(vehicles, 0.9)}
    band = {"soh_low_percent": soh - 1.8, "soh_high_percent": soh + 1.8}
    put(
        "results/vehicle_battery",
        table(
            schemas_results.VEHICLE_BATTERY, vehicles, vin=names, make=make, model=model, chemistry=["NMC"] * vehicles,
            age_years=age, odometer_km=odometer, last_seen=seen, month=["2026-11"] * vehicles, **health, **band,
            capacity_kwh=reference * soh / 100, capacity_sd_kwh=reference * 0.009, reference_capacity_kwh=reference,
            reference_source=["registry"] * vehicles, trend_percent_per_year=np.full(vehicles, -2.0),
            soh_in_12_months_percent=soh - 2, equivalent_full_cycles=odometer / 350, dc_share_percent=odometer % 60,
            completeness_percent=80 + odometer % 20, method=["pooled"] * vehicles,
        ),
    )  # fmt: skip
    put(
        "insights/vehicle_360",
        table(
            schemas_insights.VEHICLE_360, vehicles, vin=names, make=make, model=model, odometer_km=odometer,
            last_seen=seen, drives=np.full(vehicles, 700), drive_km=odometer / 8, charges=np.full(vehicles, 90),
            charged_kwh=odometer / 30, kwh_per_100km=12 + age, off_peak_share=(odometer % 100) / 100,
            co2_kg=odometer / 600, value=30_000 - 2_000 * age, currency=["EUR"] * vehicles,
        ),
    )  # fmt: skip
    templates = [f"{a} {b} {c:g}" for a, b, c in (MODELS[k] for k in kind)]
    horizons = np.repeat([0, 1, 3, 12], vehicles)
    four = [*names] * 4
    put(
        "results/battery_degradation",
        table(
            schemas_results.BATTERY_DEGRADATION, 4 * vehicles, vin=four, model=templates * 4,
            quantity=["energy"] * 4 * vehicles, horizon_months=horizons,
            month=[_month(LAST_DAY, int(h)) for h in horizons], soh_percent=np.tile(soh, 4) - horizons / 6,
            soh_low_percent=np.tile(soh, 4) - horizons / 6 - 2, soh_high_percent=np.tile(soh, 4) - horizons / 6 + 2,
            template_a=np.full(4 * vehicles, 0.01), template_b=np.full(4 * vehicles, 0.015),
            n_months=np.full(4 * vehicles, 12), n_cars=np.full(4 * vehicles, vehicles // 4),
        ),
    )  # fmt: skip
    months = [_month(LAST_DAY, -n) for n in range(12)]
    filtered = []
    for number, month in enumerate(sorted(months)):
        past = soh + (11 - number) / 6
        filtered.append(
            table(
                schemas_results.BATTERY_HEALTH_FILTERED,
                vehicles,
                vin=names,
                month=[month] * vehicles,
                quantity=["energy"] * vehicles,
                unit=["kWh"] * vehicles,
                observed=np.ones(vehicles, dtype=bool),
                monthly=reference * past / 100,
                capacity=reference * past / 100,
                capacity_sd=reference * 0.009,
                soh_percent=past,
                soh_sd=np.full(vehicles, 0.9),
                soh_low_percent=past - 1.8,
                soh_high_percent=past + 1.8,
                soh_display_percent=past,
                reference_capacity=reference,
                method=["pooled"] * vehicles,
            )
        )
        both = table(
            schemas.BATTERY_HEALTH, 2 * vehicles, vin=[v for v in names for _ in "12"], month=[month] * 2 * vehicles,
            method=["charge_energy", "pooled"] * vehicles, soh_percent=np.repeat(past, 2),
            soh_sd=np.full(2 * vehicles, 1.0), capacity_kwh=np.repeat(reference * past / 100, 2),
            n_sessions=np.full(2 * vehicles, 9), sum_delta_soc=np.full(2 * vehicles, 400.0),
        )  # fmt: skip
        put(f"results/battery_health/month={month}", both)
    put("results/battery_health_filtered", pa.concat_tables(filtered).sort_by([("vin", "ascending")]))
    for number in range(days):
        _day(put, LAST_DAY - timedelta(days=number), names, odometer, random)
    return store


def _month(day: date, months: int) -> str:
    at = day.year * 12 + day.month - 1 + months
    return f"{at // 12:04d}-{at % 12 + 1:02d}"


def _day(put, day: date, names: list[str], odometer: np.ndarray, random: np.random.Generator) -> None:
    count = len(names)
    midnight = np.datetime64(day.isoformat(), "us")
    many = count * SESSIONS_A_DAY
    number = np.tile(np.arange(SESSIONS_A_DAY), count)
    start = midnight + (number * 240 * 60_000_000).astype("timedelta64[us]")
    end = start + np.timedelta64(240 * 60_000_000, "us")
    kinds = np.tile(["idle", "drive", "idle", "charge", "drive", "idle"], count)
    energy = random.uniform(2, 40, many)
    each = np.repeat(np.array(names, dtype=object), SESSIONS_A_DAY)
    day_text = day.isoformat()
    shared = {"start": pa.array(start).cast(schemas.TIME), "end": pa.array(end).cast(schemas.TIME)}
    sessions = table(
        schemas.SESSIONS, many, vin=each, kind=kinds, asleep=number == 0, **shared, energy_kwh=energy,
        soc_start=np.full(many, 50.0), soc_end=np.full(many, 60.0), distance_km=energy * 5,
        confidence=np.full(many, 0.9),
    )  # fmt: skip
    put(f"results/sessions/date={day_text}", sessions)
    drives, charges = kinds == "drive", kinds == "charge"
    for mask, name, schema, more in (
        (drives, "trips", schemas_results.TRIPS, {"kwh_per_100km": energy, "distance_km": energy * 5}),
        (charges, "charging", schemas_results.CHARGING, {"power_mean_kw": energy, "power_max_kw": energy}),
    ):
        n = int(mask.sum())
        given = {key: pa.array(np.asarray(value)[mask]) for key, value in {**more, "energy_kwh": energy}.items()}
        times = {key: value.filter(pa.array(mask)) for key, value in shared.items()}
        words = {"charge_type": ["ac"] * n, "power_class": ["slow"] * n} if name == "charging" else {}
        rows = table(
            schema,
            n,
            vin=each[mask],
            duration_min=np.full(n, 240.0),
            confidence=np.full(n, 0.9),
            **times,
            **given,
            **words,
        )
        put(f"results/{name}/date={day_text}", rows)
    quality = table(
        schemas_results.DATA_QUALITY, count, vin=names, date=[day] * count, rows=np.full(count, 800),
        last_seen=[datetime.combine(day, datetime.min.time(), UTC)] * count, coverage_percent=60 + odometer % 40,
        longest_gap_min=odometer % 600, odometer_km=odometer - (LAST_DAY - day).days * 30,
        values_nulled=np.full(count, 3), score=50 + odometer % 50, unexplained_soc_percent=np.zeros(count),
    )  # fmt: skip
    put(f"results/data_quality/date={day_text}", quality)
    slots = 4 * count
    load = table(
        schemas_insights.CHARGING_GRID_LOAD, slots, vin=np.repeat(np.array(names, dtype=object), 4),
        session_id=["s"] * slots, region_code=np.array(["11", "24", "53", "84"], dtype=object)[np.arange(slots) % 4],
        instant=pa.array(midnight + ((np.arange(slots) % 48) * 1_800_000_000).astype("timedelta64[us]")),
        energy_kwh=np.full(slots, 3.0), load_mwh=np.full(slots, 900.0), load_percentile=(np.arange(slots) % 48) / 48,
        co2_g_per_kwh=np.full(slots, 50.0), co2_g=np.full(slots, 150.0),
    )  # fmt: skip
    put(f"insights/charging_grid_load/date={day_text}", load)
    bins = np.tile(np.arange(0, 100, 10.0), count)
    histogram = table(
        schemas_results.SOC_HISTOGRAM, len(bins), vin=np.repeat(np.array(names, dtype=object), 10),
        date=[day] * len(bins), soc_bin=bins, hours=np.full(len(bins), 2.4), share=np.full(len(bins), 0.1),
    )  # fmt: skip
    put(f"results/soc_histogram/date={day_text}", histogram)

"""The filter: causal, calibrated, robust to one bad month, quick to accept a new battery; and its table."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.battery.filter import filter_series
from ev_platform.battery.history import degradation, filtered_health, with_shared_offset
from ev_platform.lake.schemas import BATTERY_HEALTH
from ev_platform_tests.battery import baselines
from ev_platform_tests.battery.real_logs import registry_of

MONTHS = [f"2026-{number:02d}" for number in range(1, 13)]
DAYS = np.arange(12) * 30.44


def noisy(rng, months=12, noise=0.008, stays=0.006):
    """(true ln C, observed C, stated sd) of one car of a fleet."""
    trend = rng.normal(-0.023, 0.015)
    true = np.log(70) + trend * np.arange(months) / 12
    observed = np.exp(true + rng.normal(0, stays) + rng.normal(0, noise, months))
    return true, observed, observed * np.hypot(noise, stays)


def test_the_band_is_calibrated_and_the_level_closer_than_the_months():
    rng = np.random.default_rng(17)
    inside, miss, raw, forced = [], [], [], []
    for _ in range(150):
        true, observed, sd = noisy(rng)
        states = filter_series(DAYS, observed, sd)
        for k, state in enumerate(states):
            inside.append(abs(state.capacity - np.exp(true[k])) <= 2 * state.sd)
            miss.append(abs(state.level - true[k]))
        raw += list(np.abs(np.log(observed) - true))
        forced += list(np.abs(np.log(baselines.forced_decay(list(observed))) - true))
    assert 0.90 <= np.mean(inside) <= 0.99
    assert np.mean(miss) < 0.9 * np.mean(raw)
    assert np.mean(miss) < 0.85 * np.mean(forced)  # the earlier rules start at the maximum


def test_a_trend_unlike_the_prior_is_found():
    observed = 70 * np.exp(-0.08 * DAYS / 365.25)
    state = filter_series(DAYS, observed, observed * 0.008)[-1]
    assert state.trend == pytest.approx(-0.08, abs=0.03)
    assert state.capacity == pytest.approx(observed[-1], rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 11), st.integers(0, 10_000))
def test_later_months_never_change_earlier_states(cut, seed):
    _, observed, sd = noisy(np.random.default_rng(seed))
    assert filter_series(DAYS[:cut], observed[:cut], sd[:cut]) == filter_series(DAYS, observed, sd)[:cut]


def test_one_bad_month_is_damped():
    _, observed, sd = noisy(np.random.default_rng(4))
    spoiled = observed.copy()
    spoiled[6] *= 1.12
    states, clean = filter_series(DAYS, spoiled, sd), filter_series(DAYS, observed, sd)
    assert states[6].reason == "damped_outlier"
    assert states[6].capacity / clean[6].capacity < 1.03
    assert states[-1].capacity == pytest.approx(clean[-1].capacity, rel=0.01)


def test_a_new_battery_is_believed_after_two_months():
    _, observed, sd = noisy(np.random.default_rng(5))
    observed[6:] *= 1.25
    states = filter_series(DAYS, observed, sd)
    assert states[7].reason == "level_shift"
    assert states[7].capacity == pytest.approx(observed[7], rel=0.02)
    assert states[-1].capacity == pytest.approx(observed[-1], rel=0.02)


def test_months_without_a_value_widen_the_band():
    _, observed, sd = noisy(np.random.default_rng(6))
    observed[6:] = np.nan
    states = filter_series(DAYS, observed, sd)
    spreads = [state.sd / state.capacity for state in states[5:]]
    assert spreads == sorted(spreads)
    assert len(filter_series(DAYS, np.full(12, np.nan), sd)) == 0


def health_row(month, vin="A", method="pooled", **values):
    row = dict.fromkeys(BATTERY_HEALTH.names) | {"vin": vin, "month": month, "method": method, "reasons": []}
    return row | values


def table(*rows):
    return pa.Table.from_pylist(list(rows), schema=BATTERY_HEALTH)


def test_the_data_may_rise_and_only_the_display_never_does():
    values = [70.0, 69.0, 68.9, 69.8, 70.2, 70.3]
    rows = [
        health_row(month, capacity_kwh=kwh, capacity_sd_kwh=0.3, reference_capacity_kwh=75.0)
        for month, kwh in zip(MONTHS, values, strict=False)
    ]
    found = filtered_health(table(*rows)).to_pylist()
    assert max(np.diff([r["soh_percent"] for r in found])) > 0.3
    assert max(np.diff([r["soh_display_percent"] for r in found])) <= 0
    for row in found:
        assert row["soh_low_percent"] < row["soh_percent"] < row["soh_high_percent"]


def test_energy_and_charge_are_two_series_and_missing_months_are_carried_on():
    rows = [
        health_row("2026-01", capacity_kwh=70.0, capacity_sd_kwh=0.7, capacity_ah=190.0, capacity_sd_ah=3.0),
        health_row("2026-02", reasons=["too_little_evidence"]),
        health_row("2026-04", capacity_kwh=69.0, capacity_sd_kwh=0.7),
    ]
    found = filtered_health(table(*rows)).to_pylist()
    energy = [r for r in found if r["quantity"] == "energy"]
    assert [(r["month"], r["observed"]) for r in energy] == [
        ("2026-01", True),
        ("2026-02", False),
        ("2026-03", False),
        ("2026-04", True),
    ]
    assert {r["unit"] for r in found} == {"kWh", "Ah"}
    assert "no_reference" in energy[0]["reasons"]
    assert energy[0]["soh_percent"] is None


def test_the_current_sensors_offset_is_shared_forwards_only():
    def row(month, offset, ah, method="current"):
        return health_row(
            month,
            method=method,
            capacity_ah=ah,
            capacity_sd_ah=2.0,
            current_offset_a=offset if method == "current" else None,
            current_offset_sd_a=0.4 if method == "current" else None,
            capacity_per_offset=-0.03 if method == "current" else None,
            reasons=["ah_from:current"] if method == "pooled" else [],
        )

    true, offsets = 54.0, [1.8, 0.9, 1.2, 1.3]
    months = [
        row(month, offset, true * np.exp(-0.03 * (offset - 1.3)), method)
        for month, offset in zip(MONTHS, offsets, strict=False)
        for method in ("current", "pooled")
    ]
    found = [r for r in with_shared_offset(table(*months)).to_pylist() if r["method"] == "pooled"]
    miss = [abs(r["capacity_ah"] / true - 1) for r in found]
    assert miss[0] == pytest.approx(0.015, abs=0.002)
    assert max(miss[1:]) < 0.004
    assert found[3]["capacity_sd_ah"] < found[0]["capacity_sd_ah"]
    first = [r for r in with_shared_offset(table(*months[:2])).to_pylist() if r["method"] == "pooled"]
    assert first == found[:1]


def fleet(cars=8, months=12, rate=1.0):
    rng = np.random.default_rng(8)
    rows, registry = [], []
    for number in range(cars):
        vin = f"C{number}"
        own = rate * rng.uniform(0.8, 1.2)
        age = rng.uniform(1, 5)
        for k in range(months):
            soh = 1 - own * (0.02 * np.sqrt(age + k / 12) + 0.012 * (age + k / 12))
            kwh = 75 * soh * (1 + rng.normal(0, 0.004))
            rows.append(health_row(MONTHS[k], vin, capacity_kwh=kwh, capacity_sd_kwh=0.5, reference_capacity_kwh=75.0))
        begin = np.datetime64("2026-01-15") - np.timedelta64(int(age * 365.25), "D")
        registry.append(
            {"vin": vin, "make": "T", "model": "M", "usable_new_kwh": 75.0, "first_registration": begin.astype(object)}
        )
    return filtered_health(table(*rows)), registry_of(*registry)


def test_the_forecast_falls_and_its_band_widens():
    filtered, registry = fleet()
    rows = degradation(filtered, registry).to_pylist()
    assert [r["horizon_months"] for r in rows[:4]] == [0, 1, 3, 12]
    for k in range(0, len(rows), 4):
        now, _, _, year = rows[k : k + 4]
        assert year["capacity"] < now["capacity"]
        assert year["capacity_sd"] > now["capacity_sd"]
        assert year["month"] == "2027-12"
        assert now["template_a"] >= 0
        assert now["template_b"] >= 0
        assert now["reasons"] == []


def test_one_car_alone_follows_the_published_fleet_and_says_so():
    filtered, _ = fleet(cars=1, months=2)
    row = degradation(filtered, registry_of()).to_pylist()[-1]
    assert {"few_cars", "few_months", "age_unknown"} <= set(row["reasons"])
    now = degradation(filtered, registry_of()).to_pylist()[0]
    assert 0.005 < 1 - row["capacity"] / now["capacity"] < 0.04


def test_a_car_that_fades_faster_is_forecast_to():
    slow, registry = fleet(cars=6)
    rows = {r["vin"]: r for r in degradation(slow, registry).to_pylist() if r["horizon_months"] == 12}
    assert all(0.3 < row["rate"] < 2.0 for row in rows.values())
    assert len({row["n_cars"] for row in rows.values()}) == 1


def test_a_forecast_forgets_the_battery_before_the_last():
    rows = [
        health_row(month, capacity_kwh=60.0 if k < 6 else 74.0, capacity_sd_kwh=0.4, reference_capacity_kwh=75.0)
        for k, month in enumerate(MONTHS)
    ]
    found = degradation(filtered_health(table(*rows)), registry_of()).to_pylist()
    assert found[0]["capacity"] == pytest.approx(74.0, rel=0.01)

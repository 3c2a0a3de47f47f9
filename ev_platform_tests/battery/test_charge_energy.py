from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ev_platform.battery import charge_corrections, charge_energy
from ev_platform.battery.charge_energy import estimate_charge_energy
from ev_platform.battery.evidence import SESSION_TYPES
from ev_platform.battery.health import battery_health

START = datetime(2026, 11, 2, 18, tzinfo=UTC)
CAPACITY = 70.0


def session(number=0, rise=50.0, **changes):
    """A clean charge of a 70 kWh battery."""
    row = {
        "session_id": str(number),
        "vin": "a",
        "kind": "charge",
        "start": START + timedelta(hours=12 * number),
        "end": START + timedelta(hours=12 * number + 4),
        "soc_start": 30.0,
        "soc_end": 30.0 + rise,
        "energy_kwh": CAPACITY * rise / 100,
        "energy_method": "counter",
        "battery_temp_mean_c": 25.0,
        "power_mean_kw": 7.0,
        "inferred": False,
        "truncated": False,
        "confidence": 1.0,
    }
    return row | changes


def estimate(*rows, whole=False):
    types = SESSION_TYPES | {"battery_temp_start_c": pl.Float64(), "battery_temp_end_c": pl.Float64()}
    charges = pl.DataFrame([row | {"battery_temp_start_c": None, "battery_temp_end_c": None} for row in rows], types)
    return estimate_charge_energy(charges, {"a": whole}, {"a": "m"}, {"a": 0.005})["a"]


@pytest.fixture
def lossless(monkeypatch):
    """No loss inside the pack, known for sure, so that numbers can be followed by hand."""
    monkeypatch.setattr(charge_corrections, "LOSS_PRIOR", (0.0, 1e-9))


def errors(f):
    table = battery_health(f.cleaned, f.sessions, f.vehicles, "2026-11").to_pylist()
    return np.array(
        [100 * (r["capacity_kwh"] / f.truth[r["vin"]] - 1) for r in table if r["method"] == "charge_energy"]
    )


@pytest.mark.usefixtures("lossless")
def test_a_clean_month_gives_the_capacity():
    one = estimate(session(0), session(1), session(2))
    assert one.capacity_kwh == pytest.approx(CAPACITY, rel=1e-6)
    assert (one.n, one.sum_delta_soc, one.reasons) == (3, 150.0, ())


@pytest.mark.usefixtures("lossless")
def test_weights_follow_the_formula():
    """Two sessions that differ: the mean has weights ΔSoC²/(2σ_soc² + σ_q²)."""
    long, short = session(0, 60.0), session(1, 10.0, energy_kwh=7.1)
    one = estimate(long, short)
    weights = []
    for rise, ratio in ((60.0, 70.0), (10.0, 71.0)):
        meter = np.hypot(0.05 * 100 / ratio, 0.008 * rise)
        weights.append(rise**2 / (2 * 0.1**2 + meter**2))
    assert one.capacity_kwh == pytest.approx(np.average([70.0, 71.0], weights=weights), rel=1e-9)
    assert abs(one.capacity_kwh - 70.5) > 0.1


@pytest.mark.usefixtures("lossless")
def test_integrated_power_counts_less_than_a_counter():
    counter, integral = session(0), session(1, energy_kwh=36.0, energy_method="power_integral")
    mixed, equal = estimate(counter, integral), estimate(counter, integral | {"energy_method": "counter"})
    assert CAPACITY < mixed.capacity_kwh < CAPACITY + 0.35
    assert equal.capacity_kwh == pytest.approx(71.0, rel=1e-4)
    alone = [
        estimate(*[session(i, energy_method=m) for i in range(4)]).own_sd_kwh for m in ("power_integral", "counter")
    ]
    assert alone[0] > 2 * alone[1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inferred": True}, "inferred"),
        ({"truncated": True, "energy_method": "power_integral"}, "truncated"),
        ({"confidence": 0.4}, "low_confidence"),
        ({"energy_method": "soc_capacity"}, "energy_not_measured"),
        ({"energy_method": "none"}, "energy_not_measured"),
        ({"energy_method": None}, "energy_not_measured"),
        ({"energy_kwh": None}, "incomplete"),
        ({"soc_end": None}, "incomplete"),
        ({"end": None}, "incomplete"),
        ({"soc_end": 32.0}, "small_delta_soc"),
        ({"soc_end": 10.0}, "small_delta_soc"),
        ({"energy_kwh": 35_000.0}, "implausible"),
        ({"energy_kwh": -35.0}, "implausible"),
    ],
)
def test_what_is_no_evidence_is_left_out_and_counted(change, reason):
    good = [session(0), session(1)]
    bad = [session(2, energy_kwh=50.0) | change, session(3, energy_kwh=50.0) | change]
    one, clean = estimate(*good, *bad), estimate(*good)
    assert one.reasons == (f"{reason}:2",)
    assert one.capacity_kwh == clean.capacity_kwh
    assert one.own_sd_kwh == clean.own_sd_kwh


@pytest.mark.usefixtures("lossless")
def test_a_truncated_charge_with_a_counter_counts_less():
    whole, part = session(0, 30.0), session(1, 30.0, energy_kwh=21.3)
    one, equal = estimate(whole, part | {"truncated": True}), estimate(whole, part)
    assert one.reasons == ()
    assert one.n == 2
    assert CAPACITY < one.capacity_kwh < equal.capacity_kwh - 0.1
    assert one.own_sd_kwh > equal.own_sd_kwh


def test_an_outlier_is_left_out_and_counted():
    good = [session(i, energy_kwh=35 + 0.2 * (-1) ** i) for i in range(8)]
    one = estimate(*good, session(9, energy_kwh=45.0))
    assert one.reasons == ("outlier:1",)
    assert one.n == 8
    assert one.capacity_kwh == pytest.approx(estimate(*good).capacity_kwh, rel=0.002)


def test_sessions_that_agree_by_luck_do_not_make_the_rest_outliers():
    one = estimate(*[session(i) for i in range(5)], session(6, energy_kwh=35.4))
    assert one.reasons == ()
    assert one.n == 6


def test_thin_evidence_gives_no_number():
    one = estimate(session(0, 59.9))
    assert one.capacity_kwh is None
    assert one.sd_kwh is None
    assert one.reasons == ("too_little_evidence",)
    assert one.sum_delta_soc == pytest.approx(59.9)
    assert estimate(session(0, 60.1)).capacity_kwh is not None


def test_nothing_but_unusable_sessions_says_why():
    assert estimate(session(0, inferred=True)).reasons == ("too_little_evidence", "inferred:1")


def test_whole_percents_widen_the_band():
    rows = [session(i, 10.0) for i in range(8)]
    assert estimate(*rows, whole=True).own_sd_kwh > 1.5 * estimate(*rows).own_sd_kwh


def test_scatter_of_the_sessions_widens_the_band():
    calm = estimate(*[session(i) for i in range(10)])
    wild = estimate(*[session(i, energy_kwh=35 + 2.5 * (-1) ** i) for i in range(10)])
    assert wild.own_sd_kwh > 1.5 * calm.own_sd_kwh


def test_a_power_in_watts_does_not_pass_for_a_loss():
    one = estimate(*[session(i, power_mean_kw=7000.0) for i in range(3)])
    assert one.capacity_kwh > 0.8 * CAPACITY


def test_without_a_mean_power_the_energy_and_time_give_it():
    rows = [session(i, power_mean_kw=35 / 4) for i in range(3)]
    assert estimate(*[r | {"power_mean_kw": None} for r in rows]) == estimate(*rows)


def test_quantised_counters_and_single_bad_sessions_leave_half_a_percent(fleet):
    f = fleet(cars=8, counter_quantum_kwh=0.1, soc_percent=0.1, outlier_sessions=0.05)
    assert np.abs(errors(f)).max() < 0.5


def test_losses_inside_the_pack_are_learned_from_fast_and_slow_charges(fleet, monkeypatch):
    f = fleet(cars=10, loss_hours=0.045, meter_session=0.003)
    learned = np.abs(errors(f)).mean()
    monkeypatch.setattr(charge_corrections.Corrections, "apply", lambda self, car: car)
    assert learned < 0.35
    assert np.abs(errors(f)).mean() > 3 * learned


def test_cold_charges_are_corrected(fleet, monkeypatch):
    f = fleet(cars=10, cell_cold=0.003, cold_lock_percent=0.1, mean_temperature_c=2.0, meter_session=0.003)
    learned = np.abs(errors(f)).mean()
    monkeypatch.setattr(charge_corrections, "coldness", np.zeros_like)
    assert learned < 0.7
    assert np.abs(errors(f)).mean() > 3 * learned


def test_charge_that_warming_unlocks_is_no_capacity(fleet, monkeypatch):
    """SoC rises by more than went in while a cold pack warms up: fast charges would show too little capacity."""
    f = fleet(cars=10, cold_lock_percent=0.15, mean_temperature_c=2.0, meter_session=0.003)
    learned = np.abs(errors(f)).mean()
    monkeypatch.setattr(charge_corrections, "LOCK_PRIOR", (0.0, 1e-9))
    assert np.abs(errors(f)).mean() > 2 * learned


def test_an_unknown_temperature_is_counted_and_widens_the_band():
    rows = [session(i) for i in range(4)]
    unknown = estimate(*[r | {"battery_temp_mean_c": None} for r in rows])
    assert unknown.reasons == ("temperature_unknown:4",)
    assert unknown.own_sd_kwh > estimate(*rows).own_sd_kwh


def test_no_charges_no_estimates():
    assert charge_energy.estimate_charge_energy(pl.DataFrame(schema=SESSION_TYPES), {}, {}, {}) == {}

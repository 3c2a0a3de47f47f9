"""The fleet obeys physics: energy is conserved, counters agree with the truth, batteries age."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.simulate.fields import Intervals
from ev_platform.simulate.models import MODELS, OCV_PER_CELL
from ev_platform.simulate.physics import Charger, charge, drive, precondition, stand
from ev_platform.simulate.streams import day_start_ms, stream
from ev_platform.simulate.vehicle import make_car, next_bms, reported_energy_kwh, reported_soc_percent
from ev_platform_tests.simulate.cases import DAYS, FIRST, VEHICLES, numbers

CARS = [make_car(1, index, FIRST, faults=False) for index in range(len(MODELS))]


def at(index, percent, temperature=15.0, bms=0.0):
    car, state = CARS[index]
    state = replace(
        state,
        time_ms=day_start_ms(FIRST) + 8 * 3_600_000,
        energy_kwh=state.capacity_kwh(car) * percent / 100,
        battery_temp_c=temperature,
        bms_offset_percent=bms,
        bms_gain=1.0,
    )
    return car, state


def inside_kwh(car, stretch):
    """Energy into the cells by the other way: terminal power less the heat in the resistance."""
    heat = stretch.amp**2 * car.model.resistance_ohm / 1000
    return float((stretch.power_kw - heat).sum()) * stretch.step_ms / 3.6e6


@settings(max_examples=40, deadline=None)
@given(
    index=st.integers(0, len(MODELS) - 1),
    percent=st.floats(25, 95),
    km=st.floats(2, 60),
    road=st.sampled_from(["town", "country", "motorway"]),
    seed=st.integers(0, 2**32),
)
def test_a_drive_takes_from_the_cells_what_leaves_the_terminals_and_turns_to_heat(index, percent, km, road, seed):
    car, state = at(index, percent)
    trip = drive(car, state, km, road, (46.0, 3.0), 5000, stream(seed, "x"))
    assert float(trip.energy_kwh[-1]) - state.energy_kwh == pytest.approx(inside_kwh(car, trip), rel=1e-6, abs=1e-6)
    assert np.all(np.diff(trip.odometer_km) >= 0)
    assert np.all(trip.speed_kmh >= 0)
    assert trip.speed_kmh.max() < 160
    assert np.all(trip.energy_kwh > 0)
    driven = float(trip.odometer_km[-1]) - state.odometer_km
    if trip.energy_kwh[-1] > 0.06 * state.capacity_kwh(car):  # else it stopped early with an empty battery
        assert driven == pytest.approx(km, abs=1.5)
    assert 80 < -trip.terminal_kwh / driven * 1000 < 420


@settings(max_examples=40, deadline=None)
@given(
    index=st.integers(0, len(MODELS) - 1),
    percent=st.floats(5, 85),
    kind=st.sampled_from([("ac", 2.3), ("ac", 7.4), ("ac", 11.0), ("dc", 150.0), ("dc", 250.0)]),
    limit=st.floats(90, 100),
    bms=st.floats(-2, 2),
    temperature=st.floats(-10, 35),
)
def test_a_charge_puts_into_the_cells_what_enters_less_heat_and_ends_at_the_limit(
    index, percent, kind, limit, bms, temperature
):
    car, state = at(index, percent, temperature, bms)
    whole = charge(car, state, Charger(*kind), limit, state.time_ms + 4 * 86_400_000, 30_000, stream(1, "x"))
    assert whole is not None
    assert float(whole.energy_kwh[-1]) - state.energy_kwh == pytest.approx(inside_kwh(car, whole), rel=1e-6)
    assert np.all(np.diff(whole.energy_kwh) > 0)
    assert np.all(whole.power_kw <= kind[1] * 1.03)
    assert float(np.asarray(whole.counter_kwh)[-1]) == pytest.approx(whole.terminal_kwh * car.counter_gain, rel=1e-9)
    shown = reported_soc_percent(car, state, whole.energy_kwh, whole.battery_c)
    full = whole.energy_kwh[-1] > 0.99 * state.capacity_kwh(car)
    assert shown[-1] >= limit or full
    assert np.all(shown[:-1] < limit + 1e-9)


def test_charging_tapers_and_the_charger_side_takes_more_than_the_battery():
    car, state = at(2, 10, temperature=30)
    fast = charge(car, state, Charger("dc", 250.0), 90, state.time_ms + 86_400_000, 10_000, stream(1, "x"))
    assert fast.power_kw[:6].mean() > 3 * fast.power_kw[-6:].mean()
    slow = charge(car, state, Charger("ac", 11.0), 90, state.time_ms + 86_400_000, 10_000, stream(1, "x"))
    efficiency = float(slow.counter_kwh[-1]) / float(slow.counter_ac_kwh[-1])
    assert 0.88 < efficiency < 0.95


def test_a_charge_goes_on_from_the_counters_it_is_given():
    car, state = at(1, 30)
    until = state.time_ms + 3_600_000
    whole = charge(car, state, Charger("ac", 11.0), 90, until, 10_000, stream(1, "x"), counted=(5.0, 6.0))
    assert whole.counter_kwh[0] > 5.0
    assert whole.counter_ac_kwh[0] > 6.0
    assert whole.end_ms == until


def test_preconditioning_takes_kilowatts_from_the_line_and_next_to_nothing_into_the_battery():
    car, state = at(3, 80)
    warm = precondition(car, replace(state, cable="Complete"), 900, 10_000, stream(1, "x"))
    assert 3.0 < warm.line_ac_kw.mean() < 5.0
    assert np.abs(warm.amp).max() < 1.5
    assert warm.charge_state == "Complete"


def test_standing_costs_a_few_hundred_watts():
    car, state = at(0, 60)
    parked = stand(car, state, 3600, 60_000, stream(1, "x"))
    assert -0.4 < parked.terminal_kwh < -0.1


@pytest.mark.parametrize("chemistry", sorted(OCV_PER_CELL))
def test_voltage_rises_with_charge(chemistry):
    percents, volts = zip(*OCV_PER_CELL[chemistry], strict=True)
    assert list(percents) == sorted(percents)
    assert list(volts) == sorted(volts)
    assert 3.0 <= volts[0] < volts[-1] <= 4.2


def test_energy_remaining_is_affine_in_soc_with_the_reserve_as_intercept():
    car, state = at(4, 50, temperature=25, bms=0.8)
    energy = np.linspace(0.05, 0.95, 50) * state.capacity_kwh(car)
    soc = reported_soc_percent(car, state, energy, np.full(50, 25.0))
    slope, intercept = np.polyfit(soc, reported_energy_kwh(car, state, energy), 1)
    assert slope * 100 == pytest.approx(state.capacity_kwh(car), rel=1e-9)
    assert intercept == pytest.approx(car.reserve_kwh, abs=1e-6)


def test_a_cold_battery_hides_a_part_of_its_charge():
    car, state = at(1, 50)
    shown = reported_soc_percent(car, state, np.full(3, state.energy_kwh), np.array([30.0, 10.0, -10.0]))
    assert shown[0] - shown[1] == pytest.approx(0.8)
    assert shown[1] - shown[2] == pytest.approx(2.0)


def test_the_bms_recalibrates_now_and_then_and_iron_phosphate_drifts():
    def history(index):
        car, state = CARS[index]
        offsets = []
        for day in range(400):
            offset, gain = next_bms(car, state, stream(1, "bms", index, day))
            state = replace(state, bms_offset_percent=offset, bms_gain=gain)
            offsets.append(offset)
        return np.diff(offsets)

    jumps = np.abs(history(1)) > 0.3
    assert 10 < jumps.sum() < 50
    calm = history(0)[np.abs(history(0)) < 0.3]
    assert abs(calm.mean()) > 0.05
    assert abs(history(1)[~jumps].mean()) < 0.03


# -- the whole fleet over some days ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(scenario):
    return [[scenario.fleet.car_day(index, day) for day in DAYS] for index in range(VEHICLES)]


def test_energy_balance_of_every_car_over_all_days(scenario, lived):
    """Cells gain what charges bring, less what trips, standing awake (measured) and sleeping (12 W) take."""
    for car, days in zip(scenario.fleet.cars, lived, strict=True):
        stretches = [stretch for day in days for session in day.sessions for _, stretch in session.stretches]
        inside = sum(inside_kwh(car, stretch) for stretch in stretches)
        awake_ms = sum(len(stretch.time_ms) * stretch.step_ms for stretch in stretches)
        slept_h = (days[-1].after.time_ms - day_start_ms(DAYS[0]) - awake_ms) / 3.6e6
        change = days[-1].after.energy_kwh - days[0].before.energy_kwh
        assert change == pytest.approx(inside - 0.012 * slept_h, abs=0.02)


def test_charges_less_trips_are_the_change_of_soc_times_capacity(scenario, lived):
    """The same seen from the truth tables: what is left over is standing by, a fraction of a kWh per day, and heat."""
    truth = scenario.truth(DAYS[-1])
    for car, days in zip(scenario.fleet.cars, lived, strict=True):
        charges = [c for c in truth.charges.to_pylist() if c["vin"] == car.vin]
        trips = [t for t in truth.trips.to_pylist() if t["vin"] == car.vin]
        balance = sum(c["energy_kwh"] for c in charges) - sum(t["energy_kwh"] for t in trips)
        change = days[-1].after.energy_kwh - days[0].before.energy_kwh
        through = sum(c["energy_kwh"] for c in charges) + sum(t["energy_kwh"] for t in trips)
        assert 0 < balance - change < 1.5 * len(DAYS) + 0.04 * through


def test_days_follow_each_other_without_a_seam(lived):
    for days in lived:
        for one, following in pairwise(days):
            assert one.after == following.before
        moments = [s.time_ms for day in days for session in day.sessions for _, s in session.stretches]
        ends = [int(times[-1]) for times in moments]
        assert all(end < int(times[0]) for end, times in zip(ends, moments[1:], strict=False))


def test_soc_is_a_percentage_and_the_odometer_never_goes_back(scenario, clean_scenario, clean_seen):
    truth = scenario.truth(DAYS[-1])
    for table in (truth.trips, truth.charges):
        for name in ("soc_start", "soc_end"):
            assert min(table[name].to_pylist()) > 0
            assert max(table[name].to_pylist()) <= 100
    for car in clean_scenario.fleet.cars:
        soc = numbers(clean_seen, car.vin, "Soc")[:, 1]
        assert 0 < soc.min() <= soc.max() <= 100
        assert np.all(np.diff(numbers(clean_seen, car.vin, "Odometer")[:, 1]) >= 0)


def test_health_falls_by_one_to_four_percent_a_year(scenario):
    last = date(2026, 11, 15)
    health = scenario.truth(last).health.to_pylist()
    rates = []
    for car in scenario.fleet.cars:
        rows = [row for row in health if row["vin"] == car.vin]
        years = (rows[-1]["day"] - rows[0]["day"]).days / 365.25
        rates.append((rows[0]["soh_percent"] - rows[-1]["soh_percent"]) / years)
        assert rows[0]["usable_kwh"] == pytest.approx(rows[0]["usable_new_kwh"] * rows[0]["soh_percent"] / 100)
    assert min(rates) > 0.5
    assert max(rates) < 5.5
    assert 1.4 < np.mean(rates) < 3.0
    assert np.std(rates) > 0.3


def test_several_vehicles_charge_over_midnight_and_some_drive_over_it(scenario):
    truth = scenario.truth(date(2026, 11, 7))
    charging = {charge["vin"] for charge in truth.charges.to_pylist() if charge["over_midnight"]}
    assert len(charging) >= 5
    assert any(trip["start"].date() != trip["end"].date() for trip in truth.trips.to_pylist())
    assert {charge["charge_type"] for charge in truth.charges.to_pylist()} == {"ac", "dc"}


def test_slope_of_energy_remaining_against_soc_is_the_true_usable_capacity(scenario, clean_scenario, clean_seen):
    """Within what BMS gain and cold batteries do to it; the proportional form is far outside for comparison."""
    health = {row["vin"]: row for row in clean_scenario.truth(DAYS[0]).health.to_pylist()}
    wrong = []
    for car in clean_scenario.fleet.cars:
        soc, energy = (numbers(clean_seen, car.vin, name) for name in ("Soc", "EnergyRemaining"))
        near = np.searchsorted(soc[:, 0], energy[:, 0]).clip(0, len(soc) - 1)
        close = np.abs(soc[near, 0] - energy[:, 0]) < 20_000
        x, y = soc[near, 1][close], energy[:, 1][close]
        if np.ptp(x) < 20:
            continue
        true = health[car.vin]["usable_kwh"]
        assert np.polyfit(x, y, 1)[0] * 100 == pytest.approx(true, rel=0.03)
        wrong.append(np.median(y / x) * 100 / true - 1)
    assert len(wrong) >= 8
    assert min(wrong) > 0.03


def test_the_battery_side_counter_agrees_with_the_true_energy_of_charges(clean_scenario, clean_seen):
    checked = 0
    for row in clean_scenario.truth(DAYS[-2]).charges.to_pylist():
        counter = numbers(clean_seen, row["vin"], "DCChargingEnergyIn")
        start, end = row["start"].timestamp() * 1000, row["end"].timestamp() * 1000 + 120_000
        inside = counter[(counter[:, 0] >= start) & (counter[:, 0] <= end), 1]
        assert inside.max() == pytest.approx(row["energy_kwh"], rel=0.015, abs=0.25)
        checked += 1
    assert checked > 10


def test_other_intervals_give_other_amounts_of_messages_but_the_same_life(clean_scenario, clean_messages):
    slow = replace(clean_scenario, intervals=Intervals(drive_seconds=10, charge_seconds=30))
    amount = sum(len(slow.day_messages(day)) for day in DAYS[:2])
    usual = sum(len(clean_scenario.day_messages(day)) for day in DAYS[:2])
    assert 0.3 * usual < amount < 0.7 * usual
    one, other = clean_scenario.truth(DAYS[1]).trips.num_rows, slow.truth(DAYS[1]).trips.num_rows
    assert abs(one - other) <= 3

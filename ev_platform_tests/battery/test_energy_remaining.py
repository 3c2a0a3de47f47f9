from datetime import date

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pytest

from ev_platform.battery import energy_remaining, reserve, temperature
from ev_platform.battery.evidence import collect_evidence
from ev_platform.battery.health import battery_health

METHOD = "energy_remaining"


def health(f, method=METHOD):
    table = battery_health(f.cleaned, f.sessions, f.vehicles, "2026-11")
    return {row["vin"]: row for row in table.to_pylist() if row["method"] == method}


def errors(f, method=METHOD):
    """Relative error of the capacity per vehicle, percent."""
    return np.array([100 * (row["capacity_kwh"] / f.truth[vin] - 1) for vin, row in health(f, method).items()])


def proportional(f):
    """The simple baseline: median of EnergyRemaining/SoC above 20 % SoC; relative error, percent."""
    table = pl.DataFrame(pl.from_arrow(f.cleaned)).filter(pl.col("soc_percent") > 20)
    ratio = table.group_by("vin").agg((100 * pl.col("battery_energy_kwh") / pl.col("soc_percent")).median().alias("c"))
    return np.array([100 * (c / f.truth[vin] - 1) for vin, c in ratio.iter_rows()])


def with_energy(f, change):
    """The fleet with `change(frame)` as its new battery_energy_kwh."""
    frame = pl.DataFrame(pl.from_arrow(f.cleaned))
    f.cleaned = frame.with_columns(battery_energy_kwh=change(frame)).to_arrow()
    return f


NOISY = {"reserve_spread_kwh": 0.4, "energy_kwh": 0.05, "energy_quantum_kwh": 0.02, "soc_percent": 0.05}


@pytest.mark.parametrize("reserve_kwh", [4.0, -6.0, 0.0])
def test_capacity_is_the_slope_whatever_the_reserve(fleet, reserve_kwh):
    f = fleet(cars=6, reserve_kwh=reserve_kwh, **NOISY)
    assert np.abs(errors(f)).max() < 0.5


def test_the_proportional_form_is_clearly_worse(fleet):
    f = fleet(cars=6, **NOISY)
    assert np.abs(errors(f)).max() < 0.5
    assert np.abs(proportional(f)).min() > 4.0


def test_a_perfect_month_gives_the_truth(fleet):
    assert np.abs(errors(fleet(cars=3))).max() < 0.02


def test_integer_soc_is_no_obstacle(fleet):
    assert np.abs(errors(fleet(cars=6, whole_soc=True, **NOISY))).max() < 0.5


@pytest.mark.parametrize("wrong", ["half", "stuck", "zero"])
def test_wrong_readings_are_left_out_and_counted(fleet, wrong):
    f = fleet(cars=3, **NOISY)
    energy, chance = pl.col("battery_energy_kwh"), pl.int_range(pl.len()) % 240 < 36
    value = {"half": energy / 2, "stuck": pl.lit(33.3), "zero": pl.lit(0.0)}[wrong]
    f = with_energy(f, lambda frame: pl.when(chance).then(value).otherwise(energy))
    frame = pl.DataFrame(pl.from_arrow(f.cleaned))
    naive = [
        100 * (100 * np.polyfit(car["soc_percent"], car["battery_energy_kwh"], 1)[0] / f.truth[car["vin"][0]] - 1)
        for car in frame.partition_by("vin")
    ]
    assert np.abs(errors(f)).max() < 0.5
    assert np.abs(naive).max() > 2
    assert all(any(r.startswith("outlier_points:") for r in row["reasons"]) for row in health(f).values())


def test_a_recalibration_widens_the_band_and_the_band_holds_the_truth(fleet):
    """The BMS states 1.5 % more from the 16th on: no day contradicts its neighbours, only the halves do."""
    calm = health(fleet(cars=6, **NOISY))
    f = fleet(cars=6, **NOISY)
    later = pl.col("time").dt.day() > 15
    soc = pl.col("soc_percent") / 100
    truth = pl.col("vin").replace_strict(f.truth)
    f = with_energy(
        f, lambda frame: pl.col("battery_energy_kwh") + pl.when(later).then(0.015 * truth * soc).otherwise(0)
    )
    moved = health(f)
    for vin, row in moved.items():
        assert row["capacity_sd_kwh"] > 1.15 * calm[vin]["capacity_sd_kwh"]
        assert abs(row["capacity_kwh"] - f.truth[vin]) < 2 * row["capacity_sd_kwh"]
        assert not any(reason.startswith("outlier") for reason in row["reasons"])


@pytest.mark.parametrize("cold", [{"cold_lock_percent": 0.15}, {"bms_cold": 0.003}])
def test_cold_is_corrected_to_the_reference_temperature(fleet, monkeypatch, cold):
    f = fleet(cars=6, mean_temperature_c=4.0, **cold, **NOISY)
    corrected = np.abs(errors(f))
    monkeypatch.setattr(energy_remaining, "coldness", np.zeros_like)
    assert corrected.max() < 0.6
    assert np.abs(errors(f)).mean() > 2 * corrected.mean()


def test_an_unknown_temperature_is_counted_and_does_not_stop_the_estimate(fleet):
    f = fleet(cars=2)
    f.cleaned = f.cleaned.drop_columns(["battery_temp_min_c", "battery_temp_max_c"])
    for row in health(f).values():
        assert row["capacity_kwh"] is not None
        assert any(reason.startswith("temperature_unknown:") for reason in row["reasons"])


def test_signals_in_separate_rows_are_matched(fleet):
    """SoC and energy a few seconds apart, as a change-only stream sends them, against both in one row."""
    f = fleet(cars=3, sample_seconds=20)
    frame = pl.DataFrame(pl.from_arrow(f.cleaned)).with_row_index()
    even = pl.col("index") % 2 == 0
    soc, energy = pl.when(even).then(pl.col("soc_percent")), pl.when(~even).then(pl.col("battery_energy_kwh"))
    f.cleaned = frame.with_columns(soc_percent=soc, battery_energy_kwh=energy).drop("index").to_arrow()
    assert np.abs(errors(f)).max() < 0.1


def test_a_short_piece_of_the_scale_is_too_little(fleet):
    f = fleet(cars=1)
    soc = f.cleaned["soc_percent"]
    f.cleaned = f.cleaned.filter(pc.and_(pc.greater(soc, 60), pc.less(soc, 74)))
    (row,) = health(f).values()
    assert row["capacity_kwh"] is None
    assert row["capacity_sd_kwh"] is None
    assert row["soh_percent"] is None
    assert row["reasons"][:2] == ["too_little_evidence", "small_soc_span"]


def test_sixty_percent_of_soc_is_the_limit():
    """Two days that each cover their span once: 60.2 % is enough, 59.8 % is not."""
    for span, given in ((30.1, True), (29.9, False)):
        soc = np.linspace(50 - span / 2, 50 + span / 2, 31)
        day = [date(2026, 11, 1)] * 31 + [date(2026, 11, 2)] * 31
        points = pl.DataFrame(
            {
                "vin": ["a"] * 62,
                "day": day,
                "soc_percent": np.tile(soc, 2),
                "battery_energy_kwh": 4 + 0.7 * np.tile(soc, 2),
                "battery_temp_c": [25.0] * 62,
            }
        )
        one = energy_remaining.estimate_energy_remaining(points, {"a": "m"}, {"a": 0.005})["a"]
        assert (one.capacity_kwh is not None) is given
        assert (one.reasons[:1] == ("too_little_evidence",)) is not given
        assert one.sum_delta_soc == pytest.approx(2 * span)
        assert one.n == 2


def test_energy_that_does_not_follow_soc_gives_no_number(fleet):
    f = with_energy(fleet(cars=1), lambda frame: 80 - pl.col("battery_energy_kwh"))
    (row,) = health(f).values()
    assert row["capacity_kwh"] is None
    assert "implausible_slope" in row["reasons"]


def test_the_reserve_of_the_model_helps_a_car_that_shows_little_of_the_scale(fleet, monkeypatch):
    """Narrow cars among normal ones of the same model: with the others' reserve the error and the sd shrink."""
    f = fleet(cars=20, seed=4, reserve_spread_kwh=0.3, energy_kwh=0.8)
    narrow = sorted(f.truth)[:10]
    frame = pl.DataFrame(pl.from_arrow(f.cleaned))
    some = pl.col("soc_percent").is_between(45, 72) & (pl.col("time").dt.day() <= 12)
    f.cleaned = frame.filter(some | ~pl.col("vin").is_in(narrow)).to_arrow()
    together = health(f)
    monkeypatch.setattr(reserve, "FEWEST_OTHERS", 99)
    alone = health(f)
    miss = [[abs(h[vin]["capacity_kwh"] / f.truth[vin] - 1) for vin in narrow] for h in (together, alone)]
    assert np.mean(miss[0]) < 0.7 * np.mean(miss[1])
    assert all(together[vin]["capacity_sd_kwh"] < alone[vin]["capacity_sd_kwh"] for vin in narrow)


def test_the_expected_reserve_binds_less_with_few_cars_and_ignores_one_odd_car():
    few = reserve.expected_reserve(np.array([4.0, 4.2, 3.9, 4.1]), np.full(4, 0.01))
    many = reserve.expected_reserve(np.tile([4.0, 4.2, 3.9, 4.1], 10), np.full(40, 0.01))
    odd = reserve.expected_reserve(np.array([4.0, 4.2, 3.9, 4.1, 40.0]), np.full(5, 0.01))
    assert reserve.expected_reserve(np.array([4.0, 4.2, 3.9]), np.full(3, 0.01)) is None
    assert many.variance < few.variance / 2
    assert abs(odd.kwh - 4.1) < 0.15


def test_strengths_follow_the_data_where_it_was_cold_and_the_prior_where_it_was_not():
    prior = temperature.BMS_PRIOR
    truth = np.array([0.002, 0.004])
    sharp = np.diag([1e8, 1e8])
    told = temperature.shared_strengths(np.array([sharp] * 9), np.array([sharp @ truth] * 9), prior)
    np.testing.assert_allclose(told.mean, truth, atol=2e-4)
    silent = temperature.shared_strengths(np.zeros((9, 2, 2)), np.zeros((9, 2)), prior)
    np.testing.assert_allclose(silent.mean, prior.mean)
    assert (np.diag(silent.covariance) > 10 * np.diag(told.covariance)).all()


def test_the_model_is_not_more_certain_than_its_cars_are_alike():
    sharp = np.diag([1e12, 1e12])
    told = temperature.shared_strengths(np.array([sharp] * 99), np.zeros((99, 2)), temperature.BMS_PRIOR)
    assert (np.diag(told.covariance) >= temperature.CAR_SPREAD**2).all()


def test_a_car_is_not_among_the_cars_that_it_is_compared_with(fleet, monkeypatch):
    asked = []

    def expected_reserve(others, variances):
        asked.append(sorted(np.round(others, 6)))
        return reserve.expected_reserve(others, variances)

    monkeypatch.setattr(energy_remaining, "expected_reserve", expected_reserve)
    health(fleet(cars=7, days=8, reserve_spread_kwh=0.5))
    everyone = sorted({value for others in asked for value in others})
    assert len(everyone) == 7
    assert all(len(others) == 6 for others in asked)
    assert len({tuple(others) for others in asked}) == 7


def test_what_cold_leaves_open_is_in_the_band(fleet, monkeypatch):
    """One car in a cold month: known strengths of cold give a narrower band than the prior's uncertainty."""
    f = fleet(cars=1, days=7, mean_temperature_c=0.0, deep=True)
    (open_question,) = health(f).values()
    (warm,) = health(fleet(cars=1, days=7, mean_temperature_c=30.0, deep=True)).values()
    monkeypatch.setattr(energy_remaining, "BMS_PRIOR", temperature.Strengths(np.zeros(2), np.diag([1e-14, 1e-14])))
    monkeypatch.setattr(temperature, "CAR_SPREAD", 1e-9)
    (settled,) = health(f).values()
    assert open_question["soh_sd"] > settled["soh_sd"] + 0.02
    assert open_question["soh_sd"] > warm["soh_sd"] + 0.02


def test_days_that_agree_by_luck_do_not_make_a_narrow_band(fleet):
    f = fleet(cars=1, days=3, deep=True, charge_every_day=True)
    points = collect_evidence(f.cleaned, f.sessions, f.vehicles, "2026-11").points
    line = energy_remaining.solve_line(energy_remaining.fit_car(points), np.zeros(2))
    assert line.covariance[1, 1] ** 0.5 > 0.001 * line.beta[1]

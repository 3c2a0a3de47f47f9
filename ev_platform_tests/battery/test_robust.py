import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.battery.robust import (
    blocked_jackknife,
    huber_weights,
    mad_sd,
    shrunk_variance,
    theil_sen,
    weighted_median,
)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_weighted_median_equals_the_median_of_repeated_values(values, random):
    weights = [random.randint(1, 4) for _ in values]
    repeated = np.repeat(np.array(values, dtype=float), weights)
    assert weighted_median(np.array(values, dtype=float), np.array(weights, dtype=float)) == np.median(repeated)


@pytest.mark.parametrize("points", [60, 2000])
def test_theil_sen_survives_a_quarter_of_wild_points_where_least_squares_does_not(points):
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 1, points)
    y = 4 + 70 * x
    bad = x > np.quantile(x, 0.75)
    y[bad] = 10.0
    intercept, slope = theil_sen(x, y)
    assert abs(slope - 70) < 1
    assert abs(intercept - 4) < 1
    assert abs(np.polyfit(x, y, 1)[0] - 70) > 30


def test_theil_sen_without_spread_has_no_slope():
    assert theil_sen(np.full(5, 0.3), np.arange(5.0)) == (2.0, 0.0)


def test_huber_weights_are_one_inside_and_bound_the_influence_outside():
    residuals = np.array([0.0, 1.0, -1.3, 10.0, -1000.0])
    weights = huber_weights(residuals, 1.0)
    assert (weights[:3] == 1).all()
    np.testing.assert_allclose(np.abs(weights * residuals)[3:], 1.345)


def test_mad_sd_is_the_sd_of_a_gaussian_and_ignores_outliers():
    values = np.random.default_rng(1).normal(5, 2, 20_000)
    values[:1000] = 1e6
    assert 1.9 < mad_sd(values) < 2.3


def test_few_values_are_drawn_to_the_expected_variance_and_many_are_not():
    assert shrunk_variance(0.0, 2, 1.0, 3.0) == pytest.approx(0.6)
    assert shrunk_variance(0.0, 1000, 1.0, 3.0) < 0.004


def _mean_problem(levels):
    """The mean of daily levels as a one-parameter least-squares problem."""
    days = len(levels)
    return np.ones((days, 1, 1)), np.array(levels, dtype=float)[:, None], np.zeros((1, 1)), np.zeros(1)


def test_jackknife_of_a_mean_is_the_textbook_variance():
    levels = np.random.default_rng(2).normal(0, 1, 12)
    scatter = blocked_jackknife(*_mean_problem(levels))
    assert scatter.independent == pytest.approx(levels.var(ddof=1) / 12, rel=1e-6)


def test_a_shift_within_the_month_counts_as_wander_and_the_same_values_shuffled_do_not():
    shifted = np.repeat([0.0, 1.0], 16)
    shuffled = np.tile([0.0, 1.0], 16)
    assert blocked_jackknife(*_mean_problem(shuffled)).wander < 0.01
    assert 0.1 < blocked_jackknife(*_mean_problem(shifted)).wander < 0.5


def test_one_day_says_nothing_about_scatter():
    assert blocked_jackknife(*_mean_problem([3.0])) == (0.0, 0.0)

"""Depreciation: the simulated law comes back; the error is honest; levels borrow; curves never rise."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from ev_platform.lake.schemas_market import CURVES, DEPRECIATION, SALES
from ev_platform.market import depreciation
from ev_platform.market.depreciation import FEATURES, FOLDS, MIN_SALES, curves, design, find_law, fit, laws
from ev_platform.simulate.sales import GRADE_EFFECT, MILES_PER_YEAR, NOISE_SD, SOLD_MODELS, TRIM_STEP


@pytest.fixture(scope="module")
def models(refined):
    return fit(refined.sales)


def rows_of(table, level):
    return [row for row in table.to_pylist() if row["level"] == level]


def test_schemas_and_emptiness(models):
    assert models.schema.equals(DEPRECIATION)
    assert curves(models).schema.equals(CURVES)
    assert fit(SALES.empty_table()).equals(DEPRECIATION.empty_table())
    assert curves(DEPRECIATION.empty_table()).num_rows == 0


def test_the_simulated_law_comes_back(models):
    """Loss per year and grade of models with many sales, within what their noise allows."""
    found = {(row["make"], row["model"]): row for row in rows_of(models, "model") if row["n_sales"] > 500}
    assert len(found) > 5
    for model in SOLD_MODELS:
        row = found.get((model.make, model.model))
        if row is None:
            continue
        law = next(law for law in laws(models) if (law.make, law.model) == (model.make, model.model))
        age, grade = np.array([1.0, 5.0]), np.array([3.5, 3.5])
        loss = np.diff(law.log_price(age, MILES_PER_YEAR * age, grade))[0] / 4
        assert loss == pytest.approx(model.per_year, abs=0.012), model.model
        assert row["coefficients"][FEATURES.index("grade")] == pytest.approx(GRADE_EFFECT, abs=0.02)


def test_the_error_on_sales_left_out_is_the_noise_that_was_put_in(models):
    """The noise of the market is 0.09 in log price; trims, which the law does not know, add theirs."""
    trims = TRIM_STEP * np.sqrt(2 / 3)
    for row in rows_of(models, "model"):
        if row["n_sales"] > 500:
            assert NOISE_SD * 0.9 < row["cv_sd_log"] < np.hypot(NOISE_SD, trims) * 1.1
            assert abs(row["cv_bias"]) < 0.02


def test_the_error_is_that_of_folds_fitted_apart(refined, models):
    """Two ways: by subtraction of sums, and by fitting without each fold and predicting it."""
    prepared = depreciation._prepared(refined.sales)
    x = design(*(prepared[name].to_numpy() for name in ("age", "miles", "grade")))
    y, fold = np.log(prepared["selling_price_usd"].to_numpy()), prepared["fold"].to_numpy()
    residual = np.empty(len(y))
    ridge = depreciation.NOISE_VARIANCE / 20.0**2 * np.eye(len(FEATURES))
    for k in range(FOLDS):
        rest = fold != k
        beta = np.linalg.solve(x[rest].T @ x[rest] + ridge, x[rest].T @ y[rest])
        residual[~rest] = y[~rest] - x[~rest] @ beta
    (row,) = rows_of(models, "all")
    assert row["cv_median_error"] == pytest.approx(np.median(np.abs(np.exp(-residual) - 1.0)), rel=1e-9)
    assert row["n_sales"] == len(y)


def test_an_error_measured_on_the_fitted_sales_would_be_too_small():
    """The check can fail: prices that are pure chance look predictable to the fit itself, not to the error shown."""
    draw = np.random.default_rng(1)
    n = 30
    table = pa.Table.from_pylist(
        [
            {
                "vin": f"AAAAAAAAAAA{k:06d}",
                "sold_at": datetime(2015, 1, 1 + k % 28, tzinfo=UTC),
                "release_year": 2014 - k % 12,
                "make": "X",
                "model": "Y",
                "grade": float(draw.uniform(1, 5)),
                "odometer_miles": float(draw.uniform(0, 1e5)),
                "selling_price_usd": float(np.exp(draw.normal(9, 0.5))),
            }
            for k in range(n)
        ],
        schema=SALES,
    )
    (row,) = rows_of(fit(table), "all")
    prepared = depreciation._prepared(table)
    x = design(*(prepared[name].to_numpy() for name in ("age", "miles", "grade")))
    fitted = np.log(prepared["selling_price_usd"].to_numpy()) - x @ np.array(row["coefficients"])
    assert row["cv_sd_log"] > np.std(fitted) * 1.15
    assert row["n_sales"] == n


def test_resales_of_a_car_are_in_one_fold(refined):
    sales = pl.DataFrame(pl.from_arrow(refined.sales))
    tails = sales.select("vin", pl.col("vin").str.slice(10).alias("tail"), "sale_number").drop_nulls("vin")
    folds = tails.with_columns(depreciation._fold().alias("fold"))
    assert folds["sale_number"].max() > 1
    assert folds.group_by("vin").agg(pl.col("fold").n_unique())["fold"].max() == 1
    shares = folds.group_by("fold").len()["len"] / folds.height
    assert len(shares) == FOLDS
    assert shares.max() < 0.25


def test_a_model_with_few_sales_borrows_from_its_make(refined):
    frame = refined.sales.to_pandas()
    few = frame[frame.model == "Leaf"].index[:MIN_SALES]
    rest = frame[frame.model != "Leaf"].index
    table = refined.sales.take(pa.array(sorted([*few, *rest])))
    known = fit(table)
    by_model = {row["model"]: row for row in rows_of(known, "model")}
    assert by_model["Leaf"]["n_sales"] == MIN_SALES
    assert by_model["Leaf"]["cv_median_error"] < 0.25
    fewer = fit(table.filter(pa.array([i != few[0] for i in sorted([*few, *rest])])))
    assert "Leaf" not in {row["model"] for row in rows_of(fewer, "model")}
    assert find_law(laws(fewer), "NISSAN", "leaf").level == "make"
    assert find_law(laws(fewer), "Rivian", "R1T").level == "all"
    assert find_law([], "Rivian", "R1T") is None


def test_a_curve_begins_at_one_and_never_rises(models):
    table = curves(models).to_pandas()
    for _, curve in table.groupby(["level", "make", "model"], dropna=False):
        assert curve.value_ratio.iloc[0] == 1.0
        assert (curve.value_ratio.diff().dropna() <= 1e-12).all()
        assert (curve.value_ratio > 0).all()
        assert (curve.price_low_usd < curve.price_usd).all()
        assert (curve.price_usd < curve.price_high_usd).all()


def test_more_miles_and_a_worse_grade_are_worth_less(models):
    law = find_law(laws(models), "Ford", "F-150")
    age = np.full(3, 5.0)
    by_miles = law.value_ratio(age, np.array([20_000.0, 60_000.0, 120_000.0]), np.full(3, 3.5))
    by_grade = law.value_ratio(age, np.full(3, 60_000.0), np.array([2.0, 3.5, 5.0]))
    unknown = law.value_ratio(age[:1], np.array([np.nan]), np.array([np.nan]))
    assert (np.diff(by_miles) < 0).all()
    assert (np.diff(by_grade) > 0).all()
    assert 0 < unknown[0] < 1


def test_a_fold_fitted_twice_gives_the_same_bytes(refined, models):
    assert fit(refined.sales.take(pa.array(range(refined.sales.num_rows)))).equals(models)

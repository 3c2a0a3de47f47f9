"""Marts against pandas, written the plain way; what a rank and a peer mean."""

import numpy as np
import pytest

from ev_platform.lake.schemas_market import BRAND_PEERS, BY_MODEL_YEAR, BY_STATE, MONTHLY_TRENDS, SALES
from ev_platform.market.marts import MIN_SALES, brand_peers, by_state, monthly_trends, price_by_model_year


@pytest.fixture(scope="module")
def frame(refined):
    table = refined.sales.to_pandas()
    return table.assign(ratio=table.selling_price_usd / table.mmr_usd)


@pytest.mark.parametrize(
    ("mart", "schema"),
    [
        (brand_peers, BRAND_PEERS),
        (monthly_trends, MONTHLY_TRENDS),
        (by_state, BY_STATE),
        (price_by_model_year, BY_MODEL_YEAR),
    ],
)
def test_every_mart_has_its_schema_with_rows_and_without(refined, mart, schema):
    assert mart(refined.sales).schema.equals(schema)
    assert mart(refined.sales).num_rows
    assert mart(SALES.empty_table()).equals(schema.empty_table())


def test_brands_against_pandas(refined, frame):
    made = brand_peers(refined.sales).to_pandas().set_index("make")

    def trimmed(group):
        cut = int(len(group) * 0.005)
        return group.sort_values().iloc[cut : len(group) - cut]

    kept = frame.groupby(["make", "release_year"]).selling_price_usd.apply(trimmed)
    mean = kept.groupby(level="make").mean()
    for make, rows in frame.groupby("make"):
        assert made.n_sales[make] == len(rows)
        assert made.mean_price_usd[make] == pytest.approx(mean[make])
        assert made.median_price_usd[make] == pytest.approx(rows.selling_price_usd.median())
        assert made.price_over_mmr[make] == pytest.approx(rows.ratio.median())
        assert made.price_minus_mmr_usd[make] == pytest.approx((rows.selling_price_usd - rows.mmr_usd).mean())
    ranked = made[made.n_sales >= MIN_SALES].sort_values("mean_price_usd", ascending=False)
    assert list(ranked.price_rank) == list(range(1, len(ranked) + 1))
    for k, make in enumerate(ranked.index):
        around = [ranked.index[j] for j in range(max(k - 5, 0), min(k + 6, len(ranked))) if j != k]
        assert list(made.peers[make]) == around


def test_months_of_two_years_are_two_months(refined, frame):
    made = monthly_trends(refined.sales).to_pandas()
    rows = frame.dropna(subset="make").assign(month=lambda f: f.sold_at.dt.strftime("%Y-%m"))
    expected = rows.groupby(["make", "month"]).agg(n=("vin", "size"), mean=("selling_price_usd", "mean"))
    assert {"2014-01", "2015-01"} <= set(made.month)
    assert made.n_sales.tolist() == expected.n.tolist()
    assert np.allclose(made.mean_price_usd, expected["mean"])


def test_states_against_pandas(refined, frame):
    made = by_state(refined.sales).to_pandas().set_index("state")
    expected = frame.groupby("state").agg(n=("vin", "size"), median=("selling_price_usd", "median"))
    assert made.n_sales.tolist() == expected.n.tolist()
    assert made.median_price_usd.tolist() == expected["median"].tolist()
    for state, rows in frame.groupby("state"):
        counts = rows.make.value_counts()
        assert made.top_make[state] == min(counts[counts == counts.max()].index)


def test_the_best_value_is_the_lowest_price_over_estimate(refined, frame):
    made = price_by_model_year(refined.sales).to_pandas()
    assert made.n_sales.sum() == frame.make.notna().sum()
    ranked = made.dropna(subset="value_rank").sort_values("value_rank")
    assert ranked.price_over_mmr.is_monotonic_increasing
    assert ranked.n_sales.min() >= MIN_SALES
    assert made[made.n_sales < MIN_SALES].value_rank.isna().all()

"""Residual value: the uncertainty is carried through (against sampling); price table; what is missing is said."""

import math
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from ev_platform.errors import UserError
from ev_platform.insights.price_table import NewPrice, find_price, read_price_table
from ev_platform.insights.residual_value import Assumptions, Car, battery_factor, residual_value
from ev_platform.lake.schemas_insights import RESIDUAL_VALUE
from ev_platform.market.depreciation import Law

AT = date(2026, 11, 30)
FIVE_YEARS = AT - timedelta(days=1826)
LAW = Law(
    "model", "Tesla", "Model S", 100, (11.0, -1.4, 0.0, -0.35, 0.0, 0.06, 0.0), 0.12, 12_000.0, 3.5,
    datetime(2014, 12, 1), datetime(2015, 7, 1),  # noqa: DTZ001 - only the years are shown
)  # fmt: skip
PRICES = {("tesla", "model s"): NewPrice(80_000.0, 0.05, "EUR", "a list", 2021)}
CAR = Car("V", "Tesla", "Model S", FIVE_YEARS, 60_000 * 1.609344, 90.0, 2.0)


def one(car=CAR, laws=(LAW,), prices=PRICES, **more):
    table = residual_value([car], laws, prices, "2026-11", AT, **more)
    assert table.schema.equals(RESIDUAL_VALUE)
    return table.to_pylist()[0]


def test_the_value_by_hand():
    row = one()
    age = 1826 / 365.25
    ratio = math.exp(-1.4 * age / 10 - 0.35 * (60_000 - 12_000 * age) / 100_000)
    assert row["market_ratio"] == pytest.approx(ratio)
    assert row["battery_factor"] == pytest.approx(0.9**0.7)
    assert row["value"] == pytest.approx(80_000 * ratio * 0.9**0.7)
    assert row["lost_to_battery"] == pytest.approx(80_000 * ratio * (1 - 0.9**0.7))
    assert row["price_origin"] == "a list, 2021"
    assert row["market_years"] == "2014 to 2015"
    assert row["reasons"] == []


def test_the_range_is_that_of_sampling_all_that_is_uncertain():
    """Draw health, elasticity, market and price, take the 16th and 84th percentile of what comes out."""
    row, draw, n = one(), np.random.default_rng(1), 400_000
    health = draw.normal(90.0, 2.0, n) / 100
    elasticity = draw.normal(0.7, 0.3, n)
    market = draw.normal(0.0, LAW.sd_log, n)
    price = draw.normal(0.0, math.sqrt(math.log1p(0.05**2)), n)
    value = 80_000 * row["market_ratio"] * np.exp(market + price) * health**elasticity
    low, high = np.percentile(value, [15.87, 84.13])
    assert row["value_low"] == pytest.approx(low, rel=0.01)
    assert row["value_high"] == pytest.approx(high, rel=0.01)


@pytest.mark.parametrize("wider", [{"soh_sd": 8.0}, {"soh_percent": 70.0}, {"model": "Model 3"}])
def test_less_knowledge_is_a_wider_range(wider):
    laws = (LAW, Law(**{**LAW.__dict__, "level": "make", "model": None}))
    base, other = (
        one(laws=laws),
        one(Car(**{**CAR.__dict__, **wider}), laws=laws, prices={("tesla", ""): PRICES["tesla", "model s"]}),
    )
    assert other["sd_log"] > base["sd_log"]


def test_the_parts_of_the_uncertainty_add_up():
    row = one()
    parts = [row[f"sd_log_{name}"] for name in ("market", "battery", "new_price")]
    assert row["sd_log"] == pytest.approx(math.hypot(*parts))
    assert min(parts) > 0


def test_a_better_battery_is_worth_more_and_an_unknown_one_changes_nothing_but_the_range():
    values = [one(Car(**{**CAR.__dict__, "soh_percent": soh}))["value"] for soh in (70.0, 80.0, 95.0, 100.0)]
    assert values == sorted(values)
    unknown = one(Car(**{**CAR.__dict__, "soh_percent": None, "soh_sd": None}))
    assert unknown["battery_factor"] == 1.0
    assert unknown["sd_log_battery"] > 0
    assert unknown["reasons"] == ["health_unknown"]
    assert battery_factor(100.0, 0.0, Assumptions()) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"first_registration": None}, "age_unknown"),
        ({"first_registration": AT + timedelta(days=1)}, "age_unknown"),
        ({"odometer_km": None}, "mileage_assumed"),
        ({"make": None, "model": None}, "no_new_price"),
        ({"first_registration": date(1990, 1, 1)}, "older_than_the_curve"),
    ],
)
def test_what_is_missing_is_said(changed, reason):
    every = Law(**{**LAW.__dict__, "level": "all", "make": None, "model": None})
    assert reason in one(Car(**{**CAR.__dict__, **changed}), laws=(LAW, every))["reasons"]


def test_without_a_price_table_there_is_a_ratio_and_no_value():
    row = one(prices={})
    assert row["value"] is row["currency"] is None
    assert 0 < row["value_ratio_low"] < row["value_ratio"] < row["value_ratio_high"] <= 1.2


def test_without_a_market_there_is_no_number():
    row = one(laws=())
    assert row["value_ratio"] is None
    assert row["reasons"] == ["no_depreciation_curve"]


# -- price table ------------------------------------------------------------------------------------------------------

HEAD = "make,model,new_price,sd_share,currency,origin,year\n"


def table(tmp_path, text):
    file = tmp_path / "prices.csv"
    file.write_text(text)
    return read_price_table(str(file))


def test_a_model_else_its_make(tmp_path):
    prices = table(tmp_path, HEAD + "Tesla,Model Y LR,55000,,EUR,list,2022\nTesla,,50000,0.2,EUR,guess,2022\n")
    assert find_price(prices, "TESLA", "model y lr") == NewPrice(55_000.0, 0.05, "EUR", "list", 2022)
    assert find_price(prices, "Tesla", "Roadster").sd_share == 0.2
    assert find_price(prices, "Kia", "EV6") is None
    assert read_price_table("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("make,model\n", "lacks new_price"),
        (HEAD + "Tesla,Y,cheap,,EUR,list,2022\n", "line 2"),
        (HEAD + "Tesla,Y,-1,,EUR,list,2022\n", "line 2"),
        (HEAD + "Tesla,Y,nan,,EUR,list,2022\n", "line 2"),
        (HEAD + "Tesla,Y,1,,EUR,,2022\n", "origin"),
        (HEAD + "Tesla,Y,1,,EUR,list,2022\ntesla,y,2,,EUR,list,2022\n", "twice"),
        (HEAD + "Tesla\n", "line 2"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        table(tmp_path, text)
    with pytest.raises(UserError, match="EV_PRICE_TABLE_FILE"):
        read_price_table(str(tmp_path / "nothing.csv"))

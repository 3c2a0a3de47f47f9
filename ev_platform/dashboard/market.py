"""Page Market value: what cars of a brand sold for, brands side by side, and what a car with this battery is worth.

Two ways to ask are offered, as a user with her own query engine would want to compare: every aggregate as a question to
the engine, or one fetch per brand and then everything here. Both show the same figures; the bytes scanned are shown.
Belongs here: layout. Questions: questions.py; the local half: shaping.py; laws: market/ and insights/.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import streamlit as st

from ev_platform.dashboard import charts, questions, shaping, source
from ev_platform.dashboard.parts import empty, figures, note, say, table, title
from ev_platform.insights.price_table import DEFAULT_SD_SHARE, NewPrice
from ev_platform.insights.residual_value import YEAR_DAYS, Car, residual_value
from ev_platform.lake.schemas_market import DEPRECIATION
from ev_platform.market.depreciation import Law, laws

ENGINE, LOCAL = "each figure from the engine", "one fetch per brand"
OLDEST, NEWEST = 1980, 2026


def page() -> None:
    """The page."""
    title("Market value", "What cars sold for, and what that means for a car with a battery like this one.")
    makes = source.ask(questions.MAKES)
    if makes.empty:
        empty("No sales yet.", "make demo")
        return
    names = list(makes["make"])
    views = {"Brand story": _story, "Compare": _compare, "Calculator": _calculator, "Our vehicles": _ours}
    for tab, view in zip(
        st.tabs(list(views), key="view", bind="query-params", on_change="rerun"), views.values(), strict=True
    ):
        if tab.open:
            with tab:
                view(names)


def _story(names: list[str]) -> None:
    one, two, three, four = st.columns([2, 1, 1, 3])
    make = one.selectbox("Make", names, key="make", bind="query-params")
    first = two.number_input("From model year", OLDEST, NEWEST, 2000, key="from", bind="query-params")
    last = three.number_input("To model year", OLDEST, NEWEST, NEWEST, key="to", bind="query-params")
    mode = four.segmented_control(
        "Way to ask", [ENGINE, LOCAL], default=ENGINE, key="mode", bind="query-params", required=True
    )
    if mode == LOCAL:
        sales = source.asked(questions.SALES_OF_MAKE, make)
        answers = [sales]
        story = shaping.brand_story(sales.rows, first, last)
        models = shaping.brand_models(sales.rows, first, last)
    else:
        answers = [source.asked(q, make, first, last) for q in (questions.BRAND_STORY, questions.BRAND_MODELS)]
        story, models = (answer.rows for answer in answers)
    _cost(answers)
    if story.empty:
        st.info("No sale in these model years.")
        return
    about = source.ask(questions.MAKE, make).iloc[0]
    mean = (story["mean_price_usd"] * story["n_sales"]).sum() / story["n_sales"].sum()
    figures(
        {
            "Sales": (f"{story['n_sales'].sum():,}", "in the chosen model years"),
            "Mean price": (say(mean, "USD", 0), "of these sales"),
            "Price to estimate": (say(about["price_over_mmr"], "", 3), "median over all years: below 1 is a bargain"),
            "Rank": (say(about["price_rank"], "", 0), "1: dearest make"),
            "Sells beside": (", ".join(list(about["peers"])[:2]) or "–", "makes with a mean price like this"),
        }
    )
    left, right = st.columns(2)
    with left:
        st.subheader("Price by model year")
        chart = charts.bars(story, "release_year", "mean_price_usd", "model year", "mean price (USD)")
        st.altair_chart(chart, key="story", alt="Mean price by model year")
    with right:
        st.subheader("Mileage by model year")
        chart = charts.bars(
            story, "release_year", "mean_odometer_miles", "model year", "mean mileage (miles)", charts.ORANGE
        )
        st.altair_chart(chart, key="mileage", alt="Mean mileage by model year")
    table(models, f"models-{make}", "market_sales")


def _cost(answers: list[source.Asked]) -> None:
    scanned = sum(answer.bytes_scanned for answer in answers)
    seconds = sum(answer.seconds for answer in answers)
    note(
        f"{len(answers)} question{'s' if len(answers) > 1 else ''} to {answers[0].engine}: "
        f"{scanned / 1e6:,.2f} MB scanned, {seconds:.2f} s when first asked"
    )


def _compare(names: list[str]) -> None:
    chosen = st.multiselect(
        "Makes", names, default=names[:3], max_selections=4, key="makes", bind="query-params", help="up to four"
    )
    if not chosen:
        st.info("Choose a make.")
        return
    four = [*chosen, *[chosen[0]] * 4][:4]
    curves = source.ask(questions.CURVES_OF_MAKES, "make", *four)
    trends = source.ask(questions.TRENDS, *four)
    left, right = st.columns(2)
    with left:
        st.subheader("Price by age")
        note("expected at usual mileage and grade, with the 16th to 84th percentile")
        if curves.empty:
            st.info("Too few sales of these makes for a curve.")
        else:
            st.altair_chart(charts.ratio_curves(curves, "make"), key="ratio", alt="Expected price by age per make")
    with right:
        st.subheader("Price over the months")
        trends = trends.assign(time=shaping.month_start(trends["month"]))
        chart = charts.series(trends, "time", "median_price_usd", "median price (USD)", "make", "month of sale")
        st.altair_chart(chart, key="trend", alt="Median price over the months per make")
    table(trends.drop(columns="time"), "trends", "market_monthly_brand_trends")


def _calculator(names: list[str]) -> None:
    models = source.ask(questions.LAWS)
    known = laws(pa.Table.from_pandas(models, schema=DEPRECIATION, preserve_index=False)) if len(models) else []
    if not known:
        empty("No depreciation law has been fitted yet.", "make demo")
        return
    one, two, three = st.columns(3)
    make = one.selectbox("Make", names, key="calc_make", bind="query-params")
    price = one.number_input("Price when new", 1_000, 500_000, 45_000, 1_000, key="price", bind="query-params")
    age = two.number_input("Age (years)", 0.0, 25.0, 4.0, 0.5, key="age", bind="query-params")
    km = two.number_input("Odometer (km)", 0, 600_000, 60_000, 5_000, key="km", bind="query-params")
    soh = three.number_input("Battery health (% of new)", 40.0, 100.0, 90.0, 0.5, key="soh", bind="query-params")
    sd = three.number_input("± one standard deviation (%)", 0.0, 10.0, 2.0, 0.5, key="soh_sd", bind="query-params")
    row = worth(known, str(make), price, age, km, soh, sd)
    figures(
        {
            "Estimated value": (say(row["value"], "", 0), "price when new × market × battery, in the price's currency"),
            "Likely between": (
                f"{say(row['value_low'], '', 0)} – {say(row['value_high'], '', 0)}",
                "16th to 84th percentile",
            ),
            "Market keeps": (say(100 * row["market_ratio"], "%"), f"by age and mileage, curve of {row['curve_level']}"),
            "Battery factor": (say(row["battery_factor"], "", 3), "a declared assumption, see docs/insights.md"),
            "Lost to the battery": (say(row["lost_to_battery"], "", 0), "against the same car with a new battery"),
        }
    )
    if row["reasons"]:
        note("Mind: " + ", ".join(row["reasons"]))


def worth(
    known: Sequence[Law], make: str, price: float, age_years: float, odometer_km: float, soh: float, sd: float
) -> dict[str, Any]:
    """Row of the insights' own valuation (`RESIDUAL_VALUE`) for a car that somebody describes."""
    at = date(2026, 1, 1)  # only the difference counts
    car = Car("-", make, "", at - timedelta(days=round(age_years * YEAR_DAYS)), odometer_km, soh, sd)
    prices = {(make.lower(), ""): NewPrice(price, DEFAULT_SD_SHARE, "-", "entered", at.year)}
    return dict(residual_value([car], known, prices, f"{at:%Y-%m}", at).to_pylist()[0])


def _ours(names: list[str]) -> None:
    rows = source.ask(questions.RESIDUALS)
    if rows.empty:
        empty("No vehicle has been valued yet.", "make demo")
        return
    note("newest month; null where the price table does not know the model: the share of the new price is there")
    table(rows, "residual-values", "insights_residual_value", lazy=len(rows) > 2000)

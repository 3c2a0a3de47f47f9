"""The questions that pages ask, as text with `?`: the same on DuckDB and Athena, values always beside the text.

A question is a constant here; nothing builds SQL from pieces.
"""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """Text of one SELECT and the names of its values, in order."""

    sql: str
    values: tuple[str, ...] = ()


TOP_MAKES = Question(
    "SELECT make, n_sales, mean_price_usd, price_minus_mmr_usd FROM market_brand_peers "
    "WHERE price_rank <= ? ORDER BY price_rank",
    ("most",),
)
BEST_VALUE = Question(
    "SELECT make, model, release_year, n_sales, price_over_mmr FROM market_price_by_model_year "
    "WHERE value_rank <= ? ORDER BY value_rank",
    ("most",),
)
BRAND_STORY = Question(
    "SELECT release_year, count(*) AS n_sales, avg(selling_price_usd) AS mean_price_usd, "
    "avg(odometer_miles) AS mean_odometer_miles, avg(grade) AS mean_grade FROM market_sales "
    "WHERE make = ? AND release_year BETWEEN ? AND ? GROUP BY release_year ORDER BY release_year",
    ("make", "first_release_year", "last_release_year"),
)
SALES_OF_MONTH = Question(
    "SELECT state, count(*) AS n_sales, avg(selling_price_usd) AS mean_price_usd FROM market_sales "
    "WHERE year = ? AND month = ? GROUP BY state ORDER BY n_sales DESC, state",
    ("year", "month"),
)
DEPRECIATION = Question(
    "SELECT age_years, price_usd, price_low_usd, price_high_usd, value_ratio FROM market_depreciation_curves "
    "WHERE level = ? AND make = ? ORDER BY model, age_years",
    ("level", "make"),
)
CHARGING_OF_DAYS = Question(
    "SELECT region_code, instant, sum(energy_kwh) AS energy_kwh, sum(co2_g) AS co2_g, max(load_mwh) AS load_mwh "
    "FROM insights_charging_grid_load WHERE date BETWEEN ? AND ? GROUP BY region_code, instant "
    "ORDER BY region_code, instant",
    ("first_day", "last_day"),
)
VEHICLE = Question("SELECT * FROM insights_vehicle_360 WHERE vin = ?", ("vin",))

QUESTIONS: dict[str, Question] = {
    "top_makes": TOP_MAKES,
    "best_value": BEST_VALUE,
    "brand_story": BRAND_STORY,
    "sales_of_month": SALES_OF_MONTH,
    "depreciation": DEPRECIATION,
    "charging_of_days": CHARGING_OF_DAYS,
    "vehicle": VEHICLE,
}
"""By name; a test asks each of them."""

"""Arrow schemas of the sales market: refined sales, quarantine and the marts made of them.

Belongs here: names, types, units, meaning. Not here: how rows are made (market/) or where they are filed (layout.py).
"""

from __future__ import annotations

import pyarrow as pa

from ev_platform.lake.schemas import TIME


def _field(name: str, kind: pa.DataType, meaning: str, unit: str = "") -> pa.Field:
    metadata = {"description": meaning} | ({"unit": unit} if unit else {})
    return pa.field(name, kind, metadata=metadata)


_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()

SALES = pa.schema(
    [
        _field("vin", _TEXT, "vehicle identification number, null where the source has none"),
        _field("sold_at", TIME, "instant of the sale, UTC"),
        _field("release_year", pa.int32(), "model year"),
        _field("make", _TEXT, "manufacturer, canonical"),
        _field("model", _TEXT, "model, canonical spelling of its most frequent form"),
        _field("car_trim", _TEXT, "trim as sold"),
        _field("body", _TEXT, "body style, lower case, canonical"),
        _field("transmission", _TEXT, "automatic | manual, null when unknown"),
        _field("state", _TEXT, "US state, territory or Canadian province, two letters"),
        _field("condition_raw", _FLOAT, "condition as received (its decimal point may be lost)"),
        _field("grade", _FLOAT, "condition from 1.0 (poor) to 5.0 (excellent)"),
        _field("odometer_miles", _FLOAT, "mileage, null where the source holds a placeholder", "mi"),
        _field("color", _TEXT, "colour of the body, null when unknown"),
        _field("interior", _TEXT, "colour of the interior, null when unknown"),
        _field("seller", _TEXT, "seller, single spaces"),
        _field("mmr_usd", _FLOAT, "market value estimated by the auction house", "USD"),
        _field("selling_price_usd", _FLOAT, "price paid", "USD"),
        _field("sale_number", pa.int32(), "1 for the first sale of a VIN in the snapshot, 2 for its first resale, …"),
        _field("previous_price_usd", _FLOAT, "price of the sale before, for a resale", "USD"),
        _field("days_since_previous", _FLOAT, "time since the sale before, for a resale", "d"),
        _field("repairs", pa.list_(_TEXT), "what was put right in this row, by rule"),
    ]
)
"""market/sales/year=YYYY/month=MM: one row per sale, sorted by sold_at, vin, price."""

QUARANTINE = pa.schema(
    [
        _field("reason", _TEXT, "why the row is not a sale: shifted_row | no_date | no_price | bad_date | …"),
        _field("repaired", pa.bool_(), "the columns could be put back in place; what is lost keeps it here"),
        _field("vin", _TEXT, "vehicle identification number, where it could be read"),
        _field("fields", _TEXT, "the row as it would read after repair, JSON"),
        _field("original", _TEXT, "the row as received, JSON list"),
    ]
)
"""market/quarantine: rows that are no sales, each with its reason; nothing is dropped."""

BRAND_PEERS = pa.schema(
    [
        _field("make", _TEXT, "manufacturer"),
        _field("n_sales", _INT, "sales"),
        _field("mean_price_usd", _FLOAT, "mean of prices, 0.5 % cut off at each end per model year", "USD"),
        _field("median_price_usd", _FLOAT, "median price", "USD"),
        _field("mean_odometer_miles", _FLOAT, "mean mileage", "mi"),
        _field("mean_grade", _FLOAT, "mean grade"),
        _field("price_minus_mmr_usd", _FLOAT, "mean of price minus estimate", "USD"),
        _field("price_over_mmr", _FLOAT, "median of price over estimate: below 1 is a bargain"),
        _field("price_rank", _INT, "1 for the dearest make with at least MIN_SALES sales, null below that"),
        _field("peers", pa.list_(_TEXT), "up to five makes on either side by mean price, dearest first"),
    ]
)
"""market/brand_peers: one row per make."""

MONTHLY_TRENDS = pa.schema(
    [
        _field("make", _TEXT, "manufacturer"),
        _field("month", _TEXT, "month of sale, YYYY-MM, UTC"),
        _field("n_sales", _INT, "sales"),
        _field("mean_price_usd", _FLOAT, "mean price", "USD"),
        _field("median_price_usd", _FLOAT, "median price", "USD"),
        _field("mean_age_years", _FLOAT, "mean age of the car", "a"),
        _field("mean_odometer_miles", _FLOAT, "mean mileage", "mi"),
        _field("mean_grade", _FLOAT, "mean grade"),
        _field("price_over_mmr", _FLOAT, "median of price over estimate"),
    ]
)
"""market/monthly_brand_trends: one row per make, year and month of sale."""

BY_STATE = pa.schema(
    [
        _field("state", _TEXT, "state of sale"),
        _field("n_sales", _INT, "sales"),
        _field("median_price_usd", _FLOAT, "median price", "USD"),
        _field("price_over_mmr", _FLOAT, "median of price over estimate"),
        _field("mean_odometer_miles", _FLOAT, "mean mileage", "mi"),
        _field("top_make", _TEXT, "make sold most"),
    ]
)
"""market/sales_by_state: one row per state."""

BY_MODEL_YEAR = pa.schema(
    [
        _field("make", _TEXT, "manufacturer"),
        _field("model", _TEXT, "model"),
        _field("release_year", pa.int32(), "model year"),
        _field("n_sales", _INT, "sales"),
        _field("mean_price_usd", _FLOAT, "mean price", "USD"),
        _field("median_price_usd", _FLOAT, "median price", "USD"),
        _field("mean_odometer_miles", _FLOAT, "mean mileage", "mi"),
        _field("mean_grade", _FLOAT, "mean grade"),
        _field("price_over_mmr", _FLOAT, "median of price over estimate"),
        _field("value_rank", _INT, "1 for the lowest price over estimate with at least MIN_SALES sales"),
    ]
)
"""market/price_by_model_year: one row per make, model and model year; the lowest ranks are the best value."""

DEPRECIATION = pa.schema(
    [
        _field("level", _TEXT, "all | make | model: what the row was fitted on, the rest comes from the level above"),
        _field("make", _TEXT, "manufacturer, null for all"),
        _field("model", _TEXT, "model, null above that level"),
        _field("n_sales", _INT, "sales fitted"),
        _field("coefficients", pa.list_(_FLOAT), "log price per feature of market.depreciation.FEATURES"),
        _field("cv_median_error", _FLOAT, "median of |predicted / paid - 1| on sales left out of the fit"),
        _field("cv_mape", _FLOAT, "mean of |predicted / paid - 1| on sales left out of the fit"),
        _field("cv_sd_log", _FLOAT, "standard deviation of log(paid / predicted) on sales left out, tails cut"),
        _field("cv_bias", _FLOAT, "median of predicted / paid - 1 on sales left out"),
        _field("reference_grade", _FLOAT, "mean grade of the sales fitted"),
        _field("miles_per_year", _FLOAT, "median mileage per year of age", "mi/a"),
        _field("oldest_age_years", _FLOAT, "99th percentile of age: curves end here", "a"),
        _field("first_sale", TIME, "oldest sale fitted"),
        _field("last_sale", TIME, "newest sale fitted"),
    ]
)
"""market/depreciation_models: log-linear in age, mileage and grade; each level shrunk towards the one above."""

CURVES = pa.schema(
    [
        _field("level", _TEXT, "all | make | model"),
        _field("make", _TEXT, "manufacturer, null for all"),
        _field("model", _TEXT, "model, null above that level"),
        _field("age_years", _FLOAT, "age", "a"),
        _field("odometer_miles", _FLOAT, "mileage that is usual at that age", "mi"),
        _field("price_usd", _FLOAT, "expected price at the reference grade", "USD"),
        _field("price_low_usd", _FLOAT, "16th percentile", "USD"),
        _field("price_high_usd", _FLOAT, "84th percentile", "USD"),
        _field("value_ratio", _FLOAT, "price over that of the same car at age 0"),
    ]
)
"""market/depreciation_curves: one row per level, make, model and year of age."""

DRIFT = pa.schema(
    [
        _field("snapshot", _TEXT, "raw object"),
        _field("measure", _TEXT, "rows | unknown_makes | median_price | price_over_mmr | quarantined_share | …"),
        _field("value", _FLOAT, "value of this snapshot"),
        _field("baseline", _FLOAT, "value of the accepted snapshot before, null for the first"),
        _field("change", _FLOAT, "value over baseline - 1, or the difference where the baseline is 0"),
        _field("limit", _FLOAT, "largest accepted |change|"),
        _field("drifted", pa.bool_(), "|change| is above the limit"),
        _field("detail", _TEXT, "names behind the figure"),
    ]
)
"""market/drift: one row per measure of the newest snapshot."""

"""What a car is worth: depreciation by age and mileage times a declared factor for its battery, with uncertainty.

    value = new price · market ratio · battery factor,   battery factor = (health / 100) ** elasticity

Logarithms add up, so do their variances: the error of prices on sales that were left out, that of the health (its
standard deviation times the elasticity), that of the elasticity itself, and that of the new price. Pure.

Honest limits: the sales are US auctions of the years shown, mostly combustion cars; they give the shape of
depreciation, not the price of an electric car. The elasticity is an assumption, so it has an uncertainty of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from ev_platform.insights.price_table import Prices, find_price
from ev_platform.lake.schemas_insights import RESIDUAL_VALUE
from ev_platform.market.depreciation import OLDEST_YEARS, Law, find_law

KM_PER_MILE = 1.609344
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Assumptions:
    """What is assumed and not measured; shown in the documentation."""

    elasticity: float = 0.7
    """Per cent of value lost per per cent of battery health lost."""
    elasticity_sd: float = 0.3
    foreign_sd: float = 0.10
    """Extra uncertainty when the curve is not that of the model itself (make or all cars)."""


@dataclass(frozen=True)
class Car:
    """What is known of a car at the end of a month."""

    vin: str
    make: str | None
    model: str | None
    first_registration: date | None
    odometer_km: float | None
    soh_percent: float | None
    soh_sd: float | None


def residual_value(
    cars: Sequence[Car],
    laws: Sequence[Law],
    prices: Prices,
    month: str,
    at: date,
    assumed: Assumptions = Assumptions(),
) -> pa.Table:
    """`RESIDUAL_VALUE` rows, one per car: numbers are null where something is missing, and `reasons` says what."""
    rows = [_row(car, laws, prices, month, at, assumed) for car in sorted(cars, key=lambda car: car.vin)]
    return pa.Table.from_pylist(rows, schema=RESIDUAL_VALUE)


def _row(
    car: Car, laws: Sequence[Law], prices: Prices, month: str, at: date, assumed: Assumptions
) -> Mapping[str, Any]:
    reasons: list[str] = []
    base: dict[str, Any] = {
        "vin": car.vin,
        "month": month,
        "make": car.make,
        "model": car.model,
        "odometer_km": car.odometer_km,
        "soh_percent": car.soh_percent,
        "soh_sd": car.soh_sd,
        "reasons": reasons,
    }
    if car.first_registration is None or car.first_registration > at:
        reasons.append("age_unknown")
    law = find_law(laws, car.make or "", car.model or "")
    if law is None:
        reasons.append("no_depreciation_curve")
    if law is None or "age_unknown" in reasons or car.first_registration is None:
        return base
    age = (at - car.first_registration).days / YEAR_DAYS
    if age > OLDEST_YEARS:
        reasons.append("older_than_the_curve")
    ratio, market_sd = _market(law, min(age, OLDEST_YEARS), car.odometer_km, assumed, reasons)
    factor, battery_sd = battery_factor(car.soh_percent, car.soh_sd, assumed)
    if car.soh_percent is None:
        reasons.append("health_unknown")
    price = find_price(prices, car.make or "", car.model or "")
    price_sd = 0.0 if price is None else math.sqrt(math.log1p(price.sd_share**2))
    if price is None:
        reasons.append("no_new_price")
    total = math.sqrt(market_sd**2 + battery_sd**2 + price_sd**2)
    value = None if price is None else price.price * ratio * factor
    return base | {
        "age_years": age,
        "market_ratio": ratio,
        "battery_factor": factor,
        "value_ratio": ratio * factor,
        "value_ratio_low": ratio * factor * math.exp(-math.hypot(market_sd, battery_sd)),
        "value_ratio_high": ratio * factor * math.exp(math.hypot(market_sd, battery_sd)),
        "sd_log": total,
        "sd_log_market": market_sd,
        "sd_log_battery": battery_sd,
        "sd_log_new_price": price_sd,
        "new_price": None if price is None else price.price,
        "value": value,
        "value_low": None if value is None else value * math.exp(-total),
        "value_high": None if value is None else value * math.exp(total),
        "lost_to_battery": None if value is None else value / factor - value,
        "currency": None if price is None else price.currency,
        "price_origin": None if price is None else f"{price.origin}, {price.year}",
        "curve_level": law.level,
        "market_years": _years(law),
    }


def _market(
    law: Law, age: float, odometer_km: float | None, assumed: Assumptions, reasons: list[str]
) -> tuple[float, float]:
    """Ratio to the new price by age and mileage, and the standard deviation of its logarithm."""
    miles = law.miles_per_year * age if odometer_km is None else odometer_km / KM_PER_MILE
    if odometer_km is None:
        reasons.append("mileage_assumed")
    if law.level != "model":
        reasons.append(f"curve_of_{law.level}")
    ratio = law.value_ratio(np.array([age]), np.array([miles]), np.array([law.reference_grade]))[0]
    return float(ratio), law.sd_log if law.level == "model" else math.hypot(law.sd_log, assumed.foreign_sd)


def battery_factor(soh_percent: float | None, soh_sd: float | None, assumed: Assumptions) -> tuple[float, float]:
    """Factor of a state of health and the standard deviation of its logarithm; (1, …) when it is unknown.

    An unknown health is uncertain: it is taken as 90 ± 7 % for the uncertainty, and not for the value.
    """
    if soh_percent is None or soh_percent <= 0:
        return 1.0, assumed.elasticity * 0.07 / 0.90
    relative = soh_percent / 100.0
    from_health = assumed.elasticity * (soh_sd or 0.0) / soh_percent
    from_elasticity = abs(math.log(relative)) * assumed.elasticity_sd
    return relative**assumed.elasticity, math.hypot(from_health, from_elasticity)


def _years(law: Law) -> str | None:
    if law.first_sale is None or law.last_sale is None:
        return None
    return f"{law.first_sale.year} to {law.last_sale.year}"

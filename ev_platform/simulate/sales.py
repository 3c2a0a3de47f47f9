"""A sales market with known truth: cars that lose value by a known law, sold at auctions.

Belongs here: which cars exist, what they cost, when they are sold. Not here: how a file spoils it (sales_file.py).
Prices of new cars are round figures of the right size; only the law of depreciation and the differences matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from ev_platform.simulate.streams import stream


class SoldModel(NamedTuple):
    """One model: price when new in dollars, share of sales, and its logarithmic loss of value."""

    make: str
    model: str
    wmi: str
    body: str
    trims: tuple[str, ...]
    new_usd: float
    weight: float
    per_year: float = -0.145
    per_10k_miles: float = -0.035


SOLD_MODELS = (
    SoldModel("Ford", "F-150", "1FT", "crew cab", ("XLT", "Lariat", "XL"), 38_000, 14, -0.11),
    SoldModel("Ford", "Focus", "1FA", "sedan", ("SE", "S", "Titanium"), 19_500, 9, -0.16),
    SoldModel("Nissan", "Altima", "1N4", "sedan", ("2.5 S", "2.5 SV", "3.5 SL"), 24_500, 16, -0.15),
    SoldModel("Nissan", "Leaf", "1N4", "hatchback", ("S", "SV", "SL"), 31_000, 0.6, -0.28),
    SoldModel("Toyota", "Camry", "4T1", "sedan", ("LE", "SE", "XLE"), 25_500, 12, -0.11),
    SoldModel("Honda", "Accord", "1HG", "sedan", ("EX", "LX", "Sport"), 25_000, 9, -0.11),
    SoldModel("Chevrolet", "Impala", "2G1", "sedan", ("LT", "LS", "LTZ"), 28_000, 9, -0.17),
    SoldModel("Chevrolet", "Silverado 1500", "3GC", "crew cab", ("LT", "LTZ"), 37_000, 7, -0.11),
    SoldModel("BMW", "3 Series", "WBA", "sedan", ("328i", "335i", "320i"), 41_000, 8, -0.16),
    SoldModel("BMW", "X5", "5UX", "suv", ("xDrive35i", "4.8i"), 57_000, 3, -0.16),
    SoldModel("Mercedes-Benz", "C-Class", "WDD", "sedan", ("C300", "C250"), 42_000, 5, -0.16),
    SoldModel("Volkswagen", "Jetta", "3VW", "sedan", ("SE", "S", "TDI"), 20_500, 6, -0.14),
    SoldModel("Kia", "Sorento", "5XY", "suv", ("LX", "EX"), 27_500, 4, -0.14),
    SoldModel("GMC", "Sierra 1500", "3GT", "extended cab", ("SLE", "SLT"), 38_000, 4, -0.11),
    SoldModel("Tesla", "Model S", "5YJ", "sedan", ("85", "P85", "60"), 82_000, 0.4, -0.13, -0.03),
)
"""What is sold; the last column but one is the yearly loss as a difference of logarithms."""

GRADE_EFFECT = 0.055
"""Difference of log price per grade above 3.5."""
NOISE_SD = 0.09
TRIM_STEP = 0.08
"""Log price of the second trim over the first, of the third over the second, …"""
MILES_PER_YEAR = 12_500.0

MONTHS = ((2014, 1, 0.02), (2014, 12, 0.1), *((2015, month, 0.88 / 7) for month in range(1, 8)))
"""Months of sale and their shares, with the gap that the public data have."""
PACIFIC_SUMMER = (date(2015, 3, 8), date(2015, 11, 1))
COLORS = ("black", "white", "silver", "gray", "blue", "red", "gold", "green", "brown", "beige")
INTERIORS = ("black", "gray", "beige", "tan")
STATES = ("CA", "FL", "PA", "TX", "GA", "NJ", "IL", "NC", "TN", "OH", "MO", "MI", "PR", "AB", "ON", "QC")
SELLERS = ("ford motor credit company llc", "nissan infiniti lt", "the hertz corporation", "avis rac", "kfl llc")
_VIN_CHARACTERS = np.array(list("ABCDEFGHJKLMNPRSTUVWXYZ0123456789"))


@dataclass(frozen=True)
class Market:
    """A market of `sales` sales; the same seed gives the same cars."""

    sales: int = 6_000
    seed: int = 1
    resale_share: float = 0.02

    def draw(self, purpose: str) -> np.random.Generator:
        """The stream of one purpose."""
        return stream(self.seed, "market", purpose)


def true_sales(market: Market) -> pl.DataFrame:
    """Every true sale, in the order of the file: clean columns of lake/schemas_market.SALES without resale columns."""
    draw, n = market.draw("sales"), market.sales
    weights = np.array([model.weight for model in SOLD_MODELS])
    which = draw.choice(len(SOLD_MODELS), size=n, p=weights / weights.sum())
    sold = _sale_times(draw, n)
    vins = _vins(draw, which)
    age = np.minimum(draw.gamma(2.0, 2.1, n), 15.0)
    resold = np.flatnonzero(draw.random(n) < market.resale_share)
    if n > 1:  # a resale: the car of another row, sold again
        origin = (resold + 1 + draw.integers(0, n - 1, len(resold))) % n
        which[resold], vins[resold], age[resold] = which[origin], vins[origin], age[origin]
    sale_year = sold.astype("datetime64[Y]").astype(int) + 1970
    release = (sale_year - np.round(age)).astype(np.int32)
    years = (sold - release.astype("U4").astype("datetime64[us]")).astype(np.int64) / (365.25 * 86_400e6)
    miles = np.round(np.maximum(years, 0.1) * MILES_PER_YEAR * draw.lognormal(0.0, 0.25, n)) + 2
    grade = np.clip(np.round(draw.normal(3.5, 0.8, n), 1), 1.0, 5.0)
    trim = np.array([draw.integers(0, len(SOLD_MODELS[k].trims)) for k in which])
    log_price = log_price_of(which, years, miles, grade, trim)
    price = np.maximum(np.round(np.exp(log_price + draw.normal(0.0, NOISE_SD, n)) / 25) * 25, 100.0)
    mmr = np.maximum(np.round(np.exp(log_price + draw.normal(0.0, 0.03, n)) / 25) * 25, 100.0)
    pick = [SOLD_MODELS[k] for k in which]
    return pl.DataFrame(
        {
            "vin": vins,
            "sold_at": pl.Series(sold).dt.replace_time_zone("UTC"),
            "release_year": release,
            "make": [model.make for model in pick],
            "model": [model.model for model in pick],
            "car_trim": [model.trims[t] for model, t in zip(pick, trim, strict=True)],
            "body": [model.body for model in pick],
            "transmission": np.where(draw.random(n) < 0.96, "automatic", "manual"),
            "state": draw.choice(STATES, n),
            "grade": grade,
            "odometer_miles": miles,
            "color": draw.choice(COLORS, n),
            "interior": draw.choice(INTERIORS, n),
            "seller": draw.choice(SELLERS, n),
            "mmr_usd": mmr,
            "selling_price_usd": price,
        }
    )


def log_price_of(
    which: np.ndarray, years: np.ndarray, miles: np.ndarray, grade: np.ndarray, trim: np.ndarray
) -> np.ndarray:
    """The law: expected log price in dollars of a model at an age in years, a mileage and a grade (arrays of one n)."""
    table = np.array([[np.log(m.new_usd), m.per_year, m.per_10k_miles] for m in SOLD_MODELS])[which]
    usual = np.maximum(years, 0.1) * MILES_PER_YEAR
    beyond = table[:, 2] * (miles - usual) / 10_000
    return table[:, 0] + table[:, 1] * years + beyond + GRADE_EFFECT * (grade - 3.5) + TRIM_STEP * trim


def _sale_times(draw: np.random.Generator, n: int) -> np.ndarray:
    """Instants of sale (datetime64[us], UTC), in working hours of the Pacific coast, so that no month is ambiguous."""
    shares = np.array([share for *_, share in MONTHS])
    month = draw.choice(len(MONTHS), size=n, p=shares / shares.sum())
    first = np.array([f"{year}-{number:02d}-01" for year, number, _ in MONTHS], dtype="datetime64[D]")[month]
    day = first + draw.integers(0, 28, n).astype("timedelta64[D]")
    minutes = (17 * 60 + 30 * draw.integers(0, 12, n)).astype("timedelta64[m]")
    return (day.astype("datetime64[m]") + minutes).astype("datetime64[us]")


def _vins(draw: np.random.Generator, which: np.ndarray) -> np.ndarray:
    """Unlike VINs that begin with the maker's code."""
    n = len(which)
    middle = _VIN_CHARACTERS[draw.integers(0, len(_VIN_CHARACTERS), (n, 7))]
    joined = np.array(["".join(row) for row in middle.tolist()], dtype=object)
    return np.array([f"{SOLD_MODELS[k].wmi}{m}{i:07d}" for i, (k, m) in enumerate(zip(which, joined, strict=True))])

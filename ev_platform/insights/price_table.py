"""New prices per model, from a table that the operator brings: nobody's list prices are shipped.

CSV with the columns make, model, new_price, sd_share (optional: uncertainty as a share of the price), currency, origin,
year. A line without a model is for every model of the make that has none of its own.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from ev_platform.errors import UserError

COLUMNS = ("make", "model", "new_price", "currency", "origin", "year")
DEFAULT_SD_SHARE = 0.05
"""Options, discounts: a list price is not what was paid."""


@dataclass(frozen=True)
class NewPrice:
    """The new price of a model, with where it comes from."""

    price: float
    sd_share: float
    currency: str
    origin: str
    year: int


Prices = dict[tuple[str, str], NewPrice]


def read_price_table(path: str) -> Prices:
    """(make, model) in lower case → new price; empty when `path` is empty.

    Raises:
        UserError: the file cannot be read, lacks a column, or a line is wrong; the message names the line.
    """
    if not path:
        return {}
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"EV_PRICE_TABLE_FILE {path} cannot be read ({type(error).__name__})") from None
    reader = csv.DictReader(text.splitlines())
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
        raise UserError(f"EV_PRICE_TABLE_FILE {path} lacks {', '.join(missing)}; wanted: {', '.join(COLUMNS)}")
    prices: Prices = {}
    for number, row in enumerate(reader, start=2):
        try:
            price, share = float(row["new_price"]), float(row.get("sd_share") or DEFAULT_SD_SHARE)
            year, origin = int(row["year"]), row["origin"].strip()
        except (TypeError, ValueError, AttributeError):
            raise UserError(
                f"EV_PRICE_TABLE_FILE {path}, line {number}: new_price, sd_share or year is no number"
            ) from None
        key = (row["make"].strip().lower(), (row["model"] or "").strip().lower())
        if not (math.isfinite(price) and price > 0 and 0 <= share < 1 and origin and row["currency"].strip()):
            raise UserError(
                f"EV_PRICE_TABLE_FILE {path}, line {number}: a price above 0, its currency and origin are wanted"
            )
        if key in prices:
            raise UserError(f"EV_PRICE_TABLE_FILE {path}, line {number}: {row['make']} {row['model']} stands twice")
        prices[key] = NewPrice(price, share, row["currency"].strip(), origin, year)
    return prices


def find_price(prices: Prices, make: str, model: str) -> NewPrice | None:
    """Price of a model, else of its make; None when the table has neither."""
    return prices.get((make.lower(), model.lower())) or prices.get((make.lower(), ""))

"""Text rows of a sales file → sales with types, canonical names and resales, and what is no sale with its reason.

Belongs here: what is a sale, doubles, resales, quarantine. Not here: reading the file (csv_rows.py), shifted rows
(repair.py), single columns (columns.py), names (names/*.csv). Pure: bytes in, Arrow out; the same rows give the same
tables, whatever their order in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.lake.schemas_market import QUARANTINE, SALES
from ev_platform.market.brands import fill_make, normal_model
from ev_platform.market.columns import typed
from ev_platform.market.csv_rows import COLUMNS, RawRows, read_rows
from ev_platform.market.repair import LOST, is_shifted, rejoin, unshift

MOST_YEARS_AHEAD = 2
"""A model year may be ahead of the sale by this much."""

MONTH = "%Y-%m"
_ORDER = ["sold_at", "vin", "selling_price_usd", "odometer_miles"]


class Refined(NamedTuple):
    """One refined snapshot: `sales` by `SALES`, `quarantine` by `QUARANTINE`; together every row of the file."""

    sales: pa.Table
    quarantine: pa.Table

    @property
    def months(self) -> dict[str, int]:
        """Sales per month (UTC), oldest first."""
        month = pl.Series(pl.from_arrow(self.sales["sold_at"])).dt.truncate("1mo").rename("month")
        counted = pl.DataFrame(month).group_by("month").len().with_columns(pl.col("month").dt.strftime(MONTH))
        return dict(sorted(counted.iter_rows()))


def refine(data: bytes, name: str = "the sales file") -> Refined:
    """Sales and quarantined rows of a sales file.

    Raises:
        UserError: the file is no CSV or lacks a column.
    """
    good, quarantine = _sorted_out(read_rows(data, name))
    quarantine.sort(key=lambda row: (row["reason"], row["original"]))
    pa.default_memory_pool().release_unused()
    return Refined(_resales(normal_model(fill_make(good))), pa.Table.from_pylist(quarantine, schema=QUARANTINE))


def _sorted_out(raw: RawRows) -> tuple[pl.DataFrame, list[dict[str, object]]]:
    """Typed rows that are sales, and quarantine rows. The text, most of the memory, ends here."""
    rejoined, quarantine = _ragged(raw)
    text = pa.concat_tables([raw.table, rejoined])
    shifted = pl.DataFrame(pl.from_arrow(text.select(["state", "vin"]))).select(is_shifted())[:, 0].to_arrow()
    if pc.any(shifted).as_py():
        quarantine += _shifted(text.filter(shifted))
        text = text.filter(pc.invert(shifted))
    position = text.num_rows - rejoined.num_rows
    rows = typed(text, [False] * position + [True] * rejoined.num_rows)
    rows = rows.with_columns(_reason().alias("reason")).drop("no_date")
    bad = rows.filter(pl.col("reason").is_not_null())
    rows = rows.filter(pl.col("reason").is_null()).drop("reason")
    good, doubles = _without_doubles(rows, text)
    quarantine += _rejected(bad, text) + _rejected(doubles.with_columns(pl.lit("duplicate").alias("reason")), text)
    return good.drop("row"), quarantine


def refine_month(refined: Refined, month: str) -> pa.Table:
    """The sales of one month (UTC), `YYYY-MM`; they lie together, since sales are in the order of time."""
    counts = refined.months
    first = sum(count for other, count in counts.items() if other < month)
    return refined.sales.slice(first, counts.get(month, 0)).combine_chunks()


def _reason() -> pl.Expr:
    """Why a typed row is no sale; null for a sale."""
    price, year, no_date = pl.col("selling_price_usd"), pl.col("release_year"), pl.col("no_date")
    return (
        pl.when(no_date & price.is_null()).then(pl.lit("no_date_no_price"))
        .when(no_date).then(pl.lit("no_date"))
        .when(pl.col("sold_at").is_null()).then(pl.lit("bad_date"))
        .when(price.is_null() | ~price.is_finite()).then(pl.lit("no_price"))
        .when(price <= 1).then(pl.lit("placeholder_price"))
        .when(year.is_null() | (year < 1900) | (year > pl.col("sold_at").dt.year() + MOST_YEARS_AHEAD))
        .then(pl.lit("bad_model_year"))
        .otherwise(pl.lit(None, pl.String))
    )  # fmt: skip


# -- resales and doubles ----------------------------------------------------------------------------------------------


def _without_doubles(good: pl.DataFrame, text: pa.Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without full doubles, and the doubles: a car sold twice at the same instant with other figures is kept."""
    alike = good.filter(_alike("vin", "sold_at", "selling_price_usd")).select("row")
    fields = pl.DataFrame(pl.from_arrow(text.take(alike["row"].to_arrow())))
    again = alike.filter(~fields.select(pl.struct(COLUMNS).is_first_distinct())[:, 0])
    if again.height == 0:
        return good, good.clear()
    return good.join(again, on="row", how="anti", maintain_order="left"), good.join(again, on="row", how="semi")


def _alike(*columns: str) -> pl.Expr:
    """Whether another row has the same values in these columns, or (hardly ever) only the same hash of them."""
    digest = pl.col(columns[0]).hash(0)
    for number, column in enumerate(columns[1:], start=1):
        digest = digest ^ pl.col(column).hash(number)
    return digest.is_duplicated()


def _resales(sales: pl.DataFrame) -> pa.Table:
    """Sales in their final order, with the number of the sale of that VIN and the sale before."""
    rows = sales.with_columns(_rank_of_ties(sales)).sort([*_ORDER, "tie"], nulls_last=True)
    del sales  # a copy less while the rest is made: a file of half a million sales fits into 1 GB
    known = pl.col("vin").is_not_null()
    again = rows.select(known & pl.col("vin").is_duplicated())[:, 0]
    before = pl.col("sold_at").shift(1).over("vin")
    resold = rows.select("vin", "sold_at", "selling_price_usd").filter(again)
    figures = resold.select(
        pl.int_range(1, pl.len() + 1).over("vin").cast(pl.Int32).alias("sale_number"),
        pl.col("selling_price_usd").shift(1).over("vin").alias("previous_price_usd"),
        ((pl.col("sold_at") - before).dt.total_seconds() / 86_400).round(4).alias("days_since_previous"),
    )
    once = pl.DataFrame(
        {"sale_number": [1], "previous_price_usd": [None], "days_since_previous": [None]}, schema=figures.schema
    )
    position = pl.DataFrame({"again": again}).select(pl.when("again").then(pl.col("again").cum_sum()).otherwise(0))
    rows = rows.hstack(pl.concat([once, figures])[position[:, 0]])
    columns = {}
    for field in SALES:
        columns[field.name] = rows.drop_in_place(field.name).to_arrow().cast(field.type)
    return pa.table(columns, schema=SALES)


def _rank_of_ties(sales: pl.DataFrame) -> pl.Series:
    """`tie`: an order by all other columns among the rows that `_ORDER` cannot tell apart, so that files do not matter.

    Only those few are sorted by everything, which would cost more than all else if it were done for every row.
    """
    tied = sales.with_row_index("at").filter(_alike(*_ORDER))
    others = [name for name in sales.columns if name not in {*_ORDER, "repairs"}]
    ranked = tied.sort([*others, pl.col("repairs").list.join(",")], nulls_last=True).with_row_index("tie")
    joined = sales.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("at")).join(
        ranked.select("at", "tie"), on="at", how="left", maintain_order="left"
    )
    return joined["tie"].fill_null(0)


# -- quarantine -------------------------------------------------------------------------------------------------------


def _ragged(raw: RawRows) -> tuple[pa.Table, list[dict[str, object]]]:
    """Rows with a field too many that could be joined again, as text; the others as quarantine rows."""
    fixed, hopeless = [], []
    for fields in raw.ragged:
        row = rejoin(fields, raw.header)
        if row is None:
            hopeless.append(_quarantine_row("wrong_field_count", None, {}, fields, repaired=False))
        else:
            fixed.append(row)
    return pa.Table.from_pylist(fixed, schema=raw.table.schema), hopeless


def _shifted(text: pa.Table) -> list[dict[str, object]]:
    originals = pl.DataFrame(pl.from_arrow(text), schema=dict.fromkeys(COLUMNS, pl.String))
    fixed = unshift(originals).select(COLUMNS).iter_rows(named=True)
    return [
        _quarantine_row(
            "shifted_row",
            row["vin"].strip().upper() or None,
            {name: value.strip() for name, value in row.items() if name not in LOST},
            original,
            repaired=True,
        )
        for row, original in zip(fixed, originals.iter_rows(), strict=True)
    ]


def _rejected(rows: pl.DataFrame, text: pa.Table) -> list[dict[str, object]]:
    originals = text.take(rows["row"].to_arrow()).to_pylist()
    kept = [name for name in SALES.names if name in rows.columns]
    return [
        _quarantine_row(reason, row["vin"], row, list(original.values()), repaired=False)
        for reason, row, original in zip(
            rows["reason"].to_list(), rows.select(kept).iter_rows(named=True), originals, strict=True
        )
    ]


def _quarantine_row(
    reason: str, vin: object, fields: Mapping[str, object], original: Sequence[str], *, repaired: bool
) -> dict[str, object]:
    shown = json.dumps({name: value for name, value in fields.items() if value not in (None, "", [])}, default=str)
    return {
        "reason": reason,
        "repaired": repaired,
        "vin": vin,
        "fields": shown,
        "original": json.dumps(list(original), ensure_ascii=False),
    }

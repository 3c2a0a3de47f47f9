"""The rules of the columns: text → value and note, computed once per distinct text.

A sales file has a few thousand distinct dates and prices and fewer names, so a rule that runs over distinct texts and
is then spread over the rows costs a fraction of one that runs over rows. Each rule is an expression over `text`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

from ev_platform.market.brands import close_makes
from ev_platform.market.names import canonical

DATE_PATTERN = (
    r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d{2} \d{4} \d{2}:\d{2}:\d{2} GMT[+-]\d{4}( \([A-Za-z]+\))?$"
)
"""The one form of `saledate`."""

DATE_FORMAT = "%a %b %d %Y %H:%M:%S GMT%z"
"""An exact format: parsers that guess read the sign of the offset the wrong way round, 16 hours off, silently."""

NOTHING = ["", "nan", "none", "null", "n/a"]
"""Texts that stand for a missing value, in lower case."""

SLICE_ROWS = 65_536
ODOMETER_PLACEHOLDERS = [1.0, 999_999.0]

_text = pl.col("text").str.strip_chars().str.replace_all(r"\s+", " ")
CLEAN = pl.when(_text.str.to_lowercase().is_in(NOTHING)).then(None).otherwise(_text)
"""Text with single spaces; null where it says nothing."""

_number = CLEAN.cast(pl.Float64, strict=False)
_upper = CLEAN.str.to_uppercase()
_date = CLEAN.str.replace(r" \([A-Za-z]+\)$", "").str.to_datetime(DATE_FORMAT, time_unit="us", strict=False)


def _lost(value: pl.Expr, note: str) -> pl.Expr:
    """A note with the text received, where a text that says something gives no value."""
    said = pl.format(note + ":{}", pl.col("text").str.strip_chars())
    return pl.when(value.is_null() & CLEAN.is_not_null()).then(said).otherwise(pl.lit(None, pl.String))


def _named(table: str, *, keep: bool) -> pl.Expr:
    """Canonical name by a table; a name without a line is kept in lower case, or null when `keep` is false."""
    names, alias = canonical(table), CLEAN.str.to_lowercase()
    found = alias.replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    return pl.when(alias.is_in(list(names))).then(found).otherwise(alias if keep else pl.lit(None, pl.String))


def _make() -> tuple[pl.Expr, pl.Expr]:
    names, alias = canonical("makes"), CLEAN.str.to_lowercase()
    by_table = alias.replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    close = pl.when(~alias.is_in(list(names))).then(alias).map_batches(close_makes, return_dtype=pl.String)
    note = pl.when(close.is_not_null()).then(pl.format("make_close_match:{}", CLEAN))
    return pl.coalesce(by_table, close, CLEAN), note


def _rules() -> Mapping[str, dict[str, pl.Expr]]:
    vin = pl.when(_upper.str.contains(r"^[A-HJ-NPR-Z0-9]{17}$")).then(_upper)
    grade = (
        pl.when(_number.is_between(1, 5)).then(_number).when(_number.is_between(10, 50)).then((_number / 10).round(1))
    )
    scaled = pl.when(grade.is_not_null() & (_number > 5)).then(pl.lit("condition_point_restored"))
    odometer = pl.when((_number > 0) & ~_number.is_in(ODOMETER_PLACEHOLDERS)).then(_number)
    gear, state = _named("transmissions", keep=False), _named("states", keep=False)
    mmr = pl.when(_number > 0).then(_number)
    make, make_note = _make()
    color = _named("colors", keep=True)
    return {
        "make": {"make": make, "note_make": make_note},
        "condition": {
            "condition_raw": _number,
            "grade": grade,
            "note_point": scaled,
            "note_condition": _lost(grade, "condition_unusable"),
        },
        "odometer": {"odometer_miles": odometer, "note_odometer": _lost(odometer, "odometer_placeholder")},
        "vin": {"vin": vin, "note_vin": _lost(vin, "vin_malformed")},
        "state": {"state": state, "note_state": _lost(state, "state_unknown")},
        "transmission": {"transmission": gear, "note_gear": _lost(gear, "transmission_unknown")},
        "mmr": {"mmr_usd": mmr, "note_mmr": _lost(mmr, "mmr_unusable")},
        "year": {"release_year": pl.when(_number == _number.floor()).then(_number).cast(pl.Int32, strict=False)},
        "model": {"model": CLEAN},
        "trim": {"car_trim": CLEAN},
        "body": {"body": _named("bodies", keep=True)},
        "color": {"color": color},
        "interior": {"interior": color},
        "seller": {"seller": CLEAN.str.to_lowercase()},
        "sellingprice": {"selling_price_usd": _number},
        "saledate": {"sold_at": pl.when(CLEAN.str.contains(DATE_PATTERN)).then(_date), "no_date": CLEAN.is_null()},
    }


def typed(table: pa.Table, rejoined: Sequence[bool]) -> pl.DataFrame:
    """Columns of `SALES` without those of resales, and `row`, the position in `table` (text columns).

    Args:
        table: one text column per name of `csv_rows.COLUMNS`.
        rejoined: whether a row had a field too many that was joined again.
    """
    columns: dict[str, pl.Series] = {"row": pl.int_range(table.num_rows, dtype=pl.UInt32, eager=True)}
    for source, rules in _rules().items():
        encoded = table[source].combine_chunks().dictionary_encode()
        distinct = pl.DataFrame({"text": pl.from_arrow(encoded.dictionary)}, schema={"text": pl.String})
        values = distinct.lazy().select(**rules).collect()
        where = pl.Series(pl.from_arrow(encoded.indices))
        columns |= {name: values[name].gather(where) for name in values.columns}
    rows = pl.DataFrame(columns)
    del columns, values, where, encoded, distinct
    rows = rows.with_columns(pl.Series("rejoined", list(rejoined), dtype=pl.Boolean))
    joined = pl.when("rejoined").then(pl.lit("unquoted_comma_rejoined"))
    notes = [joined, *(pl.col(name) for name in rows.columns if name.startswith("note_"))]
    repairs = _list_of(rows, notes)
    return rows.drop("rejoined", *(n for n in rows.columns if n.startswith("note_"))).with_columns(repairs)


def months_dated(dates: pa.ChunkedArray) -> set[str]:
    """Months (UTC, `YYYY-MM`) of the dates of a file that can be read."""
    distinct = pl.DataFrame({"text": pl.from_arrow(dates.unique())}, schema={"text": pl.String})
    month = pl.when(CLEAN.str.contains(DATE_PATTERN)).then(_date).dt.strftime("%Y-%m")
    return set(distinct.lazy().select(month.alias("month")).collect()["month"].drop_nulls().to_list())


def _list_of(rows: pl.DataFrame, notes: Sequence[pl.Expr]) -> pl.Series:
    """`repairs`: the notes of each row, by slices of rows, so that their texts never stand side by side for all."""
    named = [note.alias(f"n{k}") for k, note in enumerate(notes)]
    slices = [
        part.select(named).select(pl.concat_list(pl.all()).list.drop_nulls().alias("repairs"))["repairs"]
        for part in rows.iter_slices(SLICE_ROWS)
    ]
    return pl.concat(slices) if slices else pl.Series("repairs", [], dtype=pl.List(pl.String))

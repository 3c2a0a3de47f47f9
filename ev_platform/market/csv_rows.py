"""Bytes of a sales CSV → one text column per field, and the rows that do not have as many fields as the header.

Belongs here: encodings, header spellings, ragged rows. Not here: what the values mean (refine.py, repair.py).
"""

from __future__ import annotations

import csv
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv as pacsv

from ev_platform.errors import UserError

COLUMNS = (
    "year",
    "make",
    "model",
    "trim",
    "body",
    "transmission",
    "vin",
    "state",
    "condition",
    "odometer",
    "color",
    "interior",
    "seller",
    "mmr",
    "sellingprice",
    "saledate",
)
"""The fields of a sales file, in their usual order; a header may write them in capitals and in any order."""


class RawRows(NamedTuple):
    """What stands in a file: `table` has `COLUMNS` as text, `ragged` are rows with another number of fields."""

    table: pa.Table
    ragged: list[list[str]]
    header: tuple[str, ...]


def read_rows(data: bytes, name: str = "the sales file") -> RawRows:
    """Rows of a CSV file, byte order mark and broken characters allowed.

    Raises:
        UserError: it is empty or lacks a column; the message names what is missing.
    """
    header = _header(data, name)
    ragged: list[list[str]] = []

    def keep(row: pacsv.InvalidRow) -> str:
        ragged.append(next(csv.reader([row.text]), []))
        return "skip"

    options = {
        "read_options": pacsv.ReadOptions(column_names=list(header), skip_rows=1, block_size=8 * 2**20),
        "parse_options": pacsv.ParseOptions(invalid_row_handler=keep),
        "convert_options": pacsv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), null_values=[], strings_can_be_null=False
        ),
    }
    try:
        table = pacsv.read_csv(pa.BufferReader(data), **options)
    except pa.ArrowInvalid as error:
        if "UTF" not in str(error):
            raise UserError(f"{name} is no CSV file: {str(error).splitlines()[0]}") from error
        ragged.clear()
        repaired = data.decode("utf-8", "replace").encode()
        table = pacsv.read_csv(pa.BufferReader(repaired), **options)
    return RawRows(table.select(list(COLUMNS)), sorted(ragged), header)


def _header(data: bytes, name: str) -> tuple[str, ...]:
    first = data[: data.find(b"\n") if b"\n" in data else len(data)].decode("utf-8-sig", "replace").strip()
    header = tuple(field.strip().lower() for field in next(csv.reader([first]), []))
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise UserError(f"{name} lacks the columns {', '.join(missing)}: a header with {', '.join(COLUMNS)} is wanted")
    if len(set(header)) != len(header):
        raise UserError(f"{name} names a column twice: {', '.join(header)}")
    return header

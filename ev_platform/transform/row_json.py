"""Imported rows to rows of the lake: one per cell, under the name the mapping gave it, nothing left out.

Belongs here: the record `{"vin","createdAt","row":{signal: cell, …},"units":{signal: unit}}` that the import writes for
a line of a file (ingest/import_rows.py). Any provider that has no parser of its own is read as such rows.

How a cell is read back: `text` null: the JSON number `spell(number)`; `text` set: a string of exactly these characters.
"""

from __future__ import annotations

from typing import Any

import orjson

from ev_platform.transform.compact_lexeme import EXACT_INTEGER, split_number, to_number
from ev_platform.transform.tesla_json import Rows

NUMBER, TEXT = "number", "text"
"""Kinds: a cell that was a plain number, and any other."""

_KNOWN = frozenset({"vin", "createdAt", "row", "units"})


class NotARowError(ValueError):
    """A record of a provider that has no parser, and no row either."""


def add_row(rows: Rows, record: dict[str, Any]) -> dict[str, Any] | None:
    """Rows of one imported record; returns the keys that have no column.

    Raises:
        NotARowError: the record is of a provider that has no parser.
    """
    cells = record.get("row")
    if type(cells) is not dict:
        raise NotARowError("no parser for this provider")
    units = record.get("units")
    known: dict[str, Any] = units if type(units) is dict else {}
    before = len(rows.signal)
    signals, kinds, numbers, texts = rows.signal.append, rows.kind.append, rows.number.append, rows.text.append
    for signal, cell in cells.items():
        what = type(cell)
        if (what is float and cell % 1) or (what is int and -EXACT_INTEGER <= cell <= EXACT_INTEGER):
            signals(signal)  # the usual number, spelled as it is read back
            kinds(NUMBER)
            numbers(cell)
            texts(None)
        elif what is str:
            signals(signal)
            kinds(TEXT)
            numbers(to_number(cell))
            texts(cell)
        else:
            _add_cell(rows, signal, cell)
    for number, signal in enumerate(cells if known else ()):
        if type(unit := known.get(signal)) is str:
            rows.unit[before + number] = unit
    if len(rows.signal) == before:
        rows.add(None, None, None, None, "empty")
    unknown = {key: value for key, value in record.items() if key not in _KNOWN}
    return unknown or None


def _add_cell(rows: Rows, signal: str, cell: object) -> None:
    """A cell that the import does not write in this way; other writers may."""
    if isinstance(cell, int | float | str) and not isinstance(cell, bool):  # a Lexeme is a kind of str
        number, text = split_number(cell)  # type: ignore[arg-type]
        rows.add(signal, NUMBER, number, text)
    elif cell is None:
        rows.add(signal, None, None, None, "missing")
    else:
        rows.add(signal, None, None, orjson.dumps(cell).decode(), "unparsed")

"""What all live stores share: how a row becomes a key, a version and a document, and how rows are chosen.

Belongs here: pure functions on plain rows. Not here: a store (live_sqlite.py, live_redis.py, live_mongo.py) or the
interface (live_store.py). Keys and versions are texts whose order in bytes is the order of the values, so that every
store compares them alike, whatever its own rules for numbers and languages are.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

Scalar = str | int | float | bool | None
Row = dict[str, Scalar]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1


class Since(NamedTuple):
    """Rows whose `column` is not before `value` (inclusive)."""

    column: str
    value: Scalar | datetime


class Position(NamedTuple):
    """A stretch of a source that was counted: offsets `first` to `end`, `end` not included.

    `source` names one topic partition. A broker that lost everything hands out the same offsets again: put what tells
    the two apart (its cluster id, a restart number) into the name.
    """

    source: str
    first: int
    end: int


class Overlap(ValueError):
    """A position that was counted in part already; nothing was added."""


def instant_text(instant: datetime) -> str:
    """`2026-11-01T00:00:00.000000Z`: UTC, of fixed width, so that texts sort as the times do.

    Raises:
        ValueError: the time has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"a time without a zone: {instant}")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def scalar(value: object) -> Scalar:
    """A value as a store keeps it: a time becomes text, a number that is none becomes null.

    Raises:
        TypeError: it is neither text, number, boolean, time nor null.
    """
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a live store keeps texts, numbers, booleans, times and nulls, not {type(value).__name__}")


def plain(row: Mapping[str, object]) -> Row:
    """A row with values that every store keeps.

    Raises:
        ValueError: a column has a name that not every store takes.
    """
    for name in row:
        checked_name(name)
    return {name: scalar(value) for name, value in row.items()}


def checked_name(name: str) -> str:
    """The name of a table or column itself, if it is lower case letters, digits and underscores.

    Raises:
        ValueError: it is not.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a name for a table or column of a live store: {name!r}")
    return name


def key_of(row: Mapping[str, Scalar], key_columns: Sequence[str]) -> str:
    """The key of a row: its key columns as a JSON list, so that no two keys can run into each other.

    Raises:
        ValueError: a key column is missing or null.
    """
    values = [row.get(column) for column in key_columns]
    if any(value is None for value in values):
        raise ValueError(f"a row without {', '.join(key_columns)} has no key")
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def version_of(row: Mapping[str, Scalar], newest_by: Sequence[str]) -> str:
    """Text that grows with the values of `newest_by`, the first column deciding first; null comes before all."""
    return "".join(_ordered(row.get(column)) for column in newest_by)


def _ordered(value: Scalar) -> str:
    """Hexadecimal text in the order of the values: null, then numbers, then texts."""
    if value is None:
        return "00"
    if isinstance(value, str):
        return "02" + value.encode().hex() + "00"
    bits = int(struct.unpack(">Q", struct.pack(">d", float(value)))[0])
    return f"01{bits ^ _ALL if bits & _SIGN else bits | _SIGN:016x}"


def newest_of(keyed: Iterable[tuple[str, str, Row]]) -> dict[str, tuple[str, Row]]:
    """Of rows with the same key only the newest; the first of two that are equally new."""
    kept: dict[str, tuple[str, Row]] = {}
    for key, version, row in keyed:
        if key not in kept or version > kept[key][0]:
            kept[key] = (version, row)
    return kept


class Counts(NamedTuple):
    """One counter row: its key columns and what is added to the others."""

    labels: Row
    added: dict[str, int | float]


def counts_of(rows: Iterable[Mapping[str, object]], key_columns: Sequence[str]) -> dict[str, Counts]:
    """Counter rows by key; rows of the same key are added up, nulls add nothing.

    Raises:
        TypeError: a column that is no key column is no number.
    """
    found: dict[str, Counts] = {}
    for given in rows:
        row = plain(given)
        labels = {column: row.pop(column, None) for column in key_columns}
        entry = found.setdefault(key_of(labels, key_columns), Counts(labels, {}))
        for column, value in row.items():
            if isinstance(value, str):
                raise TypeError(f"{column} is to be added up, but holds text")
            if value is not None:
                entry.added[column] = entry.added.get(column, 0) + (int(value) if isinstance(value, bool) else value)
    return found


def chosen(
    keyed: Iterable[tuple[str, Row]], where: Mapping[str, object] | None, since: Since | None, limit: int | None
) -> list[Row]:
    """The rows that match, in the order of `since`'s column (else of the key); `limit` keeps the last of them."""
    wanted = {column: scalar(value) for column, value in (where or {}).items()}
    rows = [(key, row) for key, row in keyed if all(row.get(name) == value for name, value in wanted.items())]
    if since is None:
        rows.sort(key=lambda pair: pair[0])
    else:
        least = _ordered(scalar(since.value))
        rows = [(key, row) for key, row in rows if row.get(since.column) is not None]
        placed = sorted((_ordered(row[since.column]), key, row) for key, row in rows)
        rows = [(key, row) for order, key, row in placed if order >= least]
    return [row for _, row in (rows if limit is None else rows[max(len(rows) - limit, 0) :])]


def expired(keyed: Iterable[tuple[str, Row]], column: str, value: object) -> list[str]:
    """Keys of the rows whose `column` is of the same kind as `value` and smaller."""
    least = _ordered(scalar(value))
    return [key for key, row in keyed if (order := _ordered(row.get(column)))[:2] == least[:2] and order < least]

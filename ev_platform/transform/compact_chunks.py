"""The fast way for the usual line: many lines decoded, checked and taken apart at once, column by column.

Belongs here: Kafka lines of Tesla vehicle data in exactly the usual form. Anything else in a chunk makes `add_chunk`
decline, and the chunk is read line by line (compact_lines.py), which is slower, handles every form, and is the
reference: both ways give the same rows (property-tested). Not here: what a value means (tesla_json.py).

Why a chunk cannot be misread: joined lines could only be taken apart at other places than they were joined if a list
swallowed whole lines. The lists here are the chunk itself, whose length is compared, and `data`, whose items must be a
key and a value and so cannot be lines; a value that holds a list makes `add_chunk` decline.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any

import msgspec

from ev_platform.ingest.lexeme import Lexeme
from ev_platform.transform.compact_headers import Headers
from ev_platform.transform.compact_lexeme import EXACT_INTEGER, tight
from ev_platform.transform.tesla_json import BOOL_KINDS, NUMBER_KINDS, STRUCT_KINDS, Rows, add_value

CHUNK_LINES = 64
"""Lines decoded at once: enough to share the cost of a call, few enough to stay in the processor's cache."""

_PLAIN = (1e-4, 1e15)
"""Fractions of this size are spelled by msgspec and orjson alike."""
_NESTED = frozenset({dict, list})
_INT32, _INT64 = 2**31, 2**63


class _Datum(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    key: str
    value: dict[str, Any]


class _Record(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    data: list[_Datum]
    createdAt: str
    vin: str
    isResend: bool


class _Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    _p: int
    _o: int
    _t: int
    h: dict[str, str]
    d: _Record


_decoder = msgspec.json.Decoder(list[_Line])
_encoder = msgspec.json.Encoder()


def add_chunk(rows: Rows, headers: Headers, lines: list[bytes], vin: str) -> tuple[list[Any], ...] | None:
    """Rows of usual lines; returns the columns of their records, RECORD_FIELDS up to the number of rows.

    None when a line is not of the usual form; nothing was added then.
    """
    text = b"[" + b",".join(lines) + b"]"
    try:
        found = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    written = _encoder.encode(found)
    if written != text:  # blanks between the tokens, or some number is spelled in another way, or keys in another order
        narrow = tight(text)
        if narrow != written and (narrow == text or narrow != tight(written)):
            return None
    records = [line.d for line in found]
    vins = [record.vin for record in records]
    identity = _identity(found)
    if len(found) != len(lines) or vins.count(vin) != len(vins) or identity is None:
        return None
    n_rows = [len(record.data) for record in records]
    data = list(chain.from_iterable([record.data for record in records]))
    if 0 in n_rows or not _add_data(rows, data, n_rows):
        return None
    created = [record.createdAt for record in records]
    resend = [record.isResend for record in records]
    received, txid, extra = headers.many([line.h for line in found])
    return created, received, resend, txid, extra, *identity, [None] * len(found), n_rows


def _identity(found: list[_Line]) -> tuple[list[int], list[int], list[int]] | None:
    partition, offset, source_ts = [x._p for x in found], [x._o for x in found], [x._t for x in found]
    inside = min(partition) >= 0 and max(partition) < _INT32 and min(offset) >= 0 and max(offset) < _INT64
    return (partition, offset, source_ts) if inside and min(source_ts) >= -_INT64 and max(source_ts) < _INT64 else None


def _add_data(rows: Rows, data: list[_Datum], n_rows: list[int]) -> bool:
    """Rows of the data of many records; adds to `n_rows` where a datum has more than one. False: not usual."""
    signals: list[str | None] = [datum.key for datum in data]
    sent = [datum.value for datum in data]
    try:
        members = list(map(dict.popitem, sent))
    except KeyError:  # `{}`
        return False
    if any(sent):  # a second member
        return False
    kinds: list[str | None] = [kind for kind, _ in members]
    values = [value for _, value in members]
    new = Rows.of(
        signals,
        kinds,
        [None if type(value) is str else value for value in values],
        [value if type(value) is str else None for value in values],
    )
    if not _look_closer(new, values, _special(kinds, values), n_rows):
        return False
    rows.extend(new)
    return True


def _look_closer(new: Rows, values: list[Any], special: list[int], n_rows: list[int]) -> bool:
    """Put right what is not a plain number or word. False: not usual.

    A struct becomes one row per part; these stand in `parts` until all of them are known.
    """
    parts = Rows()
    structs: list[tuple[int, int]] = []
    for at in special:
        value = values[at]
        kind, what, before = new.kind[at], type(value), len(parts.signal)
        if what is dict and kind in STRUCT_KINDS and value and _all_plain(value):  # a usual location
            parts.signal += _names(new.signal[at], tuple(value))
            parts.kind += [kind] * len(value)
            parts.number += value.values()
            parts.text += [None] * len(value)
        elif what is float and not value % 1 and abs(value) < _PLAIN[1]:
            written = repr(value)  # 80.0; "-0.0" is the one that a double alone reproduces
            new.text[at] = None if written == "-0.0" and kind not in BOOL_KINDS else written
            continue
        elif kind == "invalid" and value is True:
            new.number[at] = None
            new.status[at] = "invalid"
            continue
        elif what is list or (what is dict and any(type(part) in _NESTED for part in value.values())):
            return False
        else:
            add_value(parts, str(new.signal[at]), str(kind), _spelled(value))
        structs.append((at, len(parts.signal) - before))
    if structs:
        _put_in(new, parts, structs, n_rows)
    return True


@lru_cache(maxsize=1024)  # a fleet sends a handful of structs, thousands of times
def _names(signal: str | None, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{signal}.{part}" for part in parts)


def _put_in(new: Rows, parts: Rows, structs: list[tuple[int, int]], n_rows: list[int]) -> None:
    """Replace each row of `structs` (row, number of parts) by its rows in `parts`; adds to `n_rows` of its record."""
    ends = list(accumulate(n_rows))
    order: list[int] = []  # of the new rows and, behind them, the parts
    begin, place = 0, len(new.signal)
    for at, count in structs:
        order += range(begin, at)
        order += range(place, place + count)
        n_rows[bisect_right(ends, at)] += count - 1
        begin, place = at + 1, place + count
    order += range(begin, len(new.signal))
    if new.status or parts.status:
        to = {row: number for number, row in enumerate(order)}
        moved = {to[len(new.signal) + row]: value for row, value in parts.status.items()}
        new.status = {to[row]: value for row, value in new.status.items()} | moved
    taken = itemgetter(*order, order[0])  # one more, so that there are always several
    new.signal, new.kind, new.number, new.text = (
        list(taken(column + more))[:-1]
        for column, more in (
            (new.signal, parts.signal), (new.kind, parts.kind), (new.number, parts.number), (new.text, parts.text)
        )
    )  # fmt: skip


def _all_plain(parts: dict[str, Any]) -> bool:
    low, high = _PLAIN
    for part in parts.values():
        if not (type(part) is float and part % 1 and (low < part < high or -high < part < -low)):
            return False
    return True


def _special(kinds: list[str | None], values: list[Any]) -> list[int]:
    """Numbers of the values that need a closer look. The hottest loop of compaction: about 100 ns per value."""
    low, high = _PLAIN
    special = []
    for at, value in enumerate(values):
        what = type(value)
        if what is float:
            if not (value % 1 and (low < value < high or -high < value < -low)):
                special.append(at)
        elif what is str:
            if kinds[at] in NUMBER_KINDS:
                special.append(at)
        elif what is int:
            if kinds[at] in BOOL_KINDS or not -EXACT_INTEGER <= value <= EXACT_INTEGER:
                special.append(at)
        elif what is not bool or kinds[at] != "booleanValue":
            special.append(at)
    return special


def _spelled(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with its numbers as they stand in the line, which msgspec has just been seen to reproduce."""
    if type(value) is dict:
        return {name: _spelled(part) for name, part in value.items()}
    return Lexeme(_encoder.encode(value).decode()) if type(value) in (int, float) else value

"""Records of one vehicle-day in one total order, each once: the bytes depend only on the set of records.

Belongs here: identity, repeats, canonical order and the Arrow table. Not here: reading lines (compact_lines.py).

Order: event time, nanoseconds, source, partition, offset, source timestamp, content hash, then the rows of a record as
they stood in it. Rows of one record therefore stand together in every file, and a merge moves whole records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.ingest.lexeme import to_json
from ev_platform.lake.schemas import COMPRESSED, IDENTITY
from ev_platform.transform.compact_lexeme import to_numbers
from ev_platform.transform.compact_lines import Parsed
from ev_platform.transform.tesla_json import READ_AS_NUMBER

_Ints = np.ndarray[Any, np.dtype[np.int64]]

_READ_AS_NUMBER = pa.array(sorted(READ_AS_NUMBER))
_ORDER = ("event_time", "event_time_ns", *IDENTITY)
"""Columns of the total order of records, the most significant first."""


class SchemaError(ValueError):
    """A stored table has not the columns of a compressed file."""


@dataclass(frozen=True)
class NewRows:
    """Rows of records just read, schema COMPRESSED, and how many rows each record has."""

    table: pa.Table
    n_rows: _Ints

    @property
    def identities(self) -> pa.Table:
        """Identity columns of each record, repeats included."""
        return self.table.select(IDENTITY).take(pa.array(np.cumsum(self.n_rows) - self.n_rows))


@dataclass(frozen=True)
class Merged:
    """A table in canonical order, the number of its records, and how many new records were there already."""

    table: pa.Table
    records: int
    repeats: int


def new_rows(parsed: Parsed, vin: str) -> NewRows:
    """Rows of all readable records in the order read, repeats included, schema COMPRESSED."""
    rows = parsed.rows
    columns = parsed.records
    n_rows = np.asarray(columns["n_rows"], np.int64)
    of_record = pa.array(np.repeat(np.arange(len(n_rows)), n_rows))
    buffer = pa.array(columns["buffer"], pa.int64())
    microseconds, nanoseconds = np.divmod(parsed.time_ns, 1000)

    def per_record(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - anything Arrow takes
        if isinstance(values, list) and values and values.count(values[0]) == len(values):
            return pa.repeat(pa.scalar(values[0], kind), len(rows.signal))  # usual, and much cheaper than a take
        array = values if isinstance(values, pa.Array) else pa.array(values, kind)
        return array.cast(kind).take(of_record)

    sources, providers = (_of_buffers([pair[at] for pair in parsed.sources], buffer) for at in (0, 1))
    received = pc.multiply(pa.array(columns["received_ms"], pa.int64()), 1000)
    text, kind = pa.array(rows.text, pa.string()), pa.array(rows.kind, pa.string())
    made = {
        "vin": pa.repeat(pa.scalar(vin), len(rows.signal)),
        "event_time": per_record(pa.array(microseconds, pa.int64()), COMPRESSED.field("event_time").type),
        "event_time_ns": per_record(nanoseconds.astype(np.int16), pa.int16()),
        "signal": pa.array(rows.signal, pa.string()),
        "number": _with_read_numbers(pa.array(rows.number, pa.float64()), text, kind),
        "text": text,
        "kind": kind,
        "unit": _sparse(None, rows.unit, len(rows.signal)),
        "status": _sparse("ok", rows.status, len(rows.signal)),
        "received_at": per_record(received, COMPRESSED.field("received_at").type),
        "provider": per_record(providers, pa.string()),
        "is_resend": per_record(columns["is_resend"], pa.bool_()),
        "txid": per_record(columns["txid"], pa.string()),
        "extra": _with_datum_extra(per_record(columns["extra"], pa.string()), rows.extra),
        "source": per_record(sources, pa.string()),
        "partition": per_record(columns["partition"], pa.int32()),
        "offset": per_record(columns["offset"], pa.int64()),
        "source_ts": per_record(columns["source_ts"], pa.int64()),
        "record_hash": per_record(columns["record_hash"], pa.string()),
    }
    table = pa.Table.from_arrays([made[name] for name in COMPRESSED.names], schema=COMPRESSED)
    if parsed.readable.all():
        return NewRows(table, n_rows)
    return NewRows(table.filter(pa.array(np.repeat(parsed.readable, n_rows))), n_rows[parsed.readable])


def _with_read_numbers(number: pa.Array, text: pa.Array, kind: pa.Array) -> pa.Array:
    """Numbers of texts in kinds that may hold them; the older form sends every value as a string."""
    if text.null_count == len(text):
        return number
    need = pc.and_(pc.is_in(kind, _READ_AS_NUMBER), pc.and_(pc.is_null(number), pc.is_valid(text)))
    return pc.replace_with_mask(number, need, to_numbers(text.filter(need)))


def _of_buffers(texts: list[str], buffer: pa.Array) -> Any:  # noqa: ANN401 - a list of one text, or an array
    """Text of each record's buffer; a list of one text where all are the same."""
    return texts[:1] if len(set(texts)) == 1 else pa.array(texts, pa.string()).take(buffer)


def _sparse(usual: str | None, others: dict[int, str], length: int) -> pa.Array:
    if not others:
        return pa.repeat(pa.scalar(usual, pa.string()), length)
    words = sorted(set(others.values()))
    codes = np.zeros(length, np.int32)
    codes[list(others)] = [words.index(value) + 1 for value in others.values()]
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array([usual, *words], pa.string())).cast(pa.string())


def _with_datum_extra(extra: pa.Array, of_datum: dict[int, dict[str, Any]]) -> pa.Array:
    if not of_datum:
        return extra
    values = extra.to_pylist()
    for row, keys in of_datum.items():
        start = f"{values[row][:-1]}," if values[row] else "{"
        values[row] = f'{start}"datum":{to_json(keys)}}}'
    return pa.array(values, pa.string())


def merge(existing: pa.Table | None, new: NewRows) -> Merged:
    """Records of both, each identity once (the stored one wins; a polled one received first), in canonical order.

    Args:
        existing: the stored table of the same vehicle and day, or None.
        new: records just read.

    Raises:
        SchemaError: the stored table is not a compressed table.
    """
    stored = COMPRESSED.empty_table() if existing is None else conform(existing)
    stored_rows = _rows_per_record(stored)
    n_rows = np.concatenate([stored_rows, new.n_rows])
    table = pa.concat_tables([stored, new.table]) if len(stored) else new.table
    starts = np.cumsum(n_rows) - n_rows
    keys = _keys(table.select([*_ORDER, "received_at"]).take(pa.array(starts)))
    first = _first_of_identity(keys)
    order = _sorted([keys[name] for name in _ORDER])
    order = order[first[order]]
    if len(order) != len(n_rows) or (np.diff(order) < 0).any():
        table = table.combine_chunks().take(pa.array(_rows_of(order, starts, n_rows)))
    repeats = len(n_rows) - len(order)
    return Merged(pa.table(table.combine_chunks().columns, schema=COMPRESSED), len(order), repeats)


def conform(table: pa.Table) -> pa.Table:
    """The table with exactly the columns, types and metadata of COMPRESSED.

    Raises:
        SchemaError: a column is missing, foreign or of another type.
    """
    if not table.schema.equals(COMPRESSED):
        raise SchemaError(f"columns differ from a compressed file: {', '.join(table.schema.names) or 'none'}")
    return pa.table(table.columns, schema=COMPRESSED)


def records_of(table: pa.Table) -> pa.Table:
    """Identity columns of each record of a compressed table: one row per record, repeats kept as they stand."""
    n_rows = _rows_per_record(table)
    return table.select(IDENTITY).take(pa.array(np.cumsum(n_rows) - n_rows))


def missing(wanted: pa.Table, stored: pa.Table) -> int:
    """How many of the wanted identities (columns IDENTITY, repeats allowed) the stored ones do not hold."""
    plain = pa.schema([COMPRESSED.field(name) for name in IDENTITY])
    both = pa.concat_tables([table.select(IDENTITY).cast(plain) for table in (stored, wanted)])
    first = _first_of_identity(_keys(both))
    return int(first[len(stored) :].sum())


def _rows_per_record(table: pa.Table) -> _Ints:
    """Lengths of the runs of equal identity: in a stored table the rows of a record stand together."""
    if not len(table):
        return np.empty(0, np.int64)
    changes = np.zeros(len(table) - 1, bool)
    for codes in _keys(table.select(IDENTITY)).values():
        changes |= np.diff(codes) != 0
    starts = np.flatnonzero(np.concatenate([[True], changes]))
    return np.diff(np.append(starts, len(table)))


def _keys(table: pa.Table) -> dict[str, _Ints]:
    """Columns as integers that compare as the values do, null before all others."""
    return {name: _codes(table[name]) for name in table.column_names}


def _codes(column: pa.ChunkedArray) -> _Ints:
    if not (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
        return np.asarray(pc.fill_null(column.cast(pa.int64()), np.iinfo(np.int64).min), np.int64)
    if column.null_count == len(column):
        return np.full(len(column), -1)
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        encoded = encoded.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    rank = np.empty(len(words), np.int64)
    rank[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
    indices = np.asarray(pc.fill_null(encoded.indices, 0), np.int64)
    return np.where(np.asarray(column.is_null()), -1, rank[indices])


def _first_of_identity(keys: dict[str, _Ints]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """True where a record is the first one of its identity.

    A polled value comes again with every poll: the one received first stays, whichever was compacted first.
    """
    columns = [keys[name] for name in IDENTITY]
    polled = "received_at" in keys and (keys["record_hash"] >= 0).any()
    order = _sorted(
        [*columns, keys["received_at"]] if polled else columns
    )  # stable: the earlier record stays the first
    same = np.ones(max(len(order) - 1, 0), bool)
    for codes in columns:
        same &= np.diff(codes[order]) == 0
    first = np.ones(len(order), bool)
    first[order[1:][same]] = False
    return first


def _sorted(columns: list[_Ints]) -> _Ints:
    """Stable order by several columns, the most significant first; most of them hold one value only."""
    if not len(columns[0]):
        return np.empty(0, np.int64)
    varied = [codes for codes in columns if codes[0] != codes[-1] or (codes != codes[0]).any()]
    return np.lexsort(varied[::-1]) if varied else np.arange(len(columns[0]))


def _rows_of(order: _Ints, starts: _Ints, n_rows: _Ints) -> _Ints:
    """Row numbers of whole records in the given order."""
    lengths = n_rows[order]
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts[order] - before, lengths) + np.arange(lengths.sum())

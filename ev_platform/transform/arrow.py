"""Between Arrow columns and NumPy arrays, straight over their buffers.

pyarrow's own conversions import pandas at their first call, whatever is converted: 40 MB and a fifth of a second for
every worker process, of which no kernel uses anything (`test_arrow.py` keeps it so).
Belongs here: arrays of numbers, times, truth values and words. Not here: what they mean. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Column: TypeAlias = pa.Array | pa.ChunkedArray


def _whole(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _bits(buffer: pa.Buffer, array: pa.Array) -> Bools:
    bits = np.unpackbits(np.frombuffer(buffer, dtype=np.uint8), count=array.offset + len(array), bitorder="little")
    return bits[array.offset :].view(np.bool_)


def _fixed(array: pa.Array, kind: type[np.generic]) -> npt.NDArray[np.generic]:
    """Values of a column of fixed width, as they lie in memory (read only)."""
    if not len(array):
        return np.zeros(0, dtype=kind)
    return np.frombuffer(array.buffers()[1], dtype=kind)[array.offset : array.offset + len(array)]


def known(column: Column) -> Bools:
    """Rows that are not null."""
    array = _whole(column)
    if array.null_count == 0:
        return np.ones(len(array), dtype=bool)
    if array.null_count == len(array):
        return np.zeros(len(array), dtype=bool)
    return _bits(array.buffers()[0], array)


def floats(column: Column) -> Floats:
    """Numbers as doubles, NaN for null."""
    array = _whole(column)
    if array.null_count == len(array):
        return np.full(len(array), np.nan)
    values = np.asarray(_fixed(array.cast(pa.float64()), np.float64), dtype=np.float64)
    return values if array.null_count == 0 else np.where(known(array), values, np.nan)


def ints(column: Column, missing: int = -1) -> Ints:
    """Whole numbers, or times in their own unit, `missing` for null."""
    array = _whole(column)
    if array.null_count == len(array):
        return np.full(len(array), missing, dtype=np.int64)
    values = np.asarray(_fixed(array.cast(pa.int64()), np.int64), dtype=np.int64)
    return values if array.null_count == 0 else np.where(known(array), values, missing)


def bools(column: Column) -> Bools:
    """Truth values, false for null."""
    array = _whole(column)
    if array.null_count == len(array):
        return np.zeros(len(array), dtype=bool)
    values = _bits(array.buffers()[1], array)
    return values if array.null_count == 0 else values & known(array)


def indices(array: pa.DictionaryArray) -> Ints:
    """Codes of a dictionary column, -1 for null."""
    return ints(array.indices)


def _bitmap(mask: Bools) -> pa.Buffer:
    return pa.py_buffer(np.packbits(mask, bitorder="little"))


def from_floats(values: Floats) -> pa.Array:
    """Doubles, null for NaN."""
    missing = np.isnan(values)
    nulls = int(np.count_nonzero(missing))
    validity = _bitmap(~missing) if nulls else None
    data = pa.py_buffer(np.ascontiguousarray(values, dtype=np.float64))
    return pa.Array.from_buffers(pa.float64(), len(values), [validity, data], nulls)


def from_ints(values: npt.NDArray[np.integer], kind: pa.DataType = pa.int64()) -> pa.Array:  # noqa: B008 - a constant
    """Whole numbers or times (64 bits), without nulls."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values, np.int64))], 0)


def from_bools(values: Bools, missing: Bools | None = None) -> pa.Array:
    """Truth values, null where `missing`."""
    validity = None if missing is None else _bitmap(~missing)
    return pa.Array.from_buffers(pa.bool_(), len(values), [validity, _bitmap(values)])


def from_strings(words: Sequence[str]) -> pa.Array:
    """Strings, without nulls."""
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *(len(word) for word in encoded)], dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(words), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))], 0
    )


def from_codes(codes: Ints, words: Sequence[str]) -> pa.Array:
    """Strings of codes into `words`, null for -1."""
    missing = codes < 0
    nulls = int(np.count_nonzero(missing))
    validity = _bitmap(~missing) if nulls else None
    places = pa.py_buffer(np.where(missing, 0, codes).astype(np.int32))
    index = pa.Array.from_buffers(pa.int32(), len(codes), [validity, places], nulls)
    return pc.take(from_strings(words), index) if words else pa.nulls(len(codes), pa.string())


def from_words(values: Iterable[str | None]) -> pa.Array:
    """Strings of few kinds, null for None."""
    listed = list(values)
    words = sorted({word for word in listed if word is not None})
    place = {word: code for code, word in enumerate(words)}
    return from_codes(np.array([-1 if w is None else place[w] for w in listed], dtype=np.int64), words)


def from_lists(lengths: npt.NDArray[np.integer] | Sequence[int], values: pa.Array) -> pa.Array:
    """Lists of so many of the values each, one after the other."""
    ends = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int32)
    offsets = pa.Array.from_buffers(pa.int32(), len(ends), [None, pa.py_buffer(ends)], 0)
    return pa.ListArray.from_arrays(offsets, values)


def take(table: pa.Table, rows: Ints) -> pa.Table:
    """The chosen rows of a table."""
    return table.take(from_ints(rows))

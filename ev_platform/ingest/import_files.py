"""Files of history, CSV or Parquet, as batches of text columns, in bounded memory; rows that do not fit, and why.

Belongs here: headers, encodings, ragged lines, row numbers. Not here: what a cell means (import_rows.py).
Row numbers count the lines of the table from 1, the header included where there is one; blank lines do not count.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ev_platform.errors import UserError
from ev_platform.ingest.import_mapping import FileShape, Mapping

BLOCK_BYTES = 16 * 2**20
"""Bytes of a file read at once; the parsed batch takes a few times that."""

PARQUET_ROWS = 100_000
ROW = "#row"
"""Column of the row numbers; no header can be named so, because names are stripped of it."""


@dataclass(frozen=True)
class BadRow:
    """A row that does not fit: its number, why, and its text."""

    number: int
    reason: str
    detail: str
    text: str


@dataclass
class Batch:
    """Rows of a file: String columns and `ROW`; rows that could not become rows of it."""

    frame: pl.DataFrame
    bad: list[BadRow] = field(default_factory=list)


def read_batches(path: Path, mapping: Mapping, progress: Callable[[int], None] = lambda _: None) -> Iterator[Batch]:
    """Batches of a file.

    Args:
        path: a CSV file (also .gz) or a Parquet file (.parquet, .pq).
        mapping: how its cells are written, and which columns it may have.
        progress: told how many bytes of the file were read so far.

    Raises:
        UserError: the file cannot be read at all.
    """
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            yield from _parquet(path, progress)
        else:
            yield from _csv(path, mapping, progress)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}") from error


def _parquet(path: Path, progress: Callable[[int], None]) -> Iterator[Batch]:
    size, first = path.stat().st_size, 1
    with pq.ParquetFile(path) as file:
        total = max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(PARQUET_ROWS):
            frame = pl.from_arrow(pa.table(batch))
            assert isinstance(frame, pl.DataFrame)
            numbers = pl.Series(ROW, range(first, first + len(frame)), dtype=pl.Int64)
            first += len(frame)
            yield Batch(
                frame.select(_as_text(frame[name]).alias(_clean(name)) for name in frame.columns).with_columns(numbers)
            )
            progress(size * (first - 1) // total)
    progress(size)


def _as_text(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        utc = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        return utc.dt.strftime("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if kind.time_zone else ""))
    if kind.is_nested():
        return (
            pl.DataFrame({"": column}).select(pl.struct("").struct.json_encode().str.slice(4).str.head(-1)).to_series()
        )
    return column.cast(pl.String)


def _csv(path: Path, mapping: Mapping, progress: Callable[[int], None]) -> Iterator[Batch]:
    names, skip = _header(path, mapping)
    fresh: list[pacsv.InvalidRow] = []
    refused: set[int] = set()

    def refuse(row: pacsv.InvalidRow) -> str:
        fresh.append(row)
        refused.add(row.number)
        return "skip"

    shape = mapping.file
    with pa.OSFile(str(path)) as raw, _decompressed(raw, path) as stream:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                column_names=names, skip_rows=skip, block_size=BLOCK_BYTES, encoding=shape.encoding, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=shape.delimiter, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary())),
        )
        numbers = (number for number in itertools.count(skip + 1) if number not in refused)
        for batch in reader:
            rows = list(itertools.islice(numbers, len(batch)))
            yield _decoded(batch, rows, _bad_rows(fresh))
            fresh.clear()
            progress(raw.tell())
        if fresh:
            yield Batch(pl.DataFrame(schema={**dict.fromkeys(names, pl.String), ROW: pl.Int64}), _bad_rows(fresh))
    progress(path.stat().st_size)


def _bad_rows(rows: list[pacsv.InvalidRow]) -> list[BadRow]:
    return [
        BadRow(row.number, "wrong_cells", f"{row.actual_columns} cells, wanted {row.expected_columns}", row.text)
        for row in rows
    ]


def _decompressed(raw: pa.NativeFile, path: Path) -> pa.NativeFile:
    return pa.CompressedInputStream(raw, "gzip") if path.suffix.lower() == ".gz" else raw


def _decoded(batch: pa.RecordBatch, rows: list[int], bad: list[BadRow]) -> Batch:
    """Bytes as text; a row that is not UTF-8 is a bad row."""
    columns: dict[str, pa.Array] = {}
    broken: dict[int, str] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns[name] = column.cast(pa.string())
        except pa.ArrowInvalid:
            texts = []
            for at, cell in enumerate(column.to_pylist()):
                texts.append(None if cell is None else cell.decode(errors="backslashreplace"))
                if texts[-1] is not None and texts[-1].encode() != cell:
                    broken.setdefault(at, name)
            columns[name] = pa.array(texts, pa.string())
    frame = pl.DataFrame(columns).with_columns(pl.Series(ROW, rows, dtype=pl.Int64))
    if broken:
        bad = bad + [
            BadRow(rows[at], "not_text", f"column {name} is not UTF-8", _joined(frame.row(at)[:-1]))
            for at, name in sorted(broken.items())
        ]
        keep = [at for at in range(len(rows)) if at not in broken]
        frame = frame[keep]
    return Batch(frame, bad)


def _joined(cells: tuple[Any, ...]) -> str:
    return ",".join("" if cell is None else str(cell) for cell in cells)


# -- headers ----------------------------------------------------------------------------------------------------------


def _header(path: Path, mapping: Mapping) -> tuple[list[str], int]:
    """Names of the columns, and the number of lines before the first row.

    Raises:
        UserError: there is no header, and the mapping does not name the columns.
    """
    shape = mapping.file
    cells = _first_line(path, shape)
    known = _known_names(mapping)
    found = [_clean(cell) for cell in cells]
    has_header = any(cell.casefold() in known for cell in found) if shape.header is None else shape.header
    if has_header:
        return _unique([known.get(cell.casefold(), cell) for cell in found]), shape.skip_lines + 1
    if not shape.names:
        wanted = " or ".join(" + ".join(rule.columns) for rule in mapping.times)
        raise UserError(
            f"{path}: the first line has none of the columns that mapping {mapping.name} knows (time: {wanted}); "
            "take another mapping, or say in it under [file] what the columns are: names = [...]"
        )
    more = [f"column_{number}" for number in range(len(shape.names) + 1, len(cells) + 1)]
    return _unique([*shape.names, *more][: len(cells)]), shape.skip_lines


def _first_line(path: Path, shape: FileShape) -> list[str]:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding=shape.encoding, errors="replace", newline="") as file:
        lines = itertools.islice(file, shape.skip_lines, None)
        cells = next((row for row in csv.reader(lines, delimiter=shape.delimiter) if any(map(str.strip, row))), None)
    if cells is None:
        raise UserError(f"{path}: the file is empty")
    return cells


def _known_names(mapping: Mapping) -> dict[str, str]:
    """Every column the mapping speaks of, by its name in small letters."""
    times = [name for rule in mapping.times for name in rule.columns]
    names = [*mapping.file.names, *mapping.columns, *mapping.drop, *mapping.vin.columns, *times]
    return {_clean(name).casefold(): name for name in names}


def _clean(name: str) -> str:
    """A header cell without byte order mark, blanks and the mark of our own columns."""
    return name.strip().lstrip("\ufeff#").strip()


def _unique(names: list[str]) -> list[str]:
    """Names with empty and repeated ones made different: `column_3`, `a`, `a_2`."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        base = name or f"column_{number}"
        unique, n = base, 1
        while unique in found:
            n += 1
            unique = f"{base}_{n}"
        found.append(unique)
    return found

"""One part of a day's table, written and read in pieces: memory holds a row group and a batch, never the fleet.

Belongs here: cutting a table into row groups of a fixed size, whatever the batches were, so that the bytes depend on
the rows alone; reading whole vehicles back. Not here: keys and days (daily.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ev_platform.engine.items import TaskError
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import ROW_GROUP_ROWS
from ev_platform.transform import arrow


class PartWriter:
    """Collects tables of one schema and writes full row groups as soon as there are enough rows."""

    def __init__(self, schema: pa.Schema) -> None:
        text = [field.name for field in schema if pa.types.is_string(field.type)]
        self.rows = 0
        self._schema = schema
        # Not a buffer: a growing one holds up to three times its bytes. Closed with the writer.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._file, mode="w"),
            schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=text or False,
        )
        self._open: list[pa.Table] = []
        self._open_rows = 0

    def add(self, table: pa.Table) -> None:
        """Append rows; columns must be those of the schema, in any order."""
        self._open.append(table.select(self._schema.names).cast(self._schema))
        self._open_rows += len(table)
        self.rows += len(table)
        while self._open_rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def close(self) -> bytes | None:
        """Parquet bytes of all rows; None when there are none."""
        if self._open_rows:
            self._flush(self._open_rows)
        self._writer.close()
        with self._file as file:
            file.seek(0)
            return file.read() if self.rows else None

    def _flush(self, rows: int) -> None:
        table = pa.concat_tables(self._open)
        self._writer.write_table(table.slice(0, rows).combine_chunks(), row_group_size=rows)
        rest = table.slice(rows)
        self._open, self._open_rows = [rest], len(rest)


def replace_part(store: ObjectStore, key: str, data: bytes | None) -> tuple[int, int]:
    """Bring a part to these bytes with at most one atomic PUT; None deletes it. Returns (objects written, deleted)."""
    before = store.read(key).data
    if data == before:
        return 0, 0
    if data is None:
        store.delete([key])
        return 0, 1
    store.put(key, data)
    return 1, 0


def read_part(
    store: ObjectStore,
    key: str,
    batch_vehicles: int,
    columns: Sequence[str] | None = None,
    vehicles: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """`vehicle_batches` of a stored part; nothing when there is no such part.

    Raises:
        TaskError: the object is not a Parquet file, or not one of this table.
    """
    data = store.read(key).data
    try:
        if data is not None:
            yield from vehicle_batches(data, batch_vehicles, columns, vehicles)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise TaskError(f"{key} cannot be read: {error}") from error


def vehicle_batches(
    data: bytes, batch_vehicles: int, columns: Sequence[str] | None = None, vehicles: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Tables of at most `batch_vehicles` whole vehicles, in order, from a part that is sorted by vin.

    Args:
        data: Parquet bytes of the part.
        batch_vehicles: vehicles per table; a vehicle is never split.
        columns: columns to read (must include `vin`; ones that the part does not have are left out); all if None.
        vehicles: only these; row groups without any of them are not read.

    Raises:
        pa.ArrowException: the bytes are not a Parquet file.
    """
    file = pq.ParquetFile(pa.BufferReader(data))
    present = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
    carry: pa.Table | None = None
    for group in range(file.num_row_groups):
        if vehicles is not None and not _may_hold(file, group, vehicles):
            continue
        table = file.read_row_group(group, columns=present, use_threads=False)
        if vehicles is not None:
            table = table.filter(pc.is_in(table["vin"], arrow.from_strings(vehicles)))
        table = table if carry is None else pa.concat_tables([carry, table])
        starts = _vehicle_starts(table)
        ready = (len(starts) - 1) // batch_vehicles * batch_vehicles  # the last vehicle may go on in the next group
        yield from _cut(table, [*starts[:ready:batch_vehicles], *starts[ready : ready + 1]])
        carry = table.slice(starts[ready]) if len(starts) else table
    if carry is not None and len(carry):
        yield from _cut(carry, [*_vehicle_starts(carry)[::batch_vehicles], len(carry)])


def _may_hold(file: pq.ParquetFile, group: int, vehicles: Sequence[str]) -> bool:
    column = file.schema_arrow.get_field_index("vin")
    statistics = file.metadata.row_group(group).column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return any(statistics.min <= vin <= statistics.max for vin in vehicles)


def _vehicle_starts(table: pa.Table) -> list[int]:
    if not len(table):
        return []
    vins = table["vin"].combine_chunks()
    changes = arrow.bools(pc.not_equal(vins.slice(1), vins.slice(0, len(vins) - 1)))
    return [0, *(np.flatnonzero(changes) + 1).tolist()]


def _cut(table: pa.Table, bounds: Sequence[int]) -> Iterator[pa.Table]:
    for start, end in pairwise(bounds):
        if end > start:
            yield table.slice(start, end - start).combine_chunks()

"""DuckDB in this process, on the lake's Parquet objects: a folder, S3 and memory alike, without any extension.

Each table is a pyarrow dataset, so DuckDB pushes filters and columns down to it: partitions that a filter excludes are
never opened, columns that are not asked for are never read. The connection can reach nothing else: no files, no
network, no extensions, and its configuration is locked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from ev_platform.lake.store import ObjectStore
from ev_platform.query.catalogue import TableSpec, tables
from ev_platform.query.engine import Answer, QueryError, Value, checked
from ev_platform.query.lake_files import lake_files

LOCKED = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET allow_community_extensions = false",
    "SET TimeZone = 'UTC'",
    "SET lock_configuration = true",
)


class DuckDBEngine:
    """See the module; a connection lives as long as one question, so it always sees the newest files."""

    name = "duckdb"

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def query(self, sql: str, parameters: Sequence[Value] = (), *, literals: bool = False) -> Answer:
        """See `QueryEngine.query`."""
        text = checked(sql, parameters, literals=literals)
        begin = perf_counter()
        files, count = lake_files(self._store)
        with duckdb.connect() as connection:
            for table in _named(text):
                connection.register(table.name, _dataset(self._store, files, table))
            for statement in LOCKED:
                connection.execute(statement)
            try:
                statements = connection.extract_statements(text)
                if [statement.type.name for statement in statements] != ["SELECT"]:
                    raise QueryError("only one SELECT can be asked")
                found = connection.sql(text, params=[_utc(value) for value in parameters]).to_arrow_table()
            except duckdb.Error as error:
                raise QueryError(f"DuckDB: {str(error).splitlines()[0]}") from None
        return Answer(found, count.bytes, perf_counter() - begin, self.name)


def _named(text: str) -> list[TableSpec]:
    """Tables whose name stands in the text: only their folders are listed."""
    words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text.lower()))
    return [table for table in tables() if table.name in words]


def _dataset(store: ObjectStore, files: object, table: TableSpec) -> pads.Dataset:
    """The Parquet objects of a table, each with the values of its partition columns, so that filters prune them."""
    placed = [(key, values) for key in store.keys(table.folder) if (values := table.values_of(key)) is not None]
    if not placed:
        return pads.dataset(table.columns.empty_table())
    form = pads.ParquetFileFormat(pre_buffer=True)
    fragments = []
    for key, values in placed:
        guarantee = pads.scalar(True)
        for name, value in values.items():
            guarantee = guarantee & (pads.field(name) == pa.scalar(value, table.columns.field(name).type))
        fragments.append(form.make_fragment(key, files, guarantee))
    return _Dataset(fragments, table.columns.remove_metadata(), form, files)


class _Dataset(pads.FileSystemDataset):  # type: ignore[misc]
    """Scanned without holding the interpreter.

    `Scanner.to_reader` holds it while Arrow waits for its own threads, and those want it to read our objects: sooner or
    later both wait for ever. `Scanner.to_batches` lets go of it.
    """

    def scanner(self, **options: Any) -> _Scan:  # noqa: ANN401 - pyarrow's own
        """What DuckDB asks for, with the columns and the filter that it pushes down."""
        return _Scan(super().scanner(**options))


class _Scan:
    """The one method of a scanner that DuckDB calls."""

    def __init__(self, scanner: pads.Scanner) -> None:
        self._scanner = scanner

    def to_reader(self) -> pa.RecordBatchReader:
        """The batches, read when they are asked for."""
        return pa.RecordBatchReader.from_batches(self._scanner.projected_schema, self._scanner.to_batches())


def _utc(value: Value) -> Value:
    return value.astimezone(UTC) if isinstance(value, datetime) else value

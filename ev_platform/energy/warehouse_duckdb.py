"""The embedded warehouse: a DuckDB file built aside and swapped in one step.

One writer locks readers of other processes out of a DuckDB file, so the file that people read is never written:
readers open it read-only, keep what they opened, and open it again when its time of change moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from ev_platform.energy.warehouse import SCHEMA, TABLES, Part, WarehouseReceipt, columns_sql, keys_sql
from ev_platform.errors import UserError
from ev_platform.lake.schemas import TIME

TYPES = {
    pa.string(): "VARCHAR", pa.float64(): "DOUBLE", pa.int64(): "BIGINT", pa.int32(): "INTEGER",
    pa.int16(): "SMALLINT", pa.int8(): "TINYINT", pa.bool_(): "BOOLEAN", pa.date32(): "DATE", TIME: "TIMESTAMPTZ",
}  # fmt: skip


class DuckDBWarehouse:
    """See `Warehouse`."""

    kind = "duckdb"

    def __init__(self, path: Path) -> None:
        self.path = path

    def probe(self) -> None:
        """See `Warehouse.probe`."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path.parent} cannot be made ({error.strerror}): set EV_STATE_DIR") from error

    def load(self, parts: Iterator[Part]) -> WarehouseReceipt:
        """See `Warehouse.load`: everything is made anew, which is quicker than finding out what changed."""
        self.probe()
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        aside.unlink(missing_ok=True)
        loaded = 0
        try:
            with duckdb.connect(str(aside)) as db:
                db.execute(f"CREATE SCHEMA {SCHEMA}")
                for table in TABLES:
                    columns = ", ".join([*columns_sql(table, TYPES), *keys_sql(table)])
                    db.execute(f'CREATE TABLE {SCHEMA}."{table.name}" ({columns})')
                for part in parts:
                    db.register("part", part.rows)
                    doubled = " ON CONFLICT DO NOTHING" if part.table.shared else ""
                    db.execute(f'INSERT INTO {SCHEMA}."{part.table.name}" SELECT * FROM part{doubled}')  # noqa: S608
                    db.unregister("part")
                    loaded += 1
                rows = {table.name: _count(db, table.name) for table in TABLES}
            os.replace(aside, self.path)
        finally:
            aside.unlink(missing_ok=True)
        return WarehouseReceipt(self.kind, rows, loaded, 0, 0)


def _count(db: duckdb.DuckDBPyConnection, table: str) -> int:
    found = db.execute(f'SELECT count(*) FROM {SCHEMA}."{table}"').fetchone()  # noqa: S608 - names of our own table
    assert found is not None
    return int(found[0])

"""The warehouse on PostgreSQL: real keys, upserts, only what changed, all of a load in one transaction.

Each table has one column more, `lake_partition`: where in the lake a row comes from. So a partition that was made
again loses exactly those of its rows that are gone. Missing columns are added; nothing is ever dropped or replaced.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa

from ev_platform.energy.warehouse import SCHEMA, TABLES, Part, WarehouseReceipt, WarehouseTable, columns_sql, keys_sql
from ev_platform.errors import UserError
from ev_platform.lake.schemas import TIME

TYPES = {
    pa.string(): "text", pa.float64(): "double precision", pa.int64(): "bigint", pa.int32(): "integer",
    pa.int16(): "smallint", pa.int8(): "smallint", pa.bool_(): "boolean", pa.date32(): "date", TIME: "timestamptz",
}  # fmt: skip
CONNECT_SECONDS = 10
LOAD_LOCK = 6_201_127
"""Advisory lock: two loads at once take turns."""


class PostgresWarehouse:
    """See `Warehouse`."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url

    def probe(self) -> None:
        """See `Warehouse.probe`."""
        self._connect().close()

    def load(self, parts: Iterator[Part]) -> WarehouseReceipt:
        """See `Warehouse.load`.

        Raises:
            UserError: the database does not answer, or its client is not installed.
        """
        db = self._connect()
        try:
            with db, db.cursor() as cursor:  # commits at the end, rolls back on any error
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOAD_LOCK,))
                _prepare(cursor)
                return self._load(cursor, parts)
        finally:
            db.close()

    def _connect(self) -> Any:  # noqa: ANN401 - psycopg2 has no types
        try:
            import psycopg2
        except ImportError:
            raise UserError(
                "EV_WAREHOUSE names PostgreSQL, whose client is missing: pip install psycopg2-binary"
            ) from None
        try:
            return psycopg2.connect(self._url, connect_timeout=CONNECT_SECONDS)
        except psycopg2.OperationalError as error:  # its text names host, port and user, never the password
            raise UserError(f"EV_WAREHOUSE: PostgreSQL does not answer: {str(error).strip().splitlines()[0]}") from None

    def _load(self, cursor: Any, parts: Iterator[Part]) -> WarehouseReceipt:  # noqa: ANN401
        cursor.execute(f"SELECT table_name, partition, digest FROM {SCHEMA}.loaded")  # noqa: S608
        known = {(table, partition): digest for table, partition, digest in cursor.fetchall()}
        seen, loaded, deleted = set(), 0, 0
        for part in parts:
            place = (part.table.name, part.partition)
            seen.add(place)
            if known.get(place) == part.digest:
                continue
            deleted += _replace(cursor, part)
            loaded += 1
        for table, partition in known.keys() - seen:  # the lake does not have it any more
            deleted += _forget(cursor, table, partition)
        counts = {}
        for table in TABLES:
            cursor.execute(f'SELECT count(*) FROM {SCHEMA}."{table.name}"')  # noqa: S608
            counts[table.name] = int(cursor.fetchone()[0])
        return WarehouseReceipt(self.kind, counts, loaded, len(seen) - loaded, deleted)


def _prepare(cursor: Any) -> None:  # noqa: ANN401
    """Create what is missing: schema, tables, columns."""
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.loaded"
        " (table_name text, partition text, digest text NOT NULL, PRIMARY KEY (table_name, partition))"
    )
    for table in TABLES:
        columns = columns_sql(table, TYPES)
        body = ", ".join([*columns, "lake_partition text NOT NULL", *keys_sql(table)])
        cursor.execute(f'CREATE TABLE IF NOT EXISTS {SCHEMA}."{table.name}" ({body})')
        for column in columns:
            cursor.execute(f'ALTER TABLE {SCHEMA}."{table.name}" ADD COLUMN IF NOT EXISTS {column}')
        index = f'"{table.name}_lake_partition"'
        cursor.execute(f'CREATE INDEX IF NOT EXISTS {index} ON {SCHEMA}."{table.name}" (lake_partition)')


def _replace(cursor: Any, part: Part) -> int:  # noqa: ANN401
    """Upsert a partition and remove its rows that are gone; returns how many those were."""
    table, names = part.table, [f'"{name}"' for name in part.table.schema.names]
    target, listed = f'{SCHEMA}."{table.name}"', ", ".join(names)
    cursor.execute("DROP TABLE IF EXISTS incoming")
    cursor.execute(f"CREATE TEMP TABLE incoming ({', '.join(columns_sql(table, TYPES))}) ON COMMIT DROP")
    cursor.copy_expert(f"COPY incoming ({listed}) FROM STDIN WITH (FORMAT csv)", io.BytesIO(_csv(part.rows)))
    keys = ", ".join(f'"{name}"' for name in table.key)
    changed = [f"{name} = excluded.{name}" for name in names if name.strip('"') not in table.key]
    changed += [] if table.shared else ["lake_partition = excluded.lake_partition"]
    cursor.execute(
        f"INSERT INTO {target} AS t ({listed}, lake_partition) SELECT {listed}, %s FROM incoming"  # noqa: S608
        f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changed)}",
        (part.partition,),
    )
    deleted = 0
    if not table.shared:
        same = " AND ".join(f't."{name}" = i."{name}"' for name in table.key)
        cursor.execute(
            f"DELETE FROM {target} t WHERE lake_partition = %s"  # noqa: S608
            f" AND NOT EXISTS (SELECT 1 FROM incoming i WHERE {same})",
            (part.partition,),
        )
        deleted = cursor.rowcount
    cursor.execute(
        f"INSERT INTO {SCHEMA}.loaded VALUES (%s, %s, %s)"  # noqa: S608
        " ON CONFLICT (table_name, partition) DO UPDATE SET digest = excluded.digest",
        (table.name, part.partition, part.digest),
    )
    return int(deleted)


def _forget(cursor: Any, name: str, partition: str) -> int:  # noqa: ANN401
    """Remove a partition that the lake lost; a shared table keeps its rows, others may still name them."""
    table: WarehouseTable | None = next((table for table in TABLES if table.name == name), None)
    cursor.execute(f"DELETE FROM {SCHEMA}.loaded WHERE table_name = %s AND partition = %s", (name, partition))  # noqa: S608
    if table is None or table.shared:
        return 0
    cursor.execute(f'DELETE FROM {SCHEMA}."{name}" WHERE lake_partition = %s', (partition,))  # noqa: S608
    return int(cursor.rowcount)


def _csv(rows: pa.Table) -> bytes:
    """CSV in which a null is nothing and an empty text is two quotes, as COPY reads it."""
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame.write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6f+00:00").encode()

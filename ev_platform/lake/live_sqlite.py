"""The embedded live store: one SQLite file in the state folder, shared by the processes of one machine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ev_platform.errors import UserError
from ev_platform.lake.live_rows import (
    Overlap,
    Position,
    Row,
    Since,
    checked_name,
    chosen,
    counts_of,
    expired,
    key_of,
    newest_of,
    plain,
    version_of,
)

BUSY_SECONDS = 30
"""A writer waits this long for another one; each holds the file for milliseconds."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS live (
    tbl TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (tbl, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (
    tbl TEXT NOT NULL, source TEXT NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (tbl, source)
) WITHOUT ROWID;
"""


class SqliteLiveStore:
    """See `LiveStore`. Every call is one transaction."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
            self._db.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"the live store {path} cannot be opened ({error}): set EV_STATE_DIR") from error

    def upsert(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], newest_by: Sequence[str]
    ) -> int:
        """See `LiveStore.upsert`."""
        checked_name(table)
        found = [plain(row) for row in rows]
        newest = newest_of((key_of(row, key_columns), version_of(row, newest_by), row) for row in found)
        stored = 0
        with self._writing() as db:
            for key, (version, row) in newest.items():
                done = db.execute(
                    "INSERT INTO live VALUES (?, ?, ?, ?) ON CONFLICT (tbl, key) DO UPDATE"
                    " SET version = excluded.version, doc = excluded.doc WHERE excluded.version > live.version",
                    (table, key, version, json.dumps(row)),
                )
                stored += done.rowcount
        return stored

    def add_counts(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], position: Position
    ) -> bool:
        """See `LiveStore.add_counts`."""
        counts = counts_of(rows, key_columns)
        with self._writing() as db:
            counted = self.position(table, position.source)
            if counted >= position.end:
                return False
            if counted > position.first:
                raise Overlap(f"{position} overlaps with what was counted up to {counted}")
            for key, (labels, added) in counts.items():
                old = db.execute("SELECT doc FROM live WHERE tbl = ? AND key = ?", (table, key)).fetchone()
                doc: Row = json.loads(old[0]) if old else dict(labels)
                for column, value in added.items():
                    before = doc.get(column) or 0
                    assert isinstance(before, int | float)
                    doc[column] = before + value
                db.execute("INSERT OR REPLACE INTO live VALUES (?, ?, '', ?)", (table, key, json.dumps(doc)))
            db.execute("INSERT OR REPLACE INTO counted VALUES (?, ?, ?)", (table, position.source, position.end))
        return True

    def position(self, table: str, source: str) -> int:
        """See `LiveStore.position`."""
        found = self._db.execute(
            "SELECT next FROM counted WHERE tbl = ? AND source = ?", (checked_name(table), source)
        ).fetchone()
        return int(found[0]) if found else 0

    def rows(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        since: Since | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """See `LiveStore.rows`."""
        found = self._db.execute("SELECT key, doc FROM live WHERE tbl = ?", (checked_name(table),))
        return chosen(((key, json.loads(doc)) for key, doc in found), where, since, limit)

    def delete_before(self, table: str, column: str, value: str | int | float | datetime) -> int:
        """See `LiveStore.delete_before`."""
        with self._writing() as db:
            found = db.execute("SELECT key, doc FROM live WHERE tbl = ?", (checked_name(table),)).fetchall()
            old = expired(((key, json.loads(doc)) for key, doc in found), column, value)
            db.executemany("DELETE FROM live WHERE tbl = ? AND key = ?", [(table, key) for key in old])
        return len(old)

    def close(self) -> None:
        """See `LiveStore.close`."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the file from its first statement on: what it reads is still true at its end."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

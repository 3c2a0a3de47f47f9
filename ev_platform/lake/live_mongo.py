"""The live store on MongoDB (or a server that speaks its protocol): one collection per table, no transactions needed.

A batch of counts first becomes the position's pending batch, in one atomic step; then each counter takes its part,
once, because it remembers the position it has; last the position moves on. Whoever finds a pending batch finishes it,
so a consumer that dies anywhere in between neither loses nor repeats a count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

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
    scalar,
    version_of,
)

TIMEOUT_MS = 10_000
DATABASE = "ev_live"
"""Used when the URL names none."""

POSITIONS = "_counted"


class MongoLiveStore:
    """See `LiveStore`."""

    def __init__(self, url: str) -> None:
        try:
            import pymongo
            from pymongo.errors import DuplicateKeyError, PyMongoError
        except ImportError:
            raise UserError("EV_LIVE_STORE names MongoDB, whose client is not installed: pip install pymongo") from None
        self._duplicate = DuplicateKeyError
        try:
            self._client: Any = pymongo.MongoClient(url, serverSelectionTimeoutMS=TIMEOUT_MS)
            self._client.admin.command("ping")
            self._db = self._client.get_default_database(DATABASE)
        except (PyMongoError, ValueError) as error:
            raise UserError(f"EV_LIVE_STORE: MongoDB does not answer ({str(error).split(',')[0]})") from None

    def upsert(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], newest_by: Sequence[str]
    ) -> int:
        """See `LiveStore.upsert`."""
        collection = self._db[checked_name(table)]
        found = [plain(row) for row in rows]
        newest = newest_of((key_of(row, key_columns), version_of(row, newest_by), row) for row in found)
        return sum(
            self._put(collection, {"_id": key, "v": {"$lt": v}}, {"v": v, "d": row}) for key, (v, row) in newest.items()
        )

    def add_counts(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], position: Position
    ) -> bool:
        """See `LiveStore.add_counts`."""
        counts = counts_of(rows, key_columns)
        counted = self.position(table, position.source)
        if counted >= position.end:
            return False
        if counted > position.first:
            raise Overlap(f"{position} overlaps with what was counted up to {counted}")
        batch = [{"key": key, "labels": labels, "added": added} for key, (labels, added) in counts.items()]
        own = {"_id": _position_id(table, position.source), "next": {"$not": {"$gt": position.first}}, "pending": None}
        pending = {"end": position.end, "rows": batch}
        taken = self._put(self._db[POSITIONS], own, {"pending": pending})
        if not taken:  # another consumer was faster: look again
            return self.add_counts(table, key_columns, rows, position)
        self._finish(table, position.source)
        return True

    def position(self, table: str, source: str) -> int:
        """See `LiveStore.position`."""
        self._finish(table, source)
        found = self._db[POSITIONS].find_one({"_id": _position_id(table, source)})
        return int(found.get("next", 0)) if found else 0

    def rows(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        since: Since | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """See `LiveStore.rows`."""
        wanted = {f"d.{checked_name(name)}": scalar(value) for name, value in (where or {}).items()}
        return chosen(self._all(table, wanted), where, since, limit)

    def delete_before(self, table: str, column: str, value: str | int | float | datetime) -> int:
        """See `LiveStore.delete_before`."""
        old = expired(self._all(table, {}), checked_name(column), value)
        return int(self._db[table].delete_many({"_id": {"$in": old}}).deleted_count)

    def close(self) -> None:
        """See `LiveStore.close`."""
        self._client.close()

    def _all(self, table: str, wanted: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
        for found in self._db[checked_name(table)].find(dict(wanted), {"d": 1}):
            yield found["_id"], found["d"]

    def _put(
        self,
        collection: Any,  # noqa: ANN401 - pymongo's generic type
        own: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> bool:
        """Set the values of the document that fits `own`, or make it; False when it exists and does not fit."""
        try:
            done = collection.update_one(own, {"$set": dict(values)}, upsert=True)
        except self._duplicate:
            return False
        return bool(done.matched_count or done.upserted_id is not None)

    def _finish(self, table: str, source: str) -> None:
        """Give the pending batch of that source, if there is one, to those counters that do not have it yet."""
        name = _position_id(table, source)
        found = self._db[POSITIONS].find_one({"_id": name})
        if not found or not found.get("pending"):
            return
        end, mark = found["pending"]["end"], f"p.{source.encode().hex()}"
        collection = self._db[checked_name(table)]
        for row in found["pending"]["rows"]:
            added = {f"d.{column}": value for column, value in row["added"].items()}
            labels = {f"d.{column}": value for column, value in row["labels"].items()}
            change = {"$set": {**labels, mark: end}} | ({"$inc": added} if added else {})
            try:
                collection.update_one({"_id": row["key"], mark: {"$not": {"$gte": end}}}, change, upsert=True)
            except self._duplicate:
                continue  # it has this batch already
        self._db[POSITIONS].update_one({"_id": name, "pending.end": end}, {"$set": {"next": end, "pending": None}})


def _position_id(table: str, source: str) -> str:
    return json.dumps([checked_name(table), source])

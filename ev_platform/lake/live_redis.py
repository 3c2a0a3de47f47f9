"""The live store on Redis: four hashes per table, changed by scripts that Redis runs as one piece.

The braces in the keys keep the hashes of one table on one node of a cluster.
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
    version_of,
)

TIMEOUT_SECONDS = 10
BATCH = 500
"""Rows per script call: Redis serves nobody else meanwhile."""

UPSERT = """
local stored = 0
for i = 1, #ARGV, 3 do
  local old = redis.call('HGET', KEYS[2], ARGV[i])
  if not old or ARGV[i + 1] > old then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    stored = stored + 1
  end
end
return stored
"""

ADD = """
local counted = tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or '0')
if counted >= tonumber(ARGV[3]) then return -1 end
if counted > tonumber(ARGV[2]) then return counted end
for i = 4, #ARGV, 4 do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  if ARGV[i + 2] ~= '' then redis.call('HINCRBYFLOAT', KEYS[3], ARGV[i + 2], ARGV[i + 3]) end
end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[3])
return -2
"""
"""Position and counters change together or not at all; -1: counted before, -2: added, else an overlap."""


class RedisLiveStore:
    """See `LiveStore`."""

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise UserError("EV_LIVE_STORE names Redis, whose client is not installed: pip install redis") from None
        try:
            client: Any = redis.Redis.from_url(url, decode_responses=True, socket_timeout=TIMEOUT_SECONDS)
            client.ping()
        except (redis.RedisError, ValueError) as error:  # its text names host and port, never the password
            raise UserError(f"EV_LIVE_STORE: Redis does not answer ({error})") from None
        self._redis = client
        self._upsert, self._add = client.register_script(UPSERT), client.register_script(ADD)

    def upsert(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], newest_by: Sequence[str]
    ) -> int:
        """See `LiveStore.upsert`."""
        keys = _keys(table)
        found = [plain(row) for row in rows]
        newest = newest_of((key_of(row, key_columns), version_of(row, newest_by), row) for row in found)
        items = [(key, version, json.dumps(row)) for key, (version, row) in newest.items()]
        return sum(
            int(self._upsert(keys, [part for item in items[at : at + BATCH] for part in item]))
            for at in range(0, len(items), BATCH)
        )

    def add_counts(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], position: Position
    ) -> bool:
        """See `LiveStore.add_counts`."""
        arguments: list[str] = [position.source, str(position.first), str(position.end)]
        for key, (labels, added) in counts_of(rows, key_columns).items():
            document = json.dumps(labels)
            for column, value in added.items() or [("", 0)]:
                arguments += [key, document, json.dumps([key, column]) if column else "", repr(value)]
        answer = int(self._add(_keys(table), arguments))
        if answer >= 0:
            raise Overlap(f"{position} overlaps with what was counted up to {answer}")
        return answer == -2

    def position(self, table: str, source: str) -> int:
        """See `LiveStore.position`."""
        return int(self._redis.hget(_keys(table)[3], source) or 0)

    def rows(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        since: Since | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """See `LiveStore.rows`."""
        return chosen(self._all(table), where, since, limit)

    def delete_before(self, table: str, column: str, value: str | int | float | datetime) -> int:
        """See `LiveStore.delete_before`."""
        checked_name(column)
        keys, found = _keys(table), dict(self._all(table))
        old = expired(found.items(), column, value)
        with self._redis.pipeline() as together:
            for key in old:
                together.hdel(keys[0], key)
                together.hdel(keys[1], key)
                together.hdel(keys[2], *(json.dumps([key, name]) for name in found[key]))
            together.execute()
        return len(old)

    def close(self) -> None:
        """See `LiveStore.close`."""
        self._redis.close()

    def _all(self, table: str) -> Iterator[tuple[str, Row]]:
        keys = _keys(table)
        with self._redis.pipeline(transaction=True) as together:
            documents, counters = together.hgetall(keys[0]).hgetall(keys[2]).execute()
        rows: dict[str, Row] = {key: json.loads(document) for key, document in documents.items()}
        for name, value in counters.items():
            key, column = json.loads(name)
            rows[key][column] = float(value) if "." in value or "e" in value else int(value)
        yield from rows.items()


def _keys(table: str) -> list[str]:
    """Documents, their versions, counters, positions."""
    return [f"ev:live:{{{checked_name(table)}}}:{part}" for part in ("rows", "versions", "counters", "counted")]

"""The live store: the newest state of things that change by the minute, behind one small interface.

Belongs here: the interface, the choice of a store by `EV_LIVE_STORE`, and counting events exactly once. Not here: the
stores themselves (live_sqlite.py, live_redis.py, live_mongo.py; one suite of contract tests runs on all of them), or
history, which lies in the lake.

Values are texts, numbers, booleans and nulls; a time goes in as `datetime` and comes back as UTC text whose order is
the order of time (`live_rows.instant_text`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from ev_platform.errors import SettingError
from ev_platform.lake.live_rows import Overlap, Position, Row, Since
from ev_platform.settings import Settings

__all__ = ["LiveStore", "Overlap", "Position", "Since", "count_events", "open_live_store"]


class LiveStore(Protocol):
    """Rows by key; newest wins; counters that advance exactly once per position of their source."""

    def upsert(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], newest_by: Sequence[str]
    ) -> int:
        """Store each row under its key if `newest_by` (columns, the first decides first) is above what is stored.

        The whole row is replaced: a null stays null. Equally new rows change nothing, so a repeat is harmless.

        Returns:
            How many rows were stored.
        """
        ...

    def add_counts(
        self, table: str, key_columns: Sequence[str], rows: Iterable[Mapping[str, object]], position: Position
    ) -> bool:
        """Add every column that is no key column to the counters of its key, once per position of the source.

        Returns:
            False when the position is not beyond what was counted already; nothing was added then.

        Raises:
            Overlap: the position overlaps with what was counted; ask `position` and cut (`count_events` does).
        """
        ...

    def position(self, table: str, source: str) -> int:
        """End of what was counted from that source: the next offset to count; 0 at first."""
        ...

    def rows(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        since: Since | None = None,
        limit: int | None = None,
    ) -> list[Row]:
        """Rows that equal `where`, sorted by `since`'s column, else by key; `limit` keeps the last of them."""
        ...

    def delete_before(self, table: str, column: str, value: str | int | float | datetime) -> int:
        """Remove the rows whose `column` is smaller (a time window that moves on); returns how many."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def open_live_store(settings: Settings) -> LiveStore:
    """The store that `EV_LIVE_STORE` names: `sqlite` (a file in EV_STATE_DIR), `redis://…` or `mongodb://…`.

    Raises:
        SettingError: there is no store of that kind.
        UserError: it cannot be reached or its client is not installed.
    """
    url = settings.live_store
    kind = urlsplit(url).scheme or url
    if kind == "sqlite":
        from ev_platform.lake.live_sqlite import SqliteLiveStore

        return SqliteLiveStore(settings.state_dir.expanduser() / "live.sqlite")
    if kind in ("redis", "rediss"):
        from ev_platform.lake.live_redis import RedisLiveStore

        return RedisLiveStore(url)
    if kind in ("mongodb", "mongodb+srv"):
        from ev_platform.lake.live_mongo import MongoLiveStore

        return MongoLiveStore(url)
    raise SettingError("EV_LIVE_STORE cannot be used: write sqlite, redis://host:port/0 or mongodb://host:port/name")


def count_events(
    store: LiveStore,
    table: str,
    key_columns: Sequence[str],
    source: str,
    events: Sequence[tuple[int, Mapping[str, object]]],
) -> int:
    """Add events, each with its offset in the source, to counters; those that were counted before are left out.

    However the source is cut into batches after a crash, each event counts once.

    Returns:
        How many events were new.
    """
    while True:
        counted = store.position(table, source)
        fresh = [(offset, row) for offset, row in events if offset >= counted]
        if not fresh:
            return 0
        offsets = [offset for offset, _ in fresh]
        position = Position(source, min(offsets), max(offsets) + 1)
        try:
            return len(fresh) * store.add_counts(table, key_columns, [row for _, row in fresh], position)
        except Overlap:  # another consumer of the same partition was ahead meanwhile: its events are left out now
            continue

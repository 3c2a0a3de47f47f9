"""Sessions: day pieces stitched over midnight, filed under the day they start on.

Belongs here: which start days a change of some days' segments can touch, and which days' pieces are needed to know.
Not here: when two pieces are one session (transform/stitch.py).

What starts on a day follows from the pieces of that day, the day before and the day after; only for vehicles that may
pass through a whole day within one session (`stitch.passes_through`) it reaches one day further, and so on. So when the
segments of day D may have changed in any way, these partitions of `results/sessions` are computed again from the
segments as they are now: D-1, D and D+1 for all vehicles, and further days on both sides for the vehicles that pass
through every day between. The last result therefore does not depend on the order in which days were materialized.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.engine.adapter import run_items
from ev_platform.engine.daily import read_vehicles
from ev_platform.engine.items import TaskError, WorkItem, absolute_url, open_lake
from ev_platform.engine.parts import PartWriter, read_part, replace_part
from ev_platform.engine.receipts import TableReceipt
from ev_platform.lake.layout import day_bounds, part_key
from ev_platform.lake.schemas import SEGMENTS, SESSIONS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import lake_shards
from ev_platform.settings import Settings

SEGMENTS_TABLE, SESSIONS_TABLE = "segments", "results/sessions"
Vins = frozenset[str] | None
"""Vehicles; None means all of them."""
MOST_REPEATS = 20
"""How often a shard is stitched again because its segments changed meanwhile, before the task gives up."""
ALL_VEHICLES = 1_000_000_000
"""Batch size that means "the whole shard": segments of a day are few."""


def stitch_days(settings: Settings, store: ObjectStore, days: Sequence[str]) -> dict[str, TableReceipt]:
    """Bring `results/sessions` to what the segments say, for the given days and every start day they can touch.

    Returns:
        A receipt per start day: all days asked for, and the other days whose file changed.

    Raises:
        TaskError: a segments part cannot be read.
    """
    begin = time.perf_counter()
    items = [
        WorkItem(absolute_url(store), days[0] if days else "", ("*",), keys=tuple(sorted(set(days))), shard=shard)
        for shard in range(lake_shards(store, settings.shards) if days else 0)
    ]
    by_day: dict[str, list[TableReceipt]] = defaultdict(list)
    for receipts in run_items(stitch_shard, items, store, settings):
        for receipt in receipts:
            by_day[receipt.day].append(receipt)
    seconds = (time.perf_counter() - begin) / max(len(by_day), 1)
    merged = {day: TableReceipt.merged(day, parts, seconds) for day, parts in sorted(by_day.items())}
    return {
        day: receipt
        for day, receipt in merged.items()
        if day in set(days) or receipt.objects_written or receipt.objects_deleted
    }


def stitch_shard(item: WorkItem, store: ObjectStore | None = None) -> list[TableReceipt]:
    """Stitch one shard for the days `item.keys`; a receipt for every start day that was computed."""
    lake = store or open_lake(item.lake_url)
    receipts: dict[str, TableReceipt] = {}
    for run in _runs_of_days(item.keys):
        for _ in range(MOST_REPEATS):
            pieces = _Pieces(lake, item.shard)
            for day, receipt in _stitch_run(lake, item.shard, pieces, run).items():
                known = receipts.get(day)  # the last computation of a day is as good as any, but remember what changed
                if known is None or receipt.objects_written or receipt.objects_deleted:
                    receipts[day] = receipt
            if pieces.unchanged():
                break
        else:
            raise TaskError(
                f"segments around {run[0]} changed {MOST_REPEATS} times while they were stitched: run it again"
            )
    return list(receipts.values())


class _Pieces:
    """Segments of one shard by day, read once."""

    def __init__(self, store: ObjectStore, shard: int) -> None:
        self._store, self._shard = store, shard
        self._read: dict[str, pa.Table] = {}
        self._versions: dict[str, str | None] = {}

    def unchanged(self) -> bool:
        """Whether every part still is what was read: if not, another run changed a day while this one stitched it.

        Asked after writing. Of two runs that stitch the same day at once, the one that writes last has either read the
        newest segments or sees here that it has not, and does it again.
        """
        return all(self._store.read(key).version == version for key, version in self._versions.items())

    def of(self, day: str, vins: Vins = None) -> pa.Table:
        """Pieces of a day, of these vehicles; an empty table when there are none."""
        if day not in self._read:
            key = part_key(SEGMENTS_TABLE, day, self._shard)
            self._versions[key] = self._store.read(key).version
            tables = list(read_part(self._store, key, ALL_VEHICLES))
            self._read[day] = pa.concat_tables(tables) if tables else SEGMENTS.empty_table()
        return _only(self._read[day], vins)

    def passing(self, day: str, vins: Vins) -> frozenset[str]:
        """Vehicles (of those given) that may pass through the whole day within one session."""
        from ev_platform.transform.stitch import passes_through  # at first use: see daily.py

        return frozenset(passes_through(self.of(day, vins)))

    def is_stitched(self, day: str) -> bool:
        """Whether the day has a sessions part."""
        return self._store.exists(part_key(SESSIONS_TABLE, day, self._shard))


def _stitch_run(store: ObjectStore, shard: int, pieces: _Pieces, run: Sequence[str]) -> dict[str, TableReceipt]:
    """Recompute the start days that consecutive days of segments can touch."""
    affected: dict[str, Vins] = dict.fromkeys(run)
    needed: dict[str, Vins] = dict.fromkeys(run)
    for edge, step in ((run[0], -1), (run[-1], 1)):
        changed = _affected(pieces, edge, step)
        affected |= changed
        needed |= _needed(pieces, edge, step, changed)
    sessions = _stitched(pa.concat_tables([pieces.of(day, vins) for day, vins in sorted(needed.items())]), store)
    return {day: _file(store, shard, day, sessions, vins) for day, vins in sorted(affected.items())}


def _affected(pieces: _Pieces, edge: str, step: int) -> dict[str, Vins]:
    """Days on one side of the run whose sessions may change, with their vehicles: fewer the further away.

    A day that was never stitched is computed for all vehicles, not for the followed ones alone.
    """
    day = _shift(edge, step)
    found: dict[str, Vins] = {day: None}
    while chain := pieces.passing(day, found[day]):
        day = _shift(day, step)
        if pieces.is_stitched(day):
            found[day] = chain
        else:
            found = dict.fromkeys([*found, day])
    return found


def _needed(pieces: _Pieces, edge: str, step: int, affected: dict[str, Vins]) -> dict[str, Vins]:
    """Days on one side of the run whose pieces must be seen to know what starts on the affected days."""
    day = _shift(edge, step)
    needed: dict[str, Vins] = {day: None}
    while True:
        followed = pieces.passing(day, needed[day])
        vins = affected.get(day, followed)
        nearer = None if vins is None else vins | followed
        day = _shift(day, step)
        if nearer is not None and not nearer:
            return needed
        needed[day] = nearer


def _stitched(pieces: pa.Table, store: ObjectStore) -> pa.Table:
    from ev_platform.transform.stitch import stitch

    return stitch(pieces, read_vehicles(store)).select(SESSIONS.names).cast(SESSIONS)


def _file(store: ObjectStore, shard: int, day: str, sessions: pa.Table, vins: Vins) -> TableReceipt:
    """Write the sessions that start on a day; where only some vehicles were followed, only theirs are replaced."""
    begin, end = (pa.scalar(bound, SESSIONS.field("start").type) for bound in day_bounds(day))
    starting = sessions.filter(pc.and_(pc.greater_equal(sessions["start"], begin), pc.less(sessions["start"], end)))
    key = part_key(SESSIONS_TABLE, day, shard)
    if vins is not None:
        starting = _only(starting, vins)
        others = [_without(table, vins) for table in read_part(store, key, ALL_VEHICLES)]
        starting = pa.concat_tables([*others, starting])
    writer = PartWriter(SESSIONS)
    writer.add(starting.sort_by([("vin", "ascending"), ("start", "ascending"), ("session_id", "ascending")]))
    data = writer.close()
    written, deleted = replace_part(store, key, data)
    return TableReceipt(
        day,
        vehicles=len(starting["vin"].unique()),
        rows=len(starting),
        bytes=len(data or b""),
        objects_written=written,
        objects_deleted=deleted,
        counts=dict(sorted(Counter(starting["kind"].to_pylist()).items())),
    )


def _only(table: pa.Table, vins: Vins) -> pa.Table:
    return table if vins is None else table.filter(_among(table, vins))


def _without(table: pa.Table, vins: frozenset[str]) -> pa.Table:
    return table.filter(pc.invert(_among(table, vins)))


def _among(table: pa.Table, vins: frozenset[str]) -> pa.Array:
    return pc.is_in(table["vin"], pa.array(sorted(vins), pa.string()))


def _shift(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days)).isoformat()


def _runs_of_days(days: Iterable[str]) -> list[list[str]]:
    """Consecutive days together."""
    runs: list[list[str]] = []
    for day in sorted(set(days)):
        if runs and _shift(runs[-1][-1], 1) == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs

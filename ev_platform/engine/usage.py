"""Daily results of the usage room: a task owns a shard of a day and reads batches of whole vehicles.

Belongs here: which parts a day's results read. Not here: figures (usage/), who writes the tables (the I/O manager).
A charge that runs over midnight needs rows of the next day: only of the vehicles that have one, only a few columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.engine.adapter import run_items
from ev_platform.engine.daily import read_vehicles
from ev_platform.engine.items import WorkItem, absolute_url, open_lake
from ev_platform.engine.parts import read_part
from ev_platform.engine.sessions import ALL_VEHICLES, SESSIONS_TABLE
from ev_platform.lake.layout import part_key, table_key
from ev_platform.lake.schemas import SESSIONS
from ev_platform.lake.schemas_results import TARIFFS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, lake_shards
from ev_platform.settings import Settings
from ev_platform.signals import cleaned_schema

Tables = dict[str, pa.Table]


def usage_days(settings: Settings, store: ObjectStore, days: Sequence[str]) -> dict[str, Tables]:
    """Every daily table by name, and in it by day.

    Raises:
        TaskError: a cleaned or sessions part cannot be read.
    """
    from ev_platform.usage.day import DAILY_TABLES

    items = [
        WorkItem(absolute_url(store), day, (), shard=shard, batch_vehicles=settings.batch_vehicles)
        for day in days
        for shard in range(lake_shards(store, settings.shards))
    ]
    parts: dict[str, dict[str, list[pa.Table]]] = {name: {day: [] for day in days} for name in DAILY_TABLES}
    for item, found in zip(items, run_items(usage_shard, items, store, settings), strict=True):
        for name, table in found.items():
            parts[name][item.day].append(table)
    return {name: {day: _by_vehicle(tables) for day, tables in by_day.items()} for name, by_day in parts.items()}


def usage_shard(item: WorkItem, store: ObjectStore | None = None) -> Tables:
    """All daily tables of one shard's vehicles."""
    from ev_platform.usage.day import DAILY_TABLES, daily_results, over_midnight
    from ev_platform.usage.frames import CHARGE_COLUMNS, CLEANED

    lake = store or open_lake(item.lake_url)
    vehicles, tariffs = read_vehicles(lake), read_tariffs(lake)
    schema = pa.schema([field for field in cleaned_schema() if field.name in CLEANED])
    sessions = _sessions(lake, item)
    late = _part(lake, "cleaned", _shift(item.day, 1), item.shard, CHARGE_COLUMNS, over_midnight(sessions, item.day))
    tables: dict[str, list[pa.Table]] = {name: [schema.empty_table()] for name, schema in DAILY_TABLES.items()}
    done: set[str] = set()

    def add(cleaned: pa.Table, vins: set[str]) -> None:
        wanted = pa.array(sorted(vins), pa.string())
        own = sessions.filter(pc.is_in(sessions["vin"], wanted))
        rows = [cleaned, *(table.filter(pc.is_in(table["vin"], wanted)) for table in late)]
        everything = pa.concat_tables(rows, promote_options="default")
        for name, table in daily_results(everything, own, vehicles, item.day, tariffs).items():
            tables[name].append(table)
        done.update(vins)

    for cleaned in read_part(lake, part_key("cleaned", item.day, item.shard), item.batch_vehicles, schema.names):
        add(cleaned, set(cleaned["vin"].unique().to_pylist()))
    if rest := set(sessions["vin"].unique().to_pylist()) - done:
        add(schema.empty_table(), rest)
    return {name: _by_vehicle(parts) for name, parts in tables.items()}


def _sessions(lake: ObjectStore, item: WorkItem) -> pa.Table:
    """Sessions that start on the item's day or the one before."""
    parts = [SESSIONS.empty_table()]
    for day in (_shift(item.day, -1), item.day):
        parts += read_part(lake, part_key(SESSIONS_TABLE, day, item.shard), ALL_VEHICLES)
    return pa.concat_tables(parts)


def _part(
    lake: ObjectStore, table: str, day: str, shard: int, columns: Sequence[str], vins: Sequence[str]
) -> list[pa.Table]:
    """Some columns of some vehicles of a part; nothing when there are none."""
    return list(read_part(lake, part_key(table, day, shard), ALL_VEHICLES, columns, vins)) if vins else []


def read_tariffs(store: ObjectStore) -> pa.Table:
    """ref/tariffs; empty when the lake has none."""
    data = store.read(table_key("ref/tariffs")).data
    return TARIFFS.empty_table() if data is None else from_parquet(data)


def _shift(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days)).isoformat()


def _by_vehicle(parts: Sequence[pa.Table]) -> pa.Table:
    """Parts of disjoint vehicles as one table in order of vehicles; the order within a vehicle stays."""
    table = pa.concat_tables(parts).combine_chunks()
    vins = table["vin"].to_pylist()
    return table.take(pa.array(sorted(range(len(vins)), key=vins.__getitem__), pa.int64()))

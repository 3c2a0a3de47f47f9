"""Battery health of a month: evidence is collected per batch of vehicles, the estimates compare the whole fleet.

Belongs here: which parts a month reads. Not here: evidence and estimators (battery/).
"""

from __future__ import annotations

from calendar import monthrange
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.engine.adapter import run_items
from ev_platform.engine.daily import read_vehicles
from ev_platform.engine.items import WorkItem, absolute_url, batches, open_lake
from ev_platform.engine.parts import read_part
from ev_platform.engine.sessions import ALL_VEHICLES, SESSIONS_TABLE
from ev_platform.lake.layout import part_key
from ev_platform.lake.schemas import SESSIONS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import lake_shards
from ev_platform.settings import Settings
from ev_platform.signals import cleaned_schema

if TYPE_CHECKING:
    from ev_platform.battery.evidence import Evidence


MONTH_SHARE = 3
"""A month of a vehicle is many days: its items hold this much fewer vehicles than those of a day."""
AT_ONCE = 4
"""Vehicles whose month is worked on at once; the others of the item wait as compact Arrow tables."""


def health_month(settings: Settings, store: ObjectStore, month: str) -> pa.Table:
    """Battery health of every vehicle seen in a month, schema BATTERY_HEALTH.

    Args:
        settings: workers, vehicles per batch, shards of a new lake.
        store: the lake.
        month: "YYYY-MM", UTC.

    Raises:
        TaskError: a cleaned or sessions part cannot be read.
    """
    from ev_platform.battery.evidence import concat_evidence
    from ev_platform.battery.health import health_from_evidence

    items = [
        WorkItem(absolute_url(store), month, batch, shard=shard)
        for shard in range(lake_shards(store, settings.shards))
        for batch in batches(_vehicles_seen(store, month, shard), max(1, settings.batch_vehicles // MONTH_SHARE))
    ] or [WorkItem(absolute_url(store), month, ())]
    evidence = concat_evidence(run_items(collect_vehicles, items, store, settings))
    return health_from_evidence(evidence, read_vehicles(store), month)


def collect_vehicles(item: WorkItem, store: ObjectStore | None = None) -> Evidence:
    """Evidence of the vehicles of one item."""
    from ev_platform.battery.evidence import CLEANED_COLUMNS, collect_evidence, concat_evidence

    lake = store or open_lake(item.lake_url)
    schema = pa.schema([field for field in cleaned_schema() if field.name in CLEANED_COLUMNS])
    read: tuple[list[pa.Table], list[pa.Table]] = ([schema.empty_table()], [SESSIONS.empty_table()])
    for day in days_of(item.day):
        read[0].extend(read_part(lake, part_key("cleaned", day, item.shard), ALL_VEHICLES, schema.names, item.vehicles))
        read[1].extend(read_part(lake, part_key(SESSIONS_TABLE, day, item.shard), ALL_VEHICLES, None, item.vehicles))
    registry, parts = read_vehicles(lake), []
    for few in batches(item.vehicles, AT_ONCE) if item.vehicles else [()]:
        own = pa.array(few, pa.string())
        cleaned, sessions = (pa.concat_tables([t.filter(pc.is_in(t["vin"], own)) for t in tables]) for tables in read)
        parts.append(collect_evidence(cleaned, sessions, registry, item.day))
    return concat_evidence(parts)


def days_of(month: str) -> list[str]:
    """Days of a month "YYYY-MM".

    Raises:
        ValueError: not a month.
    """
    year, number = map(int, month.split("-"))
    return [f"{month}-{day:02d}" for day in range(1, monthrange(year, number)[1] + 1)]


def _vehicles_seen(store: ObjectStore, month: str, shard: int) -> list[str]:
    seen: set[str] = set()
    for day in days_of(month):
        for table in ("cleaned", SESSIONS_TABLE):
            for vins in read_part(store, part_key(table, day, shard), ALL_VEHICLES, ["vin"]):
                seen.update(pc.unique(vins["vin"]).to_pylist())
    return sorted(seen)

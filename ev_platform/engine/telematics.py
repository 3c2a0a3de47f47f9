"""Telematics days: raw readings into the events table, runs of alarms, driving style; what is read, swapped, deleted.

Belongs here: the order that loses nothing, as in compaction.py: merge, swap by version, read back, then delete exactly
the raw objects that were read. Not here: what readings mean (telematics/).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl
import pyarrow as pa

from ev_platform.engine.items import TaskError
from ev_platform.engine.quarantine import keep_bad_lines, mismatch, move_aside
from ev_platform.engine.receipts import DayReceipt
from ev_platform.lake.layout import TELEMATICS_TEMP, KafkaName, parse_temp_key, part_key, table_key
from ev_platform.lake.schemas_telematics import EVENT_IDENTITY, TELEMATICS_ALARMS, TELEMATICS_EVENTS
from ev_platform.lake.store import IO_THREADS, ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.telematics.alarms import alarms, goes_on
from ev_platform.telematics.events import merge_events, read_events
from ev_platform.telematics.style import driving_style
from ev_platform.transform.compact import BadLine

EVENTS, ALARMS, STYLE = "telematics/events", "telematics/alarms", "telematics/driving_style_daily"
LONGEST_RUN_DAYS = 31
"""How far a run of alarms is followed over midnights."""

_MOST_SWAPS = 20


@dataclass(frozen=True)
class EventsReceipt:
    """What one task did to one day of telematics/events."""

    day: str
    rows: int = 0
    """Rows of the table after the task."""
    devices: int = 0
    files_read: int = 0
    """Raw objects merged and deleted."""
    lines_read: int = 0
    repeats: int = 0
    """Rows whose reading came before under another offset."""
    unknown: int = 0
    """Rows of unknown variables, or with a value that is not of the variable's kind."""
    without_vin: int = 0
    """Rows of devices that the registry does not know."""
    quarantined_files: int = 0
    quarantined_lines: int = 0
    seconds: float = 0.0
    bands: Mapping[str, int] = field(default_factory=dict)
    """Rows by band."""


def device_vins(store: ObjectStore) -> dict[str, str]:
    """Device → VIN by the registry's column `device_ids` (a list, or a text of ids separated by `;` or blanks)."""
    data = store.read(table_key("ref/vehicles")).data
    table = None if data is None else from_parquet(data)
    if table is None or "device_ids" not in table.column_names:
        return {}
    found: dict[str, str] = {}
    for vin, ids in zip(table["vin"].to_pylist(), table["device_ids"].to_pylist(), strict=True):
        for device in ids.replace(";", " ").split() if isinstance(ids, str) else ids or []:
            found[device] = vin
    return found


# -- events -----------------------------------------------------------------------------------------------------------


def events_day(store: ObjectStore, day: str) -> EventsReceipt:
    """Merge all raw readings of an event day into its table, and delete them. Safe twice at once, and after a crash.

    Raises:
        TaskError: the table lost the race against others too often, or does not hold what was merged; raw objects stay.
    """
    begin = time.perf_counter()
    objects, aside = _fetch(store, raw_keys(store, day))
    vins = device_vins(store)
    new = read_events(objects, vins)
    keep_bad_lines(store, [BadLine(bad.key, bad.number, bad.reason, bad.raw) for bad in new.bad])
    table = _swap(store, day, new.table, vins)
    if objects:
        store.barrier()
        store.delete([key for key, _, _ in objects])
    frame = pl.from_arrow(table.select(["device_id", "vin", "band", "repeat", "known"]))
    assert isinstance(frame, pl.DataFrame)
    return EventsReceipt(
        day,
        rows=len(frame),
        devices=frame["device_id"].n_unique(),
        files_read=len(objects) + aside,
        lines_read=sum(data.count(b"\n") for _, _, data in objects),
        repeats=int(frame["repeat"].sum()),
        unknown=int((~frame["known"]).sum()),
        without_vin=frame["vin"].null_count(),
        quarantined_files=aside,
        quarantined_lines=len(new.bad),
        seconds=time.perf_counter() - begin,
        bands=dict(sorted(frame["band"].fill_null("none").value_counts().iter_rows())),
    )


def raw_keys(store: ObjectStore, day: str) -> list[str]:
    """Raw objects of an event day, of all devices."""
    with ThreadPoolExecutor(IO_THREADS) as pool:
        folders = store.list_folders(TELEMATICS_TEMP)
        listed = pool.map(lambda device: store.keys(f"{TELEMATICS_TEMP}/{device}/{day}"), folders)
        return [key for keys in listed for key in keys]


def _fetch(store: ObjectStore, keys: Sequence[str]) -> tuple[list[tuple[str, str, bytes]], int]:
    """(key, source, bytes) of raw objects that are what their names promise; the others go to quarantine."""
    objects, aside = [], 0
    for key, data in store.get_many(keys):
        if data is None:
            continue
        as_vehicle = key.replace(TELEMATICS_TEMP, "temp", 1)  # names are made by the same engine
        named = parse_temp_key(as_vehicle)
        reason = mismatch(as_vehicle, data) if named else "not a name that ingest gives"
        if reason or named is None or not isinstance(named[2], KafkaName):
            move_aside(store, key, reason or "not from Kafka")
            aside += 1
        else:
            objects.append((key, named[2].source, data))
    return objects, aside


def _swap(store: ObjectStore, day: str, new: pa.Table, vins: Mapping[str, str]) -> pa.Table:
    """Bring new events into the day's table, whoever else does so too; returns it as it was read back."""
    key = part_key(EVENTS, day)
    for _ in range(_MOST_SWAPS):
        before = store.read(key)
        stored = None if before.data is None else from_parquet(before.data)
        merged = merge_events(stored, new, vins)
        data = to_parquet(merged)
        if data != before.data and not store.swap(key, data, before.version):
            continue
        again = store.read(key).data
        table = TELEMATICS_EVENTS.empty_table() if again is None else from_parquet(again)
        if absent := _absent(new, table):
            raise TaskError(f"{key} lacks {absent} readings after it was written: their raw objects stay")
        return table
    raise TaskError(f"{key} was replaced by others {_MOST_SWAPS} times in a row: run the day again")


def _absent(new: pa.Table, stored: pa.Table) -> int:
    wanted, there = pl.from_arrow(new.select(EVENT_IDENTITY)), pl.from_arrow(stored.select(EVENT_IDENTITY))
    assert isinstance(wanted, pl.DataFrame)
    assert isinstance(there, pl.DataFrame)
    return len(wanted.join(there, on=EVENT_IDENTITY, how="anti"))


# -- alarms, driving style --------------------------------------------------------------------------------------------


def alarms_days(store: ObjectStore, days: Sequence[str]) -> dict[str, DayReceipt]:
    """Write the alarms of these days, and of those that a run over midnight joins them to.

    Looks back and forth as long as a run goes on, so the tables are the same however days are cut and in which order
    they are made. Receipts are returned for the days asked for, and for others whose table changed.
    """
    receipts: dict[str, DayReceipt] = {}
    done: set[str] = set()
    for day in sorted(days):
        if day in done:
            continue
        span = _connected(store, day)
        done |= set(span)
        table = alarms(pa.concat_tables([day_events(store, one) for one in span]))
        for one, part in _by_day(table, span).items():
            receipt = _write(store, ALARMS, one, part)
            if one in days or receipt.objects_written:
                receipts[one] = receipt
    return receipts


def _write(store: ObjectStore, name: str, day: str, table: pa.Table) -> DayReceipt:
    """Replace a day's table, unless it is the same already."""
    key, data = part_key(name, day), to_parquet(table)
    changed = store.read(key).data != data
    if changed:
        store.put(key, data)
    devices = table["device_id"].combine_chunks().unique()
    return DayReceipt(day, vehicles=len(devices), rows=len(table), bytes=len(data), objects_written=int(changed))


def _connected(store: ObjectStore, day: str) -> list[str]:
    """The day, and the days before and after it that a run of alarms joins to it, in order."""
    span = [day]
    while len(span) <= LONGEST_RUN_DAYS and goes_on(day_events(store, _next(span[0], -1)), day_events(store, span[0])):
        span.insert(0, _next(span[0], -1))
    while len(span) <= 2 * LONGEST_RUN_DAYS and goes_on(
        day_events(store, span[-1]), day_events(store, _next(span[-1], 1))
    ):
        span.append(_next(span[-1], 1))
    return span


def _by_day(table: pa.Table, days: Sequence[str]) -> dict[str, pa.Table]:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    starts = frame["start"].dt.strftime("%Y-%m-%d")
    return {day: frame.filter(starts == day).to_arrow().cast(TELEMATICS_ALARMS) for day in days}


def style_day(store: ObjectStore, day: str) -> pa.Table:
    """Driving style of a day, from its events and its alarms."""
    data = store.read(part_key(ALARMS, day)).data
    runs = TELEMATICS_ALARMS.empty_table() if data is None else from_parquet(data)
    return driving_style(day_events(store, day), runs, day)


def _next(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def day_events(store: ObjectStore, day: str) -> pa.Table:
    """The day's table of events; empty when there is none."""
    data = store.read(part_key(EVENTS, day)).data
    return TELEMATICS_EVENTS.empty_table() if data is None else from_parquet(data)

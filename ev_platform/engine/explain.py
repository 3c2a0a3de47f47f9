"""Why a vehicle's data say what they say at one moment: raw values, cleaned values, the rules between, the segment.

Belongs here: reading what is stored about one vehicle around one time. The rules are run once more over the lossless
file, so the answer needs no log and is never out of date. Not here: how it is shown (commands/explain.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.engine.daily import CLEAN_COLUMNS, read_vehicles
from ev_platform.errors import UserError
from ev_platform.lake.layout import compressed_key, part_key, valid_vin
from ev_platform.lake.schemas import SEGMENTS, SESSIONS, TIME
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, lake_shards, shard_of
from ev_platform.signals import catalogue

NEIGHBOUR_DAYS = 7


@dataclass(frozen=True)
class Sent:
    """One value as it was sent, and what became of it. `cleaned` is null where nothing is known at that time."""

    time: datetime
    received: datetime | None
    provider: str
    signal: str
    raw: str
    canonical: str | None
    cleaned: Any
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """Everything sent within the window; the stored segment (of the day) and session that hold the time, if any."""

    vin: str
    at: datetime
    sent: list[Sent]
    segment: dict[str, Any] | None
    session: dict[str, Any] | None
    counts: dict[tuple[str, str], int]
    """(rule, signal) → how often on the whole day."""


def explain(store: ObjectStore, shards: int, vin: str, at: datetime, around: timedelta) -> Explanation:
    """Explain what is stored for `vin` at `at` (UTC), with every value sent at most `around` before or after it.

    Raises:
        UserError: the VIN has no valid form, or nothing is stored for that vehicle and day.
    """
    from ev_platform.transform.clean import clean

    if not valid_vin(vin):
        raise UserError(f"{vin!r} is not a VIN: 17 capital letters and digits, without I, O and Q")
    day = at.date().isoformat()
    data = store.read(compressed_key(day, vin)).data
    if data is None:
        raise UserError(f"nothing is stored for {vin} on {day}; {_days_near(store, vin, at)}")
    compressed = from_parquet(data, CLEAN_COLUMNS)
    cleaned = clean(compressed, read_vehicles(store), keep_events=True)
    low, high = (pa.scalar(moment, TIME) for moment in (at - around, at + around))
    near = compressed.filter(_between(compressed["event_time"], low, high))
    found = cleaned.table.filter(_between(cleaned.table["time"], low, high)).to_pylist()
    events = cleaned.events.filter(_between(cleaned.events["time"], low, high)).to_pylist()
    shard = shard_of(vin, lake_shards(store, shards))
    piece = _holding(store, part_key("segments", day, shard), SEGMENTS, vin, at)
    days = [day, (at - timedelta(days=1)).date().isoformat()]
    sessions = (_holding(store, part_key("results/sessions", d, shard), SESSIONS, vin, at) for d in days)
    return Explanation(
        vin,
        at,
        [_sent(row, found, events) for row in near.to_pylist()],
        piece,
        next((session for session in sessions if session), None),
        {(row["rule"], row["signal"]): row["n"] for row in cleaned.counts.to_pylist()},
    )


def _sent(row: dict[str, Any], found: list[dict[str, Any]], events: list[dict[str, Any]]) -> Sent:
    mapped = catalogue().mapping.get((row["provider"], row["signal"]))
    canonical = mapped.canonical if mapped else None
    names = {canonical, "row"} if canonical else {row["signal"]}
    rules = sorted({e["rule"] for e in events if e["time"] == row["event_time"] and e["signal"] in names})
    wide = [w for w in found if w["time"] == row["event_time"] and w["provider"] == row["provider"]]
    value = row["text"] if row["text"] is not None else row["number"]
    shown = row["status"] if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return Sent(
        time=row["event_time"],
        received=row["received_at"],
        provider=row["provider"],
        signal=row["signal"] or "",
        raw=f"{shown} {row['unit'] or ''}".strip()
        + ("" if row["status"] == "ok" or value is None else f" ({row['status']})"),
        canonical=canonical,
        cleaned=wide[0][canonical] if wide and canonical else None,
        rules=tuple(rules),
    )


def _between(column: pa.ChunkedArray, low: pa.Scalar, high: pa.Scalar) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))


def _holding(store: ObjectStore, key: str, schema: pa.Schema, vin: str, at: datetime) -> dict[str, Any] | None:
    """The row of a vehicle whose time holds the moment: half-open, or the very last instant of the last one."""
    data = store.read(key).data
    table = schema.empty_table() if data is None else from_parquet(data)
    rows = [row for row in table.filter(pc.equal(table["vin"], vin)).to_pylist() if row["start"] <= at <= row["end"]]
    return max(rows, key=lambda row: row["start"], default=None)


def _days_near(store: ObjectStore, vin: str, at: datetime) -> str:
    days = [(at + timedelta(days=n)).date().isoformat() for n in range(-NEIGHBOUR_DAYS, NEIGHBOUR_DAYS + 1)]
    there = [day for day in days if store.exists(compressed_key(day, vin))]
    return f"it has data on {', '.join(there)}" if there else f"nor within {NEIGHBOUR_DAYS} days of it"

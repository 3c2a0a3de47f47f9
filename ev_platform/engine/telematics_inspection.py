"""What can be wrong with a day of telematics: lost or doubled messages, bands that do not rise with their values.

Reads only; each function returns what it found, place → problem, and nothing when all is well.
"""

from __future__ import annotations

import re

import polars as pl

from ev_platform.engine.telematics import day_events, raw_keys
from ev_platform.ingest import intervals
from ev_platform.ingest.telematics import expected_readings
from ev_platform.lake.layout import TELEMATICS_TEMP, KafkaName, parse_temp_key
from ev_platform.lake.schemas_telematics import EVENT_IDENTITY
from ev_platform.lake.store import ObjectStore

_OFFSET = re.compile(rb'"_o\\?":([0-9]+),')
"""Offset of a raw line; in quarantine a line may stand inside a JSON string."""


def lost_readings(store: ObjectStore, day: str) -> dict[str, str]:
    """Offsets that a drain stored for the day and that neither the table, raw objects nor quarantine hold."""
    expected = expected_readings(store, day)
    table = day_events(store, day)
    here: dict[tuple[str, int], list[int]] = {}
    for source, partition, offset in zip(
        *(table[name].to_pylist() for name in ("source", "partition", "offset")), strict=True
    ):
        here.setdefault((source, partition), []).append(offset)
    problems = {}
    for place, offsets in expected.items():
        known = [intervals.of_offsets(here.get(place, [])), *_waiting(store, place, day)]
        lacking = intervals.difference(offsets, intervals.union(*known))
        if lacking:
            problems[f"{place[0]}:{place[1]}"] = f"offsets {lacking}"
    return problems


def _waiting(store: ObjectStore, place: tuple[str, int], day: str) -> list[intervals.Intervals]:
    """Offsets in raw objects that wait, or were set aside with their lines."""
    aside = [key for key in store.keys(f"quarantine/{TELEMATICS_TEMP}") if f"/{day}/" in key]
    wanted = []
    for key in [*raw_keys(store, day), *aside]:
        original = key.removeprefix("quarantine/").replace(TELEMATICS_TEMP, "temp", 1).partition(".json")[0] + ".json"
        named = parse_temp_key(original)
        if named and isinstance(named[2], KafkaName) and (named[2].source, named[2].partition) == place:
            wanted.append(key)
    return [
        intervals.of_offsets([int(offset) for offset in _OFFSET.findall(data or b"")])
        for _, data in store.get_many(wanted)
    ]


def doubled_readings(store: ObjectStore, day: str) -> dict[str, str]:
    """Messages that the table holds twice, and readings of which not exactly one row counts."""
    frame = pl.from_arrow(day_events(store, day).select([*EVENT_IDENTITY, "event_id", "repeat"]))
    assert isinstance(frame, pl.DataFrame)
    problems = {}
    if twice := len(frame) - frame.select(EVENT_IDENTITY).n_unique():
        problems["messages"] = f"{twice} rows have an identity that stands there already"
    counted = frame.group_by("event_id").agg((~pl.col("repeat")).sum().alias("n")).filter(pl.col("n") != 1)
    if len(counted):
        problems["readings"] = f"{len(counted)} readings do not count exactly once"
    return problems


def disordered_bands(store: ObjectStore, day: str) -> dict[str, str]:
    """Variables of a device whose bands do not rise with the values: the class is not what we take it for.

    Zeros are left out (they are always sent as normal); medians are compared, as thresholds are the device's own.
    """
    frame = pl.from_arrow(day_events(store, day).select(["device_id", "variable", "number", "band"]))
    assert isinstance(frame, pl.DataFrame)
    rank = {"very_low": 0, "low": 1, "normal": 2, "high": 3, "very_high": 4}
    medians = (
        frame.filter(pl.col("number").is_not_null() & (pl.col("number") != 0) & pl.col("band").is_in(list(rank)))
        .with_columns(pl.col("band").replace_strict(rank, return_dtype=pl.Int8).alias("rank"))
        .group_by("device_id", "variable", "rank")
        .agg(pl.col("number").median().alias("median"))
        .sort("device_id", "variable", "rank")
    )
    falls = medians.with_columns((pl.col("median").diff() < 0).over("device_id", "variable").alias("falls"))
    wrong = falls.filter(pl.col("falls")).select("device_id", "variable").unique().sort("device_id", "variable")
    return {f"{device} {variable}": "bands do not rise with the values" for device, variable in wrong.iter_rows()}

"""Raw readings to typed events: numbers, flags, positions, bands; every message kept once, repeated readings marked.

Belongs here: what a message's value means, and the merge with what is stored. Pure: bytes and Arrow in, Arrow out. Not
here: fetching and replacing (engine/telematics.py), runs of alarms (alarms.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from ev_platform.ingest.telematics_record import FIELDS, reading_ms
from ev_platform.lake.schemas_telematics import EVENT_IDENTITY, TELEMATICS_EVENTS
from ev_platform.telematics.variables import BANDS, class_of, variables
from ev_platform.transform.compact_lexeme import spell, to_number

ORDER = ["device_id", "time", "variable", "event_id", "source_ts", "source", "partition", "offset"]
"""Order of the table; the first row of an event id is the reading, later ones are repeats."""

_TRUE, _FALSE = frozenset({"1", "true"}), frozenset({"0", "false"})


@dataclass(frozen=True)
class BadReading:
    """A line that could not be read: its object, its number from 1, why, and its bytes."""

    key: str
    number: int
    reason: str
    raw: bytes


@dataclass(frozen=True)
class Events:
    """Typed rows in `TELEMATICS_EVENTS`, and the lines that became none."""

    table: pa.Table
    bad: list[BadReading]


def read_events(objects: Sequence[tuple[str, str, bytes]], vins: Mapping[str, str]) -> Events:
    """Events of raw objects, repeats of a message included, in no order.

    Args:
        objects: (key, source, bytes) of each raw object.
        vins: device → vehicle.
    """
    rows: list[tuple[Any, ...]] = []
    bad: list[BadReading] = []
    for key, source, data in objects:
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                rows.append(_row(orjson.loads(line), source))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                bad.append(BadReading(key, number, str(error)[:200], line))
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    frame = frame.with_columns(
        pl.from_epoch("time", time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us"),
        pl.col("device_id").replace_strict(dict(vins), default=None, return_dtype=pl.String).alias("vin"),
        pl.lit(False).alias("repeat"),
    )
    return Events(_conform(frame), bad)


def merge_events(stored: pa.Table | None, new: pa.Table, vins: Mapping[str, str]) -> pa.Table:
    """Stored and new events as one table: each message once, in `ORDER`, repeated readings marked.

    The result depends on the set of messages and on the registry only, not on how often or in which parts they came.
    """
    parts = [pl.from_arrow(table) for table in (stored, new) if table is not None]
    frame = pl.concat([part for part in parts if isinstance(part, pl.DataFrame)])
    frame = frame.unique(EVENT_IDENTITY, keep="any").sort(ORDER)
    return _conform(
        frame.with_columns(
            (~pl.col("event_id").is_first_distinct()).alias("repeat"),
            pl.col("device_id").replace_strict(dict(vins), default=None, return_dtype=pl.String).alias("vin"),
        )
    )


_SCHEMA = {
    "device_id": pl.String,
    "time": pl.Int64,
    "variable": pl.String,
    "number": pl.Float64,
    "flag": pl.Boolean,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "altitude_m": pl.Float64,
    "text": pl.String,
    "alarm_class": pl.Int8,
    "band": pl.String,
    "known": pl.Boolean,
    "event_id": pl.String,
    "extra": pl.String,
    "source": pl.String,
    "partition": pl.Int32,
    "offset": pl.Int64,
    "source_ts": pl.Int64,
}


def _conform(frame: pl.DataFrame) -> pa.Table:
    return frame.select(TELEMATICS_EVENTS.names).to_arrow().cast(TELEMATICS_EVENTS)


def _row(line: dict[str, Any], source: str) -> tuple[Any, ...]:
    """One event of a raw line, in the order of `_SCHEMA`."""
    reading = line["d"]
    milliseconds = reading_ms(reading)
    if milliseconds is None:
        raise ValueError("no time")
    device, variable = reading["deviceId"], reading["variable"].strip()
    value, extra = reading.get("value"), {key: reading[key] for key in reading if key not in FIELDS}
    text = _text(value)
    alarm_class = class_of(reading.get("alarmClass"))
    if alarm_class is None and reading.get("alarmClass") is not None:
        extra["alarmClass"] = reading["alarmClass"]
    return (
        device,
        milliseconds,
        variable,
        *_typed(variable, text),
        alarm_class,
        None if alarm_class is None else BANDS[alarm_class],
        _fits(variable, text),
        event_id(device, milliseconds, variable, text),
        orjson.dumps(extra, option=orjson.OPT_SORT_KEYS).decode() if extra else None,
        source,
        line["_p"],
        line["_o"],
        line["_t"],
    )


def event_id(device: str, milliseconds: int, variable: str, text: str | None) -> str:
    """What makes two messages the same reading: device, time, variable and value."""
    parts = orjson.dumps([device, milliseconds, variable, text])
    return hashlib.sha256(parts).hexdigest()[:32]


def _text(value: object) -> str | None:
    """The value as text, without the quotes that some devices send along."""
    if value is None:
        return None
    return value.strip().strip('"').strip() if isinstance(value, str) else orjson.dumps(value).decode()


def _typed(variable: str, text: str | None) -> tuple[Any, ...]:
    """(number, flag, latitude, longitude, altitude_m, text) of a value."""
    nothing = (None, None, None)
    if text is None:
        return (None, None, *nothing, None)
    known = variables().get(variable)
    kind = known.kind if known else ""
    if kind == "position":
        return (None, None, *(_position(text) or nothing), text)
    if kind == "flag" and text.lower() in _TRUE | _FALSE:
        return (None, text.lower() in _TRUE, *nothing, None if text in ("0", "1") else text)
    number = to_number(text)
    return (number, None, *nothing, None if number is not None and spell(number) == text else text)


def _position(text: str) -> tuple[float, float, float | None] | None:
    """(latitude, longitude, altitude) of `lat,lon,altitude`; None without a fix, which devices send as 0,0."""
    numbers = [to_number(part.strip()) for part in text.split(",")]
    if len(numbers) not in (2, 3) or numbers[0] is None or numbers[1] is None:
        return None
    latitude, longitude = numbers[0], numbers[1]
    if (latitude == 0 and longitude == 0) or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return latitude, longitude, numbers[2] if len(numbers) == 3 else None


def _fits(variable: str, text: str | None) -> bool:
    """Whether the variable is in the vocabulary, and the value of its kind."""
    known = variables().get(variable)
    if known is None or text is None:
        return False
    if known.kind == "flag":
        return text.lower() in _TRUE | _FALSE
    if known.kind == "position":
        return all(to_number(part.strip()) is not None for part in text.split(",")) and text.count(",") in (1, 2)
    return to_number(text) is not None

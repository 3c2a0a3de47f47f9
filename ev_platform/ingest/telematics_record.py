"""From one telematics message to one raw line: which device, on which day; or a reason why not.

Belongs here: the id rule, the time of a reading, and what makes one unreadable. Not here: what variables and bands mean
(telematics/). A reading is `{deviceId, timeMili, timestamp, value, variable, alarmClass}`, `value` usually as text.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import orjson

from ev_platform.ingest.event_time import broker_day
from ev_platform.ingest.readable import unreadable
from ev_platform.ingest.record import CLOCK_AHEAD_MS, Dead, Message, Reason, Record, Router, raw_line
from ev_platform.lake.layout import valid_device

FIELDS = ("deviceId", "timeMili", "timestamp", "value", "variable", "alarmClass")
"""Keys of a reading; others are kept, too."""

_DIGITS = re.compile(r"[0-9]{12,13}")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?")
_ROUNDED = 10_000_000
"""A spreadsheet writes 1597573802000 as 1.5976E+12: a time that ends in so many zeros has lost its digits."""

_FIRST_MS, _LAST_MS = 100_000_000_000, 4_102_444_800_000  # 1973, 2100


class TelematicsReason(StrEnum):
    """Why a reading is a dead letter, besides `Reason`."""

    NO_DEVICE = "no_device"
    BAD_DEVICE = "bad_device"
    DEVICE_NOT_KEY = "device_not_key"
    NO_VARIABLE = "no_variable"
    NO_TIME = "no_time"


class TelematicsRouter(Router):
    """Routes readings by device and event day; `Record.vin` holds the device."""

    def __init__(self, start_day: date, max_bytes: int) -> None:
        super().__init__(start_day, max_bytes)
        self._first_day = start_day.isoformat()
        self._most_bytes = max_bytes

    def route(self, message: Message, *, plain: bool = False) -> Record | Dead | None:
        """Route one message: a record, or why not, or None for a tombstone; `plain` as for the vehicles' router."""
        value = message.value()
        if value is None:
            return None
        if len(value) > self._most_bytes:
            return Dead(Reason.TOO_LARGE, f"{len(value)} bytes, at most {self._most_bytes}")
        if not plain and (problem := unreadable(value)) is not None:
            return Dead(Reason.NOT_JSON, problem)
        try:
            reading = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            return Dead(Reason.NOT_JSON, str(error)[:200])
        if type(reading) is not dict:
            return Dead(Reason.NOT_AN_OBJECT, f"a JSON {type(reading).__name__}")
        return self._place(message, value, reading)

    def _place(self, message: Message, value: bytes, reading: dict[str, Any]) -> Record | Dead:
        device = reading.get("deviceId")
        if device is None or device == "":
            return Dead(TelematicsReason.NO_DEVICE, "deviceId is missing or empty")
        if type(device) is not str or not valid_device(device):
            return Dead(TelematicsReason.BAD_DEVICE, f"{str(device)[:80]!r} cannot be a folder")
        key = message.key()
        if key is not None and key != device.encode():
            return Dead(TelematicsReason.DEVICE_NOT_KEY, f"deviceId {device}, key {key[:80]!r}")
        if type(reading.get("variable")) is not str or not reading["variable"].strip():
            return Dead(TelematicsReason.NO_VARIABLE, "variable is missing or no text")
        milliseconds = reading_ms(reading)
        if milliseconds is None:
            shown = f"timeMili {reading.get('timeMili')!r}, timestamp {reading.get('timestamp')!r}"
            return Dead(TelematicsReason.NO_TIME, shown[:200])
        kind, timestamp = message.timestamp()
        if kind and milliseconds > timestamp + CLOCK_AHEAD_MS:
            return Dead(Reason.CLOCK_AHEAD, f"{milliseconds - timestamp} ms after the broker's timestamp")
        day = broker_day(milliseconds)
        if day < self._first_day:
            return Dead(Reason.BEFORE_START, f"{day} is before {self._first_day}")
        return Record(device, day, raw_line(message, timestamp, value))


def reading_ms(reading: dict[str, Any]) -> int | None:
    """Event time in ms since 1970 (UTC): of `timeMili`, else of `timestamp`; None when both lost their digits."""
    milliseconds = _milliseconds(reading.get("timeMili"))
    if milliseconds is not None:
        return milliseconds
    text = reading.get("timestamp")
    if type(text) is not str or not _TIMESTAMP.fullmatch(text.strip()):
        return None  # a spreadsheet's 30:02.5 too: minutes without an hour
    try:
        found = datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError:
        return None
    whole = int(found.timestamp()) * 1000 + found.microsecond // 1000
    return whole if _FIRST_MS <= whole <= _LAST_MS else None


def _milliseconds(value: object) -> int | None:
    if type(value) is str and _DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is float and value.is_integer() and value % _ROUNDED:
        value = int(value)
    return value if type(value) is int and _FIRST_MS <= value <= _LAST_MS else None

"""Event times as vehicles send them, RFC 3339 with up to 9 fraction digits and any offset, and their UTC day.

Fractions are cut, never rounded, so 23:59:59.9999999 stays on its day; everything that reads a createdAt must agree on
that, or a record would be filed under one day and looked for under another.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
DAY_MS = 86_400_000
_LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


class EventTime(msgspec.Struct, frozen=True, gc=False):
    """A parsed event time: milliseconds since 1970 rounded down, and its UTC date."""

    milliseconds: int
    day: str


def parse_event_time(text: str) -> EventTime | None:
    """Parse an RFC 3339 time.

    Returns:
        None when it is not such a time, or not a time that exists (leap seconds included).
    """
    # Messages come in order of time, so nearly all share their second with one seen just before.
    second, _, fraction = text.partition(".")
    digits = fraction[:-1]
    if fraction[-1:] == "Z" and len(digits) <= 9 and digits.isdigit() and digits.isascii():
        whole = _second(second)
        return None if whole is None else EventTime(whole.milliseconds + int((digits + "00")[:3]), whole.day)
    return _parse(text)


@lru_cache(maxsize=4096)
def _second(text: str) -> EventTime | None:
    return _parse(f"{text}Z")


def _parse(text: str) -> EventTime | None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    day, hour, minute, second, fraction, sign, off_hour, off_minute = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}+00:00")
        if sign is not None:
            if int(off_hour) > 23 or int(off_minute) > 59:
                return None
            shift = timedelta(hours=int(off_hour), minutes=int(off_minute))
            moment = moment - shift if sign == "+" else moment + shift
            day = moment.date().isoformat()
    except (ValueError, OverflowError):
        return None
    return EventTime((moment - _EPOCH) // _SECOND * 1000 + int((fraction or "").ljust(3, "0")[:3]), day)


def broker_day(milliseconds: int) -> str:
    """UTC day of a Kafka timestamp; what a producer made up is held inside the years 1970 to 9999."""
    if 0 <= milliseconds <= _LAST_MS:
        return _day(milliseconds // DAY_MS)
    return _day(min(max(milliseconds, 0), _LAST_MS) // DAY_MS)


@lru_cache(maxsize=64)
def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).date().isoformat()

"""Event times to the nanosecond: RFC 3339 texts of one vehicle-day to integers, all at once.

Belongs here: reading times. Not here: which times belong to a day (compact.py).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

NANOSECONDS_PER_DAY = 86_400 * 10**9
UNREADABLE = np.iinfo(np.int64).min
"""Stands for a time that could not be read."""

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)


def parse_times(texts: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Nanoseconds since 1970 UTC per text, int64; `UNREADABLE` where a text is no RFC 3339 time with an offset.

    One Arrow cast reads a whole vehicle-day; only when it refuses is each text read alone. Digits beyond the ninth
    are cut (RFC 3339 knows no limit, protobuf's Timestamp ends at nanoseconds).
    """
    try:
        return np.asarray(pa.array(texts, pa.string()).cast(pa.timestamp("ns", "UTC")).cast(pa.int64()), np.int64)
    except pa.ArrowInvalid:
        return np.array([_parse(text) for text in texts], np.int64)


def _parse(text: str) -> int:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return int(UNREADABLE)
    day, clock, fraction, offset = found.groups()
    try:
        when = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset in 'Zz' else offset}")
        if not _FIRST < when < _LAST:  # outside of int64 nanoseconds
            return int(UNREADABLE)
    except (ValueError, OverflowError):
        return int(UNREADABLE)
    return (when - _EPOCH) // timedelta(seconds=1) * 10**9 + int((fraction or "").ljust(9, "0"))


def day_start(day: str) -> int:
    """00:00 of a UTC day in nanoseconds since 1970."""
    return (datetime.fromisoformat(f"{day}T00:00:00+00:00") - _EPOCH) // timedelta(seconds=1) * 10**9

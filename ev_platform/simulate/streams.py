"""Random streams: every draw of the simulator comes from a stream named by what it is for.

A stream depends on its name only, never on what was drawn before elsewhere, so any day of any vehicle can be made on
its own and gives the same bytes in every process (no `hash()`, no clock).
"""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime

from numpy.random import PCG64, Generator, SeedSequence

DAY_MS = 86_400_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def stream(seed: int, *name: int | str) -> Generator:
    """The random stream called `name` (whole numbers ≥ 0 and words) of a scenario's `seed`."""
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in name]
    return Generator(PCG64(SeedSequence([seed, *words])))


def day_start_ms(day: date) -> int:
    """00:00 UTC of `day` in milliseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def day_of_ms(milliseconds: int) -> date:
    """UTC day of an instant."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).date()

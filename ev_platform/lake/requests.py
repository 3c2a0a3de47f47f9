"""How many requests a store was asked for, and what they cost on S3: the bill of a raw lake is the number of PUTs.

List prices of S3 Standard, us-east-1, US dollars, as published in 2026; DELETE is free. Storage and traffic are not
counted. Not here: who asks (store.py).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

USD_PER_1000 = {"PUT": 0.005, "LIST": 0.005, "GET": 0.0004, "DELETE": 0.0}
"""HEAD is billed as GET, COPY as PUT."""

MONTH_SECONDS = 365.25 / 12 * 86_400


class Requests:
    """Counts by kind; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(USD_PER_1000, 0)

    def add(self, kind: str, n: int = 1) -> None:
        """Count `n` requests of a kind (PUT, GET, LIST, DELETE)."""
        with self._lock:
            self._counts[kind] += n

    def counts(self) -> dict[str, int]:
        """Requests so far by kind."""
        with self._lock:
            return dict(self._counts)


def cost_usd(counts: Mapping[str, int]) -> float:
    """What these requests cost at list price, in US dollars."""
    return sum(n * USD_PER_1000[kind] / 1000 for kind, n in counts.items())


def month_usd(counts: Mapping[str, int], seconds: float) -> float:
    """What a month costs when it goes on as in these seconds, in US dollars."""
    return cost_usd(counts) / seconds * MONTH_SECONDS if seconds > 0 else 0.0

"""What a lake holds and what that costs at S3's list price: by top-level folder.

Belongs here: counting. Not here: requests as they are made (requests.py), who shows it.
"""

from __future__ import annotations

from typing import NamedTuple

from ev_platform.lake.layout import PREFIXES
from ev_platform.lake.requests import cost_usd
from ev_platform.lake.store import ObjectStore

USD_PER_GB_MONTH = 0.023
"""S3 Standard, us-east-1, list price 2026."""


class Folder(NamedTuple):
    """One top-level folder: objects, size, storage per month, what writing them once cost."""

    folder: str
    holds: str
    objects: int
    mb: float
    usd_per_month: float
    usd_written: float


def bill(store: ObjectStore) -> list[Folder]:
    """Every folder of the layout. Lists every object of the lake, a thousand for one request."""
    found = []
    for prefix, holds in PREFIXES.items():
        sizes = store.sizes(prefix)
        size = sum(sizes.values())
        stored = size / 1e9 * USD_PER_GB_MONTH
        found.append(Folder(prefix, holds, len(sizes), size / 1e6, stored, cost_usd({"PUT": len(sizes)})))
    return found

"""Signals that arrived and have no canonical column: counted per provider, so that a new one shows. Reads only."""

from __future__ import annotations

from collections import Counter

from ev_platform.lake.layout import compressed_prefix
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.signals import catalogue


def unmapped_signals(store: ObjectStore, day: str) -> Counter[tuple[str, str]]:
    """(provider, signal) → rows of a day's compressed files that no mapping names."""
    found: Counter[tuple[str, str]] = Counter()
    known = catalogue().mapping
    for key, data in store.get_many(store.keys(compressed_prefix(day))):
        if data is None or not key.endswith(".parquet"):
            continue
        counts = (
            from_parquet(data, ["provider", "signal"]).group_by(["provider", "signal"]).aggregate([([], "count_all")])
        )
        for row in counts.to_pylist():
            if row["signal"] is not None and (row["provider"], row["signal"]) not in known:
                found[row["provider"], row["signal"]] += row["count_all"]
    return found

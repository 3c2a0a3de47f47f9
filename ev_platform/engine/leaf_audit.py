"""Are all polled values of a day there? What polls wrote, by their receipts, against what the day's objects hold.

Reads only, and trusts nothing but the receipts. Offsets of Kafka have their own audit (ingest/audit.py).
"""

from __future__ import annotations

from collections import defaultdict

import orjson

from ev_platform.ingest.lexeme import loads_lexemes
from ev_platform.lake.layout import (
    PolledName,
    compressed_prefix,
    parse_temp_key,
    polled_receipts_prefix,
    quarantine_key,
    temp_prefix,
    vin_of_compressed,
)
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.providers.shapes import LEAVES
from ev_platform.transform.compact_polled import leaves_of_day

Place = tuple[str, str]
"""(vehicle, source)."""


def lost_leaves(store: ObjectStore, day: str) -> dict[str, str]:
    """Vehicles with values that a poll stored for the day and that no object holds: vehicle → how many of which source.

    Values still waiting in temp/ count as there; so do those of a vehicle whose raw object lies in quarantine.
    """
    promised = _promised(store, day)
    if not promised:
        return {}
    held = _compressed(store, day, {vin for vin, _ in promised})
    found: dict[str, str] = {}
    for (vin, source), digests in sorted(promised.items()):
        lost = digests - held[vin, source]
        if lost:
            lost -= _waiting(store, day, vin, source)
        if lost and not _set_aside(store, day, vin, source):
            found[vin] = f"{len(lost)} of {len(digests)} values of {source} are missing"
    return found


def _promised(store: ObjectStore, day: str) -> dict[Place, set[str]]:
    promised: dict[Place, set[str]] = defaultdict(set)
    for _, data in store.get_many(store.keys(polled_receipts_prefix(day))):
        receipt = orjson.loads(data or b'{"leaves":{}}')
        for vin, digests in receipt["leaves"].items():
            promised[vin, receipt["source"]].update(digests)
    return promised


def _compressed(store: ObjectStore, day: str, vins: set[str]) -> dict[Place, set[str]]:
    held: dict[Place, set[str]] = defaultdict(set)
    keys = [key for key in store.keys(compressed_prefix(day)) if vin_of_compressed(key) in vins]
    for key, data in store.get_many(keys):
        if data is not None:
            table = from_parquet(data, ["source", "record_hash"])
            for source, digest in zip(table["source"].to_pylist(), table["record_hash"].to_pylist(), strict=True):
                held[vin_of_compressed(key), source].add(digest)
    return held


def _waiting(store: ObjectStore, day: str, vin: str, source: str) -> set[str]:
    digests: set[str] = set()
    for key, data in store.get_many(store.keys(temp_prefix(vin, day))):
        named = parse_temp_key(key)
        if data and named and isinstance(named[2], PolledName) and named[2].source == source and source in LEAVES:
            for line in data.splitlines():
                digests |= {leaf.digest for leaf in leaves_of_day(source, loads_lexemes(line)["d"], None, day)}
    return digests


def _set_aside(store: ObjectStore, day: str, vin: str, source: str) -> bool:
    keys = store.keys(quarantine_key(temp_prefix(vin, day)))
    return any(key.rsplit("/", 1)[-1].startswith(f"{source}-") for key in keys)

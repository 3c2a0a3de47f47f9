"""What the lake holds of imported records: their content hashes, and whether a vehicle and day holds as many as it did.

Belongs here: reading identities of polled and imported records. Not here: Kafka's offsets (found.py, audit.py).
"""

from __future__ import annotations

import re

import polars as pl
import pyarrow as pa

from ev_platform.ingest.import_receipts import receipts_of
from ev_platform.lake.layout import PolledName, compressed_key, parse_temp_key, temp_prefix
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet

_HASH = re.compile(rb'^\{"_h":"([0-9a-f]{64})"', re.MULTILINE)


def fallen_short(store: ObjectStore, day: str) -> dict[str, str]:
    """Vehicles that hold fewer imported records of a day than when a file was imported: vehicle → what is missing.

    Raw objects, the compressed file and quarantine count; a record that was there once must be in one of them.
    """
    wanted: dict[tuple[str, str], int] = {}
    for receipt in receipts_of(store, day):
        for vin, records in receipt.held.get(day, {}).items():
            place = (receipt.provider, vin)
            wanted[place] = max(records, wanted.get(place, 0))
    problems = {}
    for (source, vin), records in sorted(wanted.items()):
        here = hashes_in_temp(store, source, vin, day) | hashes_in_compressed(store, source, vin, day)
        if len(here) < records:
            here |= hashes_in_temp(store, source, vin, day, root="quarantine/")
        if len(here) < records:
            problems[vin] = f"{source}: {len(here)} records, {records} were imported"
    return problems


def hashes_in_temp(store: ObjectStore, source: str, vin: str, day: str, root: str = "") -> set[str]:
    """Content hashes of a source's lines in the raw objects of a vehicle and day; `root`: those in quarantine."""
    keys = []
    for key in store.keys(root + temp_prefix(vin, day)):
        named = parse_temp_key(key.removeprefix(root).partition(".json")[0] + ".json")
        if named is not None and isinstance(named[2], PolledName) and named[2].source == source:
            keys.append(key)
    found = _HASH if not root else _HASH_ASIDE
    return {digest.decode() for _, data in store.get_many(keys) for digest in found.findall(data or b"")}


_HASH_ASIDE = re.compile(rb'\{\\?"_h\\?":\\?"([0-9a-f]{64})')
"""In quarantine a line may stand inside a JSON string."""


def hashes_in_compressed(store: ObjectStore, source: str, vin: str, day: str) -> set[str]:
    """Content hashes of a source's records in the compressed file of a vehicle and day; none if it is unreadable."""
    data = store.read(compressed_key(day, vin)).data
    if data is None:
        return set()
    try:
        frame = pl.from_arrow(from_parquet(data, ["source", "record_hash"]))
    except (pa.ArrowException, OSError):
        return set()
    assert isinstance(frame, pl.DataFrame)
    return set(frame.filter(pl.col("source") == source)["record_hash"].drop_nulls().unique().to_list())

"""What the lake really holds: identities of records in temp/, compressed/ and quarantine/, per partition.

Belongs here: reading identities out of objects, corrupt ones included. Not here: what ought to be there (audit.py).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from ev_platform.ingest import intervals
from ev_platform.ingest.intervals import Intervals
from ev_platform.ingest.offsets import Place
from ev_platform.lake.layout import KafkaName, compressed_prefix, parse_temp_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet

_AT_ONCE = 64
"""Objects in memory at once."""

_LINE = re.compile(rb'^\{(?:"_v":"[^"]*",)?"_p":(\d+),"_o":(\d+),"_t":(-?\d+),', re.MULTILINE)
_SET_ASIDE = re.compile(r"quarantine/(?P<key>.+?\.json)(\.[0-9a-f]{8})?(?P<lines>\.lines)?")
_IDENTITY = ["source", "partition", "offset", "source_ts"]
_DATUM = ["signal", "kind", "number", "text"]

_Int64 = npt.NDArray[np.int64]


@dataclass
class Found:
    """Identities of one partition: (offset, timestamp) pairs, in no order."""

    temp: list[_Int64] = field(default_factory=list)
    """Offsets and timestamps, shape (2, n), of raw buffers; repeats are normal."""
    compressed: list[_Int64] = field(default_factory=list)
    """The same of compressed files; a repeat is a fault. A record doubled inside one file stands here twice."""
    corrupt: list[tuple[int, int, int]] = field(default_factory=list)
    """(first, last, records that could not be read) of corrupt objects."""

    def intervals(self) -> Intervals:
        """Offsets found anywhere."""
        both = [*self.temp, *self.compressed]
        return intervals.of_array(np.concatenate(both, axis=1)[0]) if both else []

    def doubled(self) -> Intervals:
        """Offsets whose identity is twice in compressed/."""
        if not self.compressed:
            return []
        pairs, counts = np.unique(np.concatenate(self.compressed, axis=1), axis=1, return_counts=True)
        return intervals.of_array(pairs[0][counts > 1])

    def reused(self) -> int:
        """Number of offsets seen with more than one timestamp."""
        both = [*self.temp, *self.compressed]
        if not both:
            return 0
        pairs = np.unique(np.concatenate(both, axis=1), axis=1)
        return int(pairs.shape[1] - np.unique(pairs[0]).size)

    def explained(self, lacking: Intervals) -> Intervals:
        """Offsets lacking that corrupt objects must have held: within their range, and no more than they lost."""
        ranges = intervals.union([[first, last] for first, last, _ in self.corrupt])
        candidates = intervals.intersection(lacking, ranges)
        return candidates if intervals.count(candidates) <= sum(n for _, _, n in self.corrupt) else []


def scan(store: ObjectStore, day: str | None = None) -> dict[Place, Found]:
    """Identities in the whole lake, or of one event day."""
    found: dict[Place, Found] = {}
    for key, data in _objects(store, "temp", day):
        _scan_raw(key, data, found)
    for key, data in _objects(store, "quarantine", day):
        original = _SET_ASIDE.fullmatch(key)
        if original is not None and original["lines"]:
            _scan_lines(original["key"], data, found)
        elif original is not None:
            _scan_raw(original["key"], data, found)
    for key, data in _objects(store, "compressed" if day is None else compressed_prefix(day), None):
        if key.endswith(".parquet"):
            _scan_compressed(data, found)
    return found


def _objects(store: ObjectStore, prefix: str, day: str | None) -> Iterator[tuple[str, bytes]]:
    keys = iter(key for key in store.keys(prefix) if day is None or f"/{day}/" in key)
    while some := list(islice(keys, _AT_ONCE)):
        yield from ((key, data) for key, data in store.get_many(some) if data is not None)


def _scan_raw(key: str, data: bytes, found: dict[Place, Found]) -> None:
    """Identities of a raw buffer; a corrupt one gives those of the lines that can still be read."""
    parsed = parse_temp_key(key)
    if parsed is None or not isinstance(parsed[2], KafkaName):
        return
    name = parsed[2]
    here = found.setdefault((name.source, name.partition), Found())
    whole = zlib.crc32(data) == name.crc32
    lines = _LINE.findall(data if whole else b"\n".join(line for line in data.splitlines() if _readable(line)))
    if lines:
        here.temp.append(np.array([(int(offset), int(ts)) for _, offset, ts in lines], dtype=np.int64).T)
    if len(lines) < name.n:
        here.corrupt.append((name.first, name.last, name.n - len(lines)))


def _scan_lines(key: str, data: bytes, found: dict[Place, Found]) -> None:
    """Identities of single lines that compaction set aside: {"line", "reason", "raw"}."""
    parsed = parse_temp_key(key)
    if parsed is None or not isinstance(parsed[2], KafkaName):
        return
    raw = [str(orjson.loads(line).get("raw", "")).encode() for line in data.splitlines()]
    lines = _LINE.findall(b"\n".join(raw))
    if lines:
        here = found.setdefault((parsed[2].source, parsed[2].partition), Found())
        here.temp.append(np.array([(int(offset), int(ts)) for _, offset, ts in lines], dtype=np.int64).T)


def _readable(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _scan_compressed(data: bytes, found: dict[Place, Found]) -> None:
    """Identities of a compressed file; a record all of whose rows are there twice counts twice.

    A file that cannot be read holds nothing: its records come out as missing.
    """
    try:
        table = from_parquet(data, [*_IDENTITY, *_DATUM])
    except (pa.ArrowInvalid, OSError):
        return
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    rows = frame.filter(pl.col("offset").is_not_null()).group_by([*_IDENTITY, *_DATUM]).len()
    records = rows.group_by(_IDENTITY).agg(pl.col("len").min().alias("copies"))
    for (source, partition), group in records.group_by(["source", "partition"]):
        pairs = group.select("offset", "source_ts").to_numpy().astype(np.int64).T
        copies = np.minimum(group["copies"].to_numpy(), 2)
        place = (str(source), int(str(partition)))
        found.setdefault(place, Found()).compressed.append(np.repeat(pairs, copies, axis=1))

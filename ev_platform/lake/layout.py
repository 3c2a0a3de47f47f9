"""Every key of the lake: one table of prefixes, one function per kind of object. Nothing else builds a key.

Not here: what is inside the objects (schemas.py) or how they are written (store.py). Ids become path segments only
after `valid_vin`, so that no message can name a key outside its folder.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

PREFIXES: dict[str, str] = {
    "temp": "raw lines per vehicle and event day, deleted after compaction",
    "dead_letter": "messages that could not be read, with the reason",
    "quarantine": "corrupt objects, moved aside, never deleted",
    "compressed": "one lossless Parquet file per vehicle and UTC day",
    "cleaned": "wide, canonical, SI units, per day",
    "segments": "charge, drive and idle pieces, per day",
    "results": "sessions, battery health and all that is read by people",
    "ref": "vehicle registry",
    "state": "what readers remember: hashes of polled payloads, recent dead letters",
    "ops": "offset receipts, known gaps, moved offsets, redriven dead letters, lake settings",
}
"""Top-level folders of the lake and what they hold."""

_SOURCE = re.compile(r"[A-Za-z0-9._-]{1,249}")
VIN_PATTERN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_TEMP_NAME = re.compile(
    r"(?P<source>[A-Za-z0-9._-]+)-(?P<partition>\d{5})-(?P<first>\d{20})-(?P<last>\d{20})-(?P<n>\d+)-(?P<crc>[0-9a-f]{8})\.json"
    r"|(?P<polled>[a-z0-9_]+)-(?P<sha>[0-9a-f]{64})-(?P<count>\d+)\.json"
)


def valid_vin(vin: str) -> bool:
    """Whether `vin` has the form of ISO 3779 (17 characters, no I, O, Q) and so may become a path segment."""
    return VIN_PATTERN.fullmatch(vin) is not None


@dataclass(frozen=True)
class KafkaName:
    """What the name of a Kafka buffer promises about its bytes."""

    source: str
    partition: int
    first: int
    last: int
    n: int
    crc32: int


@dataclass(frozen=True)
class PolledName:
    """What the name of a polled or imported buffer promises about its bytes."""

    source: str
    sha256: str
    n: int


def temp_prefix(vin: str, day: str) -> str:
    """Folder of one vehicle's raw buffers of one event day."""
    return f"temp/{vin}/{day}"


def valid_source(source: str) -> bool:
    """Whether `source` is what Kafka allows as the name of a topic, and so may become part of an object's name."""
    return _SOURCE.fullmatch(source) is not None and source not in (".", "..")


def kafka_object_name(source: str, partition: int, first: int, last: int, n: int, crc32: int) -> str:
    """Content-determined object name: the same name always means the same bytes, so a repeated PUT is harmless.

    Raises:
        ValueError: `source` is no name of a topic.
    """
    if not valid_source(source):
        raise ValueError(f"{source[:80]!r} is not the name of a topic")
    return f"{source}-{partition:05d}-{first:020d}-{last:020d}-{n}-{crc32:08x}.json"


def temp_key(vin: str, day: str, name: str) -> str:
    """Key of one raw buffer."""
    return f"{temp_prefix(vin, day)}/{name}"


def parse_temp_key(key: str) -> tuple[str, str, KafkaName | PolledName] | None:
    """(vin, day, name) of a raw buffer's key; None for a key that ingest did not write."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != "temp":
        return None
    found = _TEMP_NAME.fullmatch(parts[3])
    if found is None:
        return None
    g = found.groupdict()
    if g["polled"] is not None:
        return parts[1], parts[2], PolledName(g["polled"], g["sha"], int(g["count"]))
    name = KafkaName(g["source"], int(g["partition"]), int(g["first"]), int(g["last"]), int(g["n"]), int(g["crc"], 16))
    return parts[1], parts[2], name


def day_path(day: str) -> str:
    """`2026-11-01` as `2026/11/01`."""
    return day.replace("-", "/")


def dead_letter_key(day: str, name: str) -> str:
    """Key of one dead-letter object, filed under the UTC day of the broker's timestamp."""
    return f"dead_letter/{day_path(day)}/{name}"


def quarantine_key(original: str) -> str:
    """Where a corrupt object is moved to; the reason goes to the same key + `.reason.json`."""
    return f"quarantine/{original}"


def compressed_prefix(day: str) -> str:
    """Folder of one day's lossless files."""
    return f"compressed/{day_path(day)}"


def compressed_key(day: str, vin: str) -> str:
    """Key of one vehicle's lossless file of one day."""
    return f"{compressed_prefix(day)}/{vin}.parquet"


def vin_of_compressed(key: str) -> str:
    """VIN in a compressed key."""
    return key.rsplit("/", 1)[-1].removesuffix(".parquet")


def part_key(table: str, partition: str, shard: int = 0) -> str:
    """Key of one part of a partitioned table: `cleaned/date=2026-11-01/part-0000.parquet`.

    The partition's own form names its column: 10 characters are a day (`date=`), 7 a month (`month=`).
    """
    return f"{partition_prefix(table, partition)}/part-{shard:04d}.parquet"


def partition_prefix(table: str, partition: str) -> str:
    """Folder of one partition of a table, Hive style."""
    column = {10: "date", 7: "month"}[len(partition)]
    return f"{table}/{column}={partition}"


def table_key(table: str) -> str:
    """Key of a table that has no partitions: `ref/vehicles/part-0000.parquet`."""
    return f"{table}/part-0000.parquet"


def offsets_receipt_key(day: str, digest: str) -> str:
    """Key of one drain's offset receipt, filed under the day of its newest broker timestamp."""
    return f"ops/offsets/{day}/{digest}.json"


def known_gap_key(source: str, partition: int, first: int, last: int) -> str:
    """Key of one known gap: offsets that expired or were skipped deliberately."""
    return f"ops/gaps/{source}-{partition:05d}-{first:020d}-{last:020d}.json"


def redriven_key(day: str, digest: str) -> str:
    """Key of a list of dead letters that were read after all, filed under the day of the dead letters."""
    return f"ops/redriven/{day}/{digest}.json"


def offset_change_key(milliseconds: int, digest: str) -> str:
    """Key of the note of one deliberate move of committed offsets."""
    return f"ops/offset_changes/{utc_day(milliseconds)}/{milliseconds}-{digest}.json"


def breaker_key(group: str) -> str:
    """Key of what the circuit breaker of a consumer group remembers; any name of a group makes a plain key."""
    return f"state/breaker/{hashlib.sha256(group.encode()).hexdigest()[:32]}.json"


LAKE_SETTINGS_KEY = "ops/lake.json"
"""Settings that must not change while data stand in the lake (number of shards)."""


def utc_day(milliseconds: int) -> str:
    """UTC date of a Kafka timestamp in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """[00:00, 24:00) of a UTC day."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return start, datetime.fromtimestamp(start.timestamp() + 86_400, UTC)

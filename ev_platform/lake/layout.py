"""Every key of the lake: one table of prefixes, one function per kind of object. Nothing else builds a key.

Not here: what is inside the objects (schemas.py) or how they are written (store.py). Ids become path segments only
after `valid_vin`, so that no message can name a key outside its folder.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

PREFIXES: dict[str, str] = {
    "temp": "raw lines per vehicle and event day, deleted after compaction",
    "temp_telematics": "raw readings per telematics device and event day, deleted after they are in telematics/events",
    "telematics": "typed readings, alarms and driving style, per day",
    "dead_letter": "messages that could not be read, with the reason",
    "quarantine": "corrupt objects, moved aside, never deleted",
    "compressed": "one lossless Parquet file per vehicle and UTC day",
    "cleaned": "wide, canonical, SI units, per day",
    "segments": "charge, drive and idle pieces, per day",
    "results": "sessions, battery health and all that is read by people",
    "ref": "vehicle registry",
    "state": "what readers remember: hashes of polled payloads, recent dead letters",
    "energy": "French electricity and gas: raw as received, refined tables, marts",
    "market": "vehicle sales: raw snapshots, refined by year and month of sale, marts",
    "insights": "the joins: cars with grid, market and region",
    "ops": "offset receipts, known gaps, moved offsets, redriven dead letters, lake settings",
}
"""Top-level folders of the lake and what they hold."""

SEGMENTS = "segments"
"""Stands in place of a VIN below `temp/`: objects of many vehicles, one per partition and flush (segment_lines.py)."""

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
    """Folder of one vehicle's raw buffers of one event day; of many vehicles' (`SEGMENTS`) in the segment layout."""
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


def polled_object_name(source: str, sha256: str, n: int) -> str:
    """Content-determined name of a polled or imported object: source, hash of its lines, their number."""
    return f"{source}-{sha256}-{n}.json"


def temp_key(vin: str, day: str, name: str) -> str:
    """Key of one raw buffer."""
    return f"{temp_prefix(vin, day)}/{name}"


@lru_cache(maxsize=1 << 14)  # every object's name is read by two rooms, a batch at a time
def parse_temp_key(key: str) -> tuple[str, str, KafkaName | PolledName] | None:
    """(vin, day, name) of a raw buffer's key; None for a key that ingest did not write."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != "temp":
        return None
    found = _TEMP_NAME.fullmatch(parts[3])
    if found is None:
        return None
    source, partition, first, last, n, crc, polled, sha, count = found.groups()
    if polled is not None:
        return parts[1], parts[2], PolledName(polled, sha, int(count))
    name = KafkaName(source, int(partition), int(first), int(last), int(n), int(crc, 16))
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

    The partition's own form names its column: 10 characters are a day (`date=`), 7 a month (`month=`), 4 a year.
    """
    return f"{partition_prefix(table, partition)}/part-{shard:04d}.parquet"


def partition_prefix(table: str, partition: str) -> str:
    """Folder of one partition of a table, Hive style."""
    if table in YEAR_AND_MONTH:
        return f"{table}/year={partition[:4]}/month={partition[5:7]}"
    column = {10: "date", 7: "month", 4: "year"}[len(partition)]
    return f"{table}/{column}={partition}"


YEAR_AND_MONTH = frozenset({"market/sales"})
"""Monthly tables filed by two columns, as the readers of sales expect them."""


def table_key(table: str) -> str:
    """Key of a table that has no partitions: `ref/vehicles/part-0000.parquet`."""
    return f"{table}/part-0000.parquet"


def offsets_receipt_key(day: str, digest: str) -> str:
    """Key of one drain's offset receipt, filed under the day of its newest broker timestamp."""
    return f"ops/offsets/{day}/{digest}.json"


def known_gap_key(source: str, partition: int, first: int, last: int) -> str:
    """Key of one known gap: offsets that expired or were skipped deliberately."""
    return f"ops/gaps/{source}-{partition:05d}-{first:020d}-{last:020d}.json"


ALERTS_PREFIX = "ops/alerts"


def alert_key(key: str) -> str:
    """Key of one open alert, named by the hash of what it is about."""
    return f"{ALERTS_PREFIX}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def redriven_key(day: str, digest: str) -> str:
    """Key of a list of dead letters that were read after all, filed under the day of the dead letters."""
    return f"ops/redriven/{day}/{digest}.json"


EXPIRED_PREFIX = "ops/expired"


def expired_key(day: str, digest: str) -> str:
    """Key of the note of dead letters that were kept long enough: their offsets, filed under their day."""
    return f"{EXPIRED_PREFIX}/{day}/{digest}.json"


def offset_change_key(milliseconds: int, digest: str) -> str:
    """Key of the note of one deliberate move of committed offsets."""
    return f"ops/offset_changes/{utc_day(milliseconds)}/{milliseconds}-{digest}.json"


def breaker_key(group: str) -> str:
    """Key of what the circuit breaker of a consumer group remembers; any name of a group makes a plain key."""
    return f"state/breaker/{hashlib.sha256(group.encode()).hexdigest()[:32]}.json"


def vehicle_state_key(provider: str, vin: str) -> str:
    """Key of what polling knows of one vehicle: leaves seen, failures, whether it is parked."""
    return f"state/{provider}/vehicles/{vin}.json"


def provider_state_key(provider: str, what: str) -> str:
    """Key of what polling knows of a whole provider: `quota`, `pause`, `fleet`."""
    return f"state/{provider}/{what}.json"


def polled_receipt_key(day: str, source: str, digest: str) -> str:
    """Key of the receipt of leaves that one poll wrote for an event day."""
    return f"{polled_receipts_prefix(day)}/{source}-{digest}.json"


def polled_receipts_prefix(day: str) -> str:
    """Folder of the receipts of polled leaves of one event day."""
    return f"ops/polled/{day}"


TELEMATICS_TEMP = "temp_telematics"
"""Folder of raw readings: `{deviceId}/{day}/` below it."""

TELEMATICS_OPS = "ops/telematics"
"""Receipts and gaps of the telematics topic, apart from those of the vehicles' topics."""

DEVICE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def valid_device(device: str) -> bool:
    """Whether the id of a telematics device may become a path segment."""
    return DEVICE_PATTERN.fullmatch(device) is not None


LAKE_SETTINGS_KEY = "ops/lake.json"
"""Settings that must not change while data stand in the lake (number of shards)."""


def utc_day(milliseconds: int) -> str:
    """UTC date of a Kafka timestamp in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """[00:00, 24:00) of a UTC day."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return start, datetime.fromtimestamp(start.timestamp() + 86_400, UTC)


def energy_raw_prefix(source: str, partition: str) -> str:
    """Folder of what one energy source sent for one partition, as received."""
    return partition_prefix(f"energy/raw/{source}", partition)


def energy_csv_key(table: str, partition: str) -> str:
    """Key of one partition of an energy mart as CSV, for people and spreadsheets."""
    return f"energy/csv/{table}/{partition}.csv"

"""A fleet's day for the benches: simulated vehicles with all faults, copied under other VINs, as raw objects of a lake.

25 different lives are enough for speed; every copy has its own VIN and is stored, read and written like any other.
Belongs here: the data that several benches share. Not here: what is measured.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from ev_platform.ingest.record import encode_headers
from ev_platform.lake.layout import kafka_object_name, temp_key
from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.settings import Settings
from ev_platform.simulate.scenario import Scenario

FIRST = date(2026, 10, 1)
DAY = FIRST.isoformat()
LIVES = 25
MESSAGES_PER_OBJECT = 1000


@cache
def lives(days: int = 1) -> list[dict[str, list[bytes]]]:
    """Per life: event day → raw lines; about 2,200 messages a day."""
    scenario = Scenario(99, LIVES, FIRST)
    found: dict[str, dict[str, list[bytes]]] = {}
    offset = 0
    for number in range(days):
        for message in scenario.day_messages(FIRST + timedelta(days=number)):
            if message.expected or message.value is None:
                continue
            record = json.loads(message.value)
            head = b'{"_p":%d,"_o":%d,"_t":%d,"h":' % (message.partition, offset, message.timestamp_ms)
            line = b"%s%s" % (head, encode_headers(list(message.headers))) + b',"d":%s}\n' % message.value
            found.setdefault(record["vin"], {}).setdefault(record["createdAt"][:10], []).append(line)
            offset += 1
    return [found[vin] for vin in sorted(found)]


def vin(number: int) -> str:
    """VIN of a vehicle of the fleet."""
    return f"EVBENCH{number:010d}"


def lines_of(number: int, day: str = DAY, days: int = 1) -> list[bytes]:
    """Raw lines of one vehicle and day."""
    own = lives(days)[number % LIVES]
    first = next(iter(next(iter(own.values()))))
    old = json.loads(first)["d"]["vin"].encode()
    return [line.replace(old, vin(number).encode()) for line in own.get(day, [])]


def objects(number: int, per: int = MESSAGES_PER_OBJECT, day: str = DAY, days: int = 1) -> Iterator[tuple[str, bytes]]:
    """Raw objects of one vehicle and day, `per` messages each, named as ingest names them."""
    lines = lines_of(number, day, days)
    for start in range(0, len(lines), per):
        part = lines[start : start + per]
        data = b"".join(part)
        first, last = (json.loads(line)["_o"] for line in (part[0], part[-1]))
        name = kafka_object_name("tesla_V", 0, first, last, len(part), zlib.crc32(data))
        yield temp_key(vin(number), day, name), data


def fill(folder: Path, vehicles: int, per: int = MESSAGES_PER_OBJECT, days: int = 1) -> tuple[Settings, int, int]:
    """A lake with the raw objects of a fleet; returns its settings, messages and bytes."""
    store = ObjectStore(str(folder))
    messages = size = 0
    for number in range(vehicles):
        for offset in range(days):
            for key, data in objects(number, per, (FIRST + timedelta(days=offset)).isoformat(), days):
                path = folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                messages += data.count(b"\n")
                size += len(data)
    store.put("ref/vehicles/part-0000.parquet", to_parquet(registry(vehicles)))
    return settings_of(folder), messages, size


def settings_of(folder: Path, workers: int = 1, shards: int = 1) -> Settings:
    """Settings of a bench's lake."""
    return Settings(_env_file=None, lake_url=str(folder), workers=workers, shards=shards)


def registry(vehicles: int):  # noqa: ANN201 - pa.Table
    """Registry lines of the fleet."""
    import pyarrow as pa

    rows = [
        {"vin": vin(n), "provider": "tesla", "model": "M", "chemistry": "NMC", "usable_new_kwh": 60.0}
        for n in range(vehicles)
    ]
    return pa.Table.from_pylist(rows, schema=VEHICLES)

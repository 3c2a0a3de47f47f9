"""A small simulated fleet as a lake of raw objects: three vehicles, four days, faults on. Made once per session."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from ev_platform.ingest.record import Record, Router
from ev_platform.lake.layout import kafka_object_name, table_key, temp_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.truth import registry

FIRST = date(2026, 11, 1)
DAYS = [(FIRST + timedelta(days=n)).isoformat() for n in range(4)]
VEHICLES = 3


class _Sent:
    """A simulated message as a consumer would hand it out."""

    def __init__(self, message, offset: int) -> None:
        self._message, self._offset = message, offset

    def topic(self) -> str:
        return "tesla_V"

    def partition(self) -> int:
        return self._message.partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._message.timestamp_ms

    def key(self) -> bytes | None:
        return self._message.key

    def value(self) -> bytes | None:
        return self._message.value

    def headers(self):
        return self._message.headers


@cache
def raw_objects() -> tuple[tuple[str, bytes], ...]:
    return tuple(_objects())


@cache
def vehicles():
    return registry(_scenario().fleet)


@cache
def _scenario() -> Scenario:
    return Scenario(seed=7, vehicles=VEHICLES, first_day=FIRST, faults=True, partitions=2)


def _objects() -> Iterator[tuple[str, bytes]]:
    router, offsets = Router(FIRST, 2**20), Counter()
    lines = defaultdict(list)
    for day in DAYS:
        for message in _scenario().day_messages(date.fromisoformat(day)):
            routed = router.route(_Sent(message, offsets[message.partition]))
            if isinstance(routed, Record) and routed.day in DAYS:
                lines[routed.vin, routed.day, message.partition].append((offsets[message.partition], routed.line))
            offsets[message.partition] += 1
    for (vin, day, partition), found in lines.items():
        data = b"".join(line for _, line in found)
        name = kafka_object_name("tesla_V", partition, found[0][0], found[-1][0], len(found), zlib.crc32(data))
        yield temp_key(vin, day, name), data


def fill_fleet(store: ObjectStore) -> None:
    """Raw objects and registry of the fleet."""
    store.put_many(raw_objects())
    store.put(table_key("ref/vehicles"), to_parquet(vehicles()))

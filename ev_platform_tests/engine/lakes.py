"""Small lakes for the engine tests: raw objects as ingest writes them, and stores that fail where a test says."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence

from ev_platform.lake.layout import kafka_object_name, temp_key
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

T0 = 1_793_577_600_000
"""2026-11-02T00:00:00Z in ms."""
DAY = "2026-11-02"
DAYS = ["2026-11-01", "2026-11-02", "2026-11-03"]


def vin(number: int) -> str:
    return f"5YJ3E1EA7KF{number:06d}"


def raw(number: int, offset: int, day: str = DAY, data: str | None = None) -> bytes:
    """One line of one vehicle; the minute follows from the offset."""
    clock = f"{offset // 60 % 24:02d}:{offset % 60:02d}:00Z"
    soc, odometer = 20 + offset % 700 / 10, 1000.5 + offset
    data = data or (
        f'[{{"key":"Soc","value":{{"doubleValue":{soc}}}}},{{"key":"Odometer","value":{{"doubleValue":{odometer}}}}}]'
    )
    record = f'{{"data":{data},"createdAt":"{day}T{clock}","vin":"{vin(number)}","isResend":false}}'
    return f'{{"_p":{number % 4},"_o":{offset},"_t":{T0 + offset},"h":{{"txid":"t-{offset}"}},"d":{record}}}\n'.encode()


def raw_object(number: int, offsets: Sequence[int], day: str = DAY) -> tuple[str, bytes]:
    data = b"".join(raw(number, offset, day) for offset in offsets)
    name = kafka_object_name("tesla_V", number % 4, offsets[0], offsets[-1], len(offsets), zlib.crc32(data))
    return temp_key(vin(number), day, name), data


def fill(
    store: ObjectStore, vehicles: Iterable[int], offsets: Sequence[int], day: str = DAY, per: int = 7
) -> list[str]:
    """Raw objects of some vehicles; returns their keys."""
    objects = [
        raw_object(number, offsets[start : start + per], day)
        for number in vehicles
        for start in range(0, len(offsets), per)
    ]
    store.put_many(objects)
    return [key for key, _ in objects]


def contents(store: ObjectStore, *prefixes: str) -> dict[str, bytes]:
    """Everything under some prefixes."""
    return {key: store.get(key) for prefix in prefixes for key in store.keys(prefix)}


def small_settings(store: ObjectStore, **more: object) -> Settings:
    values = {"lake_url": store.url, "workers": 1, "batch_vehicles": 2} | more
    return Settings(_env_file=None, **values)


class Crash(BaseException):
    """The process is killed here: nothing that would catch an error may catch it."""


class Watched(ObjectStore):
    """A store that calls `before(operation, key)` and `after(operation, key)` around everything that changes it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.before: Callable[[str, str], None] = lambda operation, key: None
        self.after: Callable[[str, str], None] = lambda operation, key: None
        self.deleted: list[str] = []
        self.puts: list[str] = []

    def read(self, key: str):
        self.before("read", key)
        found = super().read(key)
        self.after("read", key)
        return found

    def put(self, key: str, data: bytes) -> None:
        self.before("put", key)
        super().put(key, data)
        self.puts.append(key)
        self.after("put", key)

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        self.before("swap", key)
        done = super().swap(key, data, version)
        self.after("swap", key)
        return done

    def barrier(self) -> None:
        self.before("barrier", "")
        super().barrier()

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.before("delete", key)
            super().delete([key])
            self.deleted.append(key)
            self.after("delete", key)


class Overwriting(Watched):
    """A store without compare-and-swap: the last writer wins. It must lose records, or the test proves nothing."""

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        self.before("swap", key)
        ObjectStore.put(self, key, data)
        self.after("swap", key)
        return True

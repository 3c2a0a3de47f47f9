"""Ingest at scale: memory over millions of messages, requests of 10,000 vehicles, the bill of three flush rules.

No broker here: the real steps of a drain over messages made up on the way. BENCH_INGEST_MESSAGES=10000000 makes the
memory part ten million messages long.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.request import urlopen
from zlib import crc32

from bench.bench_ingest import T0, TOPIC, VEHICLES, headers, payload, vin, warm
from bench.harness import Section, Target, measure
from bench.s3_stub import stub

MEMORY_MESSAGES = int(os.environ.get("BENCH_INGEST_MESSAGES", "1000000"))


class _Endless:
    """Messages without a broker: the same few thousand again and again, under rising offsets."""

    def __init__(self, total: int) -> None:
        self._pool = [(payload(n), vin(n % VEHICLES).encode(), headers(n)) for n in range(3000)]
        self._total, self._at = total, 0
        self.expired: list[Any] = []

    @property
    def done(self) -> bool:
        """Whether all was read."""
        return self._at >= self._total

    def assign(self, ranges: Sequence[Any]) -> None:
        """One range."""

    def position(self, place: Any) -> int:  # noqa: ANN401
        """Next offset."""
        return self._at

    def read(self) -> list[Any]:
        """The next 500."""
        found = [_Message(at, *self._pool[at % 3000]) for at in range(self._at, min(self._at + 500, self._total))]
        self._at += len(found)
        return found


class _Message:
    def __init__(self, offset: int, value: bytes, key: bytes, named: list[tuple[str, bytes]]) -> None:
        self.offset, self.value, self.key = (lambda: offset), (lambda: value), (lambda: key)
        self.headers, self.topic, self.partition = (lambda: named), (lambda: TOPIC), (lambda: 0)
        self.timestamp = lambda: (1, T0 + 86_400_000 + offset)


def endless(total: int) -> int:
    """The real steps of a drain over that many messages; returns the bytes stored."""
    from ev_platform.ingest.buffer import Limits, VehicleBuffer
    from ev_platform.ingest.drain import Drain
    from ev_platform.ingest.offsets import OffsetRange
    from ev_platform.ingest.receipts import Ledger
    from ev_platform.ingest.uploads import Uploads
    from ev_platform.lake.store import ObjectStore
    from ev_platform.settings import Settings

    settings = Settings(_env_file=None, lake_url="s3://lake/endless", buffer_memory_bytes=64 * 2**20)
    one = Drain(settings, ObjectStore(settings.lake))
    buffer, ledger = VehicleBuffer(Limits.of(settings), time.monotonic), Ledger([OffsetRange(TOPIC, 0, 0, total)])
    with Uploads(one.put, settings.lake) as uploads:
        one.read(_Endless(total), buffer, ledger, uploads)
        one.settle(buffer, uploads, below=0)
        assert one.report.records == total
        assert buffer.safe_offset((TOPIC, 0)) == total
        return uploads.bytes


def memory() -> Section:
    """Peak memory at 1, 2 and 4 times as many messages."""
    with stub(discard=True) as environment:
        os.environ.update(environment)
        sizes = [MEMORY_MESSAGES // 4, MEMORY_MESSAGES // 2, MEMORY_MESSAGES]
        found = [(n, measure(endless, n, warm=warm)) for n in sizes]
    rows = [
        {
            "messages": f"{n:,}",
            "MB stored": f"{one.value / 1e6:,.0f}",
            "peak MB": f"{one.peak_mb:.0f}",
            "CPU µs per message": f"{one.cpu_seconds / n * 1e6:.1f}",
        }
        for n, one in found
    ]
    growth = found[-1][1].peak_mb / found[0][1].peak_mb
    return Section(
        "Ingest: memory",
        "The real steps without a broker, memory limit 64 MiB. `BENCH_INGEST_MESSAGES=10000000 make bench "
        "BENCH=ingest_scale` makes it ten million.",
        rows,
        [Target("peak memory at 4 x the messages", f"{growth:.2f} x", "≤ 1.15 x", growth <= 1.15)],
    )


def fleet_requests() -> Section:
    """Requests for listing and deleting the raw objects of 10,000 vehicles, and a compaction of 500."""
    from ev_platform.engine.compaction import compact_day, raw_keys
    from ev_platform.lake.layout import kafka_object_name, temp_key
    from ev_platform.lake.store import ObjectStore
    from ev_platform.settings import Settings

    with stub() as environment:
        os.environ.update(environment)
        store = ObjectStore("s3://lake/fleet")
        line = b'{"_p":0,"_o":%d,"_t":1793577600000,"h":{},"d":%b}\n'
        rows = []

        def counted(what: str, before: dict[str, int], n: int) -> None:
            with urlopen(f"{environment['AWS_ENDPOINT_URL']}/counts") as answer:
                now = json.load(answer)
            spent = {kind: now.get(kind, 0) - before.get(kind, 0) for kind in ("PUT", "GET", "LIST", "POST")}
            rows.append({"what": what, "vehicles": f"{n:,}", **{k: f"{v:,}" for k, v in spent.items()}})
            before.clear()
            before.update(now)

        before: dict[str, int] = {}

        def buffers(n: int) -> Iterator[tuple[str, bytes]]:
            for car in range(n):
                data = line % (car, payload(car))
                yield temp_key(vin(car), "2026-11-01", kafka_object_name(TOPIC, 0, car, car, 1, crc32(data))), data

        store.put_many(buffers(10_000))
        counted("write one buffer each", before, 10_000)
        keys = store.keys("temp")
        counted("list all of temp/", before, 10_000)
        assert sum(map(len, raw_keys(store, "2026-11-01").values())) == 10_000
        counted("list the raw objects of one day", before, 10_000)
        store.delete(keys)
        counted("delete them", before, 10_000)
        store.put_many(buffers(500))
        counted("write one buffer each", before, 500)
        compact_day(Settings(_env_file=None, lake_url=store.url, workers=1), store, "2026-11-01")
        counted("compact the day", before, 500)
    deletes = int(rows[3]["POST"])
    return Section(
        "Ingest: requests of a large fleet",
        "Listings are read in pages of 1,000, deletes go in batches of 1,000 (POST; free at Amazon).",
        rows,
        [Target("delete requests for 10,000 objects", str(deletes), "≤ 10", deletes <= 10)],
    )


def bill() -> Section:
    """Objects that the real flush rule makes of a vehicle's day, and a month's bill for 1,000 vehicles."""
    from ev_platform.ingest.buffer import FlushReason, Limits, VehicleBuffer
    from ev_platform.lake.requests import cost_usd

    rows = []
    for label, flush_seconds, min_bytes in (
        ("EV_BUFFER_FLUSH_SECONDS=30 (default)", 30.0, 0),
        ("EV_BUFFER_FLUSH_SECONDS=60", 60.0, 0),
        ("EV_BUFFER_MIN_BYTES=65536 (then 300 s)", 30.0, 65_536),
    ):
        costs = {}
        for shape, hours in (("24 h", 24), ("3 h", 3)):
            now = [0.0]
            limits = Limits(1000, flush_seconds, min_bytes, 300.0, 2**30)
            buffer = VehicleBuffer(limits, clock=lambda now=now: now[0])  # type: ignore[misc]
            objects = 0
            for offset in range(hours * 360):  # a message of 1 KB every 10 seconds
                now[0] = offset * 10.0
                objects += len(buffer.due())
                objects += len(buffer.add((TOPIC, 0), offset, vin(1), "2026-11-01", b"x" * 1024))
            objects += len(buffer.flush_all(FlushReason.DAY))
            month = 365.25 / 12 * 1000
            costs[shape] = (objects, cost_usd({"PUT": int((objects + 1) * month), "GET": int(objects * month)}))
        rows.append(
            {
                "setting": label,
                "objects per vehicle and day, 24 h": f"{costs['24 h'][0]:,}",
                "US$ per 1,000 vehicles and month, always on": f"{costs['24 h'][1]:,.2f}",
                "the same, active 3 h a day": f"{costs['3 h'][1]:,.2f}",
            }
        )
    return Section(
        "Ingest: the bill",
        "The real flush rule over a vehicle that sends 1 KB every 10 seconds; PUT of every buffer and of the daily "
        "file, GET of every buffer by compaction, at S3's list price (ev_platform/lake/requests.py).",
        rows,
    )


def sections() -> list[Section]:
    """All parts."""
    return [memory(), fleet_requests(), bill()]

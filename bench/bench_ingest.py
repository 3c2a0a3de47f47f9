"""Ingest: messages per second and CPU against the bare client and the plain design, memory, requests, the bill.

Baselines that ship here: librdkafka's bare `consume(500)` loop, and the plain reading of the task (json.loads, a list
per vehicle, json.dumps, boto3). The store is bench/s3_stub.py. BENCH_INGEST_MESSAGES=10000000: a long memory part.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen
from zlib import crc32

from bench.harness import Measured, Section, Target, measure
from bench.s3_stub import stub

TOPIC, GROUP = "tesla_V", "bench"
PARTITIONS, VEHICLES, MESSAGES, PLAIN_MESSAGES = 48, 1000, 150_000, 15_000
MEMORY_MESSAGES = int(os.environ.get("BENCH_INGEST_MESSAGES", "1000000"))
T0 = 1_793_491_200_000
SIGNALS = 14


def vin(number: int) -> str:
    """A valid VIN."""
    return f"EVPTESLA{number:09d}"


def payload(number: int) -> bytes:
    """About 1 KB, as fleet-telemetry sends it with decoded records."""
    data = [{"key": f"Signal{n:02d}Name", "value": {"doubleValue": number * 0.37 + n}} for n in range(SIGNALS)]
    data.append({"key": "Location", "value": {"locationValue": {"latitude": 52.1, "longitude": 13.2 + number / 1e6}}})
    body = {"data": data, "createdAt": f"2026-11-01T{number // 7200 % 24:02d}:10:{number % 60:02d}.123456789Z"}
    return json.dumps({**body, "vin": vin(number % VEHICLES), "isResend": False}).encode()


def headers(number: int) -> list[tuple[str, bytes]]:
    """The headers that the fleet-telemetry server adds."""
    return [("txid", b"%032x" % number), ("receivedat", b"%d" % (T0 + number)), ("txtype", b"V")]


@contextmanager
def broker() -> Iterator[str]:
    """The embedded broker with all messages; it keeps only 5 MiB per partition, so there are many partitions."""
    from confluent_kafka import Producer

    from ev_platform_tests.mock_control import MockCluster

    with MockCluster() as cluster:
        cluster.create_topic(TOPIC, PARTITIONS)
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "linger.ms": 50, "log_level": 0})
        for n in range(MESSAGES):
            key = vin(n % VEHICLES).encode()
            where = {"partition": n % VEHICLES % PARTITIONS, "timestamp": T0 + 86_400_000 + n}
            producer.produce(TOPIC, value=payload(n), key=key, headers=headers(n), **where)
            if n % 10_000 == 0:
                producer.flush()
        assert producer.flush(60) == 0
        yield cluster.bootstrap


# -- what is measured; each runs in a process of its own, and returns the CPU-seconds of its main thread --------------


def bare(bootstrap: str, messages: int) -> float:
    """The bare loop of librdkafka, nothing done with the messages."""
    from confluent_kafka import Consumer, TopicPartition

    options = {"bootstrap.servers": bootstrap, "group.id": "bare", "log_level": 0, "queued.max.messages.kbytes": 65536}
    client = Consumer(options)
    client.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    began, count = time.thread_time(), 0
    while count < messages:
        count += len(client.consume(500, 0.2))
    spent = time.thread_time() - began
    client.close()
    return spent


def ours(bootstrap: str, lake: str, front: str) -> float:
    """The drain or the service, into a folder or the S3-shaped stub."""
    from ev_platform.ingest.drain import Drain
    from ev_platform.ingest.service import Service
    from ev_platform.lake.store import ObjectStore
    from ev_platform.settings import Settings

    settings = Settings(
        _env_file=None,
        kafka_bootstrap=bootstrap,
        kafka_topics=(TOPIC,),
        kafka_group=f"{GROUP}-{front}-{abs(hash(lake))}",
        lake_url=lake,
        buffer_memory_bytes=128 * 2**20,
    )
    store = ObjectStore(lake)
    began = time.thread_time()
    if front == "drain":
        report = Drain(settings, store).run(None)
    else:
        service = Service(settings, store, stop=lambda: service.report.messages >= MESSAGES)
        service.run()
        report = service.report
    assert report.records == MESSAGES, report
    assert sum(report.committed.values()) == MESSAGES
    return time.thread_time() - began


def plain(bootstrap: str, messages: int) -> float:
    """Parse, keep dicts in a list per vehicle, dump, boto3: what one writes first; 150 messages to an object."""
    import boto3
    from confluent_kafka import Consumer, TopicPartition

    s3 = boto3.client("s3")
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": "plain", "log_level": 0})
    client.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    began, count = time.thread_time(), 0
    buffers: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def flush(name: str) -> None:
        body = "\n".join(json.dumps(one) for one in buffers.pop(name))
        s3.put_object(Bucket="lake", Key=f"temp/{name}/{count}.json", Body=body.encode())

    while count < messages:
        message = client.poll(0.2)
        if message is None or message.error():
            continue
        count += 1
        found = json.loads(message.value())
        found["headers"] = {name: value.decode() for name, value in message.headers()}
        buffers[found["vin"]].append(found)
        if len(buffers[found["vin"]]) >= 150:
            flush(found["vin"])
    for name in list(buffers):
        flush(name)
    spent = time.thread_time() - began
    client.close()
    return spent


def warm(*_: object) -> None:
    """Imports, before anything is measured."""
    import boto3  # noqa: F401

    import ev_platform.ingest.drain
    import ev_platform.ingest.service  # noqa: F401


# -- sections ---------------------------------------------------------------------------------------------------------


def speed() -> Section:
    """Messages per second and CPU per message."""
    with broker() as bootstrap, stub(discard=True) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        found: dict[str, tuple[Measured, int]] = {}
        found["bare consume(500)"] = (measure(bare, bootstrap, MESSAGES, warm=warm), MESSAGES)
        for front in ("drain", "service"):
            for name, lake in (("S3-shaped", "s3://lake/bench"), ("folder", f"{folder}/{front}")):
                found[f"{front}, {name} store"] = (measure(ours, bootstrap, lake, front, warm=warm), MESSAGES)
        found["plain design, S3-shaped store"] = (measure(plain, bootstrap, PLAIN_MESSAGES, warm=warm), PLAIN_MESSAGES)
    size = len(payload(0))
    rows = [
        {
            "what": name,
            "CPU µs per message": f"{one.cpu_seconds / n * 1e6:.1f}",
            "main thread µs": f"{one.value / n * 1e6:.1f}",
            "messages/s of main-thread CPU": f"{n / one.value:,.0f}",
            "messages/s by the clock": f"{n / one.wall_seconds:,.0f}",
            "MB/s by the clock": f"{n * size / one.wall_seconds / 1e6:.0f}",
            "peak MB": f"{one.peak_mb:.0f}",
        }
        for name, (one, n) in found.items()
    ]
    cpu = {name: one.cpu_seconds / n for name, (one, n) in found.items()}
    base, worst = cpu["bare consume(500)"], max(v for k, v in cpu.items() if k.startswith(("drain", "service")))
    slowest = min(n / one.value for name, (one, n) in found.items() if name.startswith(("drain", "service")))
    ratio, gain = worst / base, cpu["plain design, S3-shaped store"] / cpu["drain, S3-shaped store"]
    return Section(
        "Ingest: speed",
        f"{MESSAGES:,} messages of {size} bytes with 3 headers, {VEHICLES} vehicles, {PARTITIONS} partitions of the "
        "embedded broker, which shares the cores. A process is bound by its main thread, so its CPU says what one "
        "process reaches on a core of its own; the clock says what this machine gave at that moment.",
        rows,
        [
            Target("messages/s of one process (main thread)", f"{slowest:,.0f}", "≥ 50,000", slowest >= 50_000),
            Target("CPU against bare consume(500), worst row", f"{ratio:.1f} x", "≤ 12 x", ratio <= 12),
            Target("less CPU than the plain design", f"{gain:.1f} x", "≥ 10 x", gain >= 10),
        ],
    )


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
        "BENCH=ingest` makes it ten million.",
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
    return [speed(), memory(), fleet_requests(), bill()]

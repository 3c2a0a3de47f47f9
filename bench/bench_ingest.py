"""Ingest: messages per second and CPU against the bare client and the plain design, and what a tick waits for.

Baselines that ship here: librdkafka's bare `consume(500)` loop, and the plain reading of the task (json.loads, a list
per vehicle, json.dumps, boto3). The store is bench/s3_stub.py.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from bench.harness import Measured, Section, Target, measure
from bench.s3_stub import stub

TOPIC, GROUP = "tesla_V", "bench"
PARTITIONS, VEHICLES, PLAIN_MESSAGES = 48, 1000, 15_000
MESSAGES = int(os.environ.get("BENCH_N", "150000"))
T0 = 1_793_491_200_000
SIGNALS = 14
RUNS = 3


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
        kafka_group=f"{GROUP}-{front}-{uuid4().hex}",  # each run reads from the start
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


def speed(bootstrap: str) -> Section:
    """Messages per second and CPU per message."""
    with stub(discard=True) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        found: dict[str, tuple[Measured, int]] = {}

        def best(name: str, n: int, work: Callable[..., float], *args: str | int) -> None:
            """The cheapest of three: what a neighbour took away is not the work's."""
            runs = [measure(work, bootstrap, *args, warm=warm) for _ in range(RUNS)]
            found[name] = (min(runs, key=lambda one: one.cpu_seconds), n)

        best("bare consume(500)", MESSAGES, bare, MESSAGES)
        for front in ("drain", "service"):
            for name, lake in (("S3-shaped", "s3://lake/bench"), ("folder", f"{folder}/{front}")):
                best(f"{front}, {name} store", MESSAGES, ours, lake, front)
        best("plain design, S3-shaped store", PLAIN_MESSAGES, plain, PLAIN_MESSAGES)
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
    fronts = (
        "drain, S3-shaped store",
        "service, S3-shaped store",
    )  # a folder's CPU is mostly the kernel's, at its leisure
    base, worst = cpu["bare consume(500)"], max(cpu[name] for name in fronts)
    speeds = {name: n / one.value for name, (one, n) in found.items()}
    slowest = min(speed for name, speed in speeds.items() if name.startswith(("drain", "service")))
    ratio, gain = worst / base, speeds["drain, S3-shaped store"] / speeds["plain design, S3-shaped store"]
    return Section(
        "Ingest: speed",
        f"{MESSAGES:,} messages of {size} bytes with 3 headers, {VEHICLES} vehicles, {PARTITIONS} partitions of the "
        "embedded broker, which shares the cores. A process is bound by its main thread, so its CPU says what one "
        "process reaches on a core of its own; the clock says what this machine gave at that moment.",
        rows,
        [
            Target("messages/s of one process (main thread)", f"{slowest:,.0f}", "≥ 50,000", slowest >= 50_000),
            Target("CPU against bare consume(500), S3-shaped store", f"{ratio:.1f} x", "≤ 12 x", ratio <= 12),
            Target("messages/s against the plain design (main thread)", f"{gain:.1f} x", "≥ 10 x", gain >= 10),
        ],
    )


def waiting(bootstrap: str, lake: str) -> tuple[float, float]:
    """Seconds of what a sensor's tick asks the broker, and from the start of a drain to its first messages."""
    from ev_platform.ingest.drain import Drain
    from ev_platform.ingest.group import members
    from ev_platform.ingest.lag import probe
    from ev_platform.lake.store import ObjectStore
    from ev_platform.settings import Settings

    settings = Settings(_env_file=None, kafka_bootstrap=bootstrap, kafka_topics=(TOPIC,), kafka_group=GROUP)
    began = time.perf_counter()
    assert len(probe(settings)) == PARTITIONS
    members(settings)
    tick = time.perf_counter() - began
    firsts: list[float] = []

    def progress(messages: int) -> None:
        if messages and not firsts:
            firsts.append(time.perf_counter() - began)

    began = time.perf_counter()
    Drain(settings, ObjectStore(lake), stop=lambda: bool(firsts), progress=progress).run(None)
    return tick, firsts[0]


def waits(bootstrap: str) -> Section:
    """How long a tick and the first message of a drain take, by the clock."""
    found = [measure(waiting, bootstrap, "memory://", warm=warm).value for _ in range(3)]
    tick, first = (min(values) for values in zip(*found, strict=True))
    return Section(
        "Ingest: waiting",
        f"{PARTITIONS} partitions of the embedded broker; the best of three, by the clock of a shared machine.",
        [
            {"what": "questions of a sensor tick", "s": f"{tick:.2f}"},
            {"what": "first batch of a drain", "s": f"{first:.2f}"},
        ],
        [
            Target("sensor tick", f"{tick:.2f} s", "< 1 s", tick < 1),
            Target("first message of a drain", f"{first:.2f} s", "< 0.5 s", first < 0.5),
        ],
    )


def sections() -> list[Section]:
    """All parts."""
    with broker() as bootstrap:
        return [speed(bootstrap), waits(bootstrap)]

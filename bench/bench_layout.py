"""Layouts of raw objects: requests and CPU of an hour of a fleet, one object per vehicle and flush or per partition.

The real steps of ingest on a clock that the bench moves, the real flush rule, the real compaction, requests counted by
the S3-shaped server.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import urlopen

from bench.bench_ingest import T0, TOPIC, headers, payload, vin, warm
from bench.harness import Measured, Section, Target, measure
from bench.s3_stub import stub

VEHICLES, PARTITIONS, TICKS, TICK_SECONDS = 250, 4, 360, 10
DAY = "2026-11-01"
LAYOUTS = {"vehicle": "an object per vehicle and flush", "segment": "an object per partition and flush"}


class _Message:
    def __init__(self, car: int, tick: int) -> None:
        number, named = tick * 1000 + car, headers(tick * 1000 + car)
        value, key, place = payload(number), vin(car).encode(), car % PARTITIONS
        at, offset = T0 + 86_400_000 + tick * TICK_SECONDS * 1000, tick * VEHICLES + car
        self.value, self.key, self.headers = (lambda: value), (lambda: key), (lambda: named)
        self.topic, self.partition, self.offset = (lambda: TOPIC), (lambda: place), (lambda: offset)
        self.timestamp = lambda: (1, at)


def _counts() -> dict[str, int]:
    with urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/counts") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def _settings(layout: str) -> Any:  # noqa: ANN401
    from ev_platform.settings import Settings

    return Settings(_env_file=None, lake_url=f"s3://lake/{layout}", buffer_layout=layout, workers=1)


def ingest(layout: str) -> dict[str, int]:
    """An hour of messages as the service stores them; requests spent."""
    from ev_platform.ingest.buffer import FlushReason, Limits, VehicleBuffer
    from ev_platform.ingest.offsets import OffsetRange
    from ev_platform.ingest.receipts import Ledger
    from ev_platform.ingest.steps import Steps
    from ev_platform.lake.store import ObjectStore

    settings, now, before = _settings(layout), [0.0], _counts()
    store = ObjectStore(settings.lake)
    steps, buffer = Steps(settings, store), VehicleBuffer(Limits.of(settings), clock=lambda: now[0])
    ledger = Ledger([OffsetRange(TOPIC, place, 0, TICKS * VEHICLES) for place in range(PARTITIONS)])
    for tick in range(TICKS):
        now[0] = float(tick * TICK_SECONDS)
        flushes = buffer.due()
        for car in range(VEHICLES):
            flushes += steps.take(_Message(car, tick), buffer, ledger, plain=True)
        store.put_many((flush.key(), flush.data) for flush in flushes)
    store.put_many((flush.key(), flush.data) for flush in buffer.flush_all(FlushReason.STOP))
    return {kind: count - before.get(kind, 0) for kind, count in _counts().items()}


def compact(layout: str) -> dict[str, int]:
    """The compaction of that; requests spent, records stored, and a hash of the files."""
    import hashlib

    from ev_platform.engine.compaction import compact_day
    from ev_platform.lake.store import ObjectStore

    settings, before = _settings(layout), _counts()
    store = ObjectStore(settings.lake)
    records = compact_day(settings, store, DAY).records_stored
    spent = {kind: count - before.get(kind, 0) for kind, count in _counts().items()}
    files = hashlib.sha256(b"".join(store.get(key) for key in store.keys("compressed"))).hexdigest()
    return {**spent, "records": records, "files": int(files[:12], 16)}


def sections() -> list[Section]:
    """Both layouts."""
    found: dict[str, tuple[Measured, Measured]] = {}
    for layout in LAYOUTS:
        with stub() as environment:
            os.environ.update(environment)
            found[layout] = measure(ingest, layout, warm=warm), measure(compact, layout, warm=warm)
    stored = {(compaction.value["records"], compaction.value["files"]) for _, compaction in found.values()}
    if stored != {(VEHICLES * TICKS, found["vehicle"][1].value["files"])}:
        raise RuntimeError(f"the layouts come to different files: {stored}")
    rows = [
        {
            "raw objects": label,
            "PUT of ingest": f"{found[layout][0].value['PUT']:,}",
            "PUT of compaction": f"{found[layout][1].value['PUT']:,}",
            "GET of compaction": f"{found[layout][1].value['GET']:,}",
            "CPU-s of ingest": f"{found[layout][0].cpu_seconds:.1f}",
            "CPU-s of compaction": f"{found[layout][1].cpu_seconds:.1f}",
        }
        for layout, label in LAYOUTS.items()
    ]
    puts = {layout: sum(part.value["PUT"] for part in parts) for layout, parts in found.items()}
    ratio = puts["vehicle"] / puts["segment"]
    return [
        Section(
            "Ingest: one raw object per vehicle, or per partition",
            f"{VEHICLES} vehicles on {PARTITIONS} partitions, an hour, 1 KB every {TICK_SECONDS} s, flushes of 30 s. "
            "The compaction of segments divides them first. Both come to the same compressed files, byte for byte.",
            rows,
            [Target("PUTs, ingest and compaction", f"{ratio:.0f} x fewer", "≥ 20 x", ratio >= 20)],
        )
    ]

"""Where the storm happens: a broker that can go down, a lake that may fail, numbered messages, and the final count."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bench.s3_stub import stub
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.items import TaskError
from ev_platform.ingest.audit import audit
from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.ingest.lag import probe
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings
from ev_platform_tests.ingest.helpers import DAY_MS, T0, Sent, send, vin
from ev_platform_tests.mock_control import MockCluster

TOPIC, PARTITIONS, VEHICLES = "tesla_V", 4, 23
DAYS = ("2026-11-01", "2026-11-02")
FAULT_SHARE = 0.05
SESSION = {"session.timeout.ms": "1500", "heartbeat.interval.ms": "200"}


@dataclass
class World:
    """One seed's broker, lake and messages."""

    cluster: MockCluster
    settings: Settings
    environment: dict[str, str]
    chance: random.Random
    expected: set[int] = field(default_factory=set)
    dead: int = 0
    tombstones: int = 0
    sent: int = 0

    def produce(self, count: int) -> None:
        """Send numbered messages; one in fifty is garbage or has no value."""
        messages = []
        for _ in range(count):
            number, self.sent = self.sent, self.sent + 1
            car, day = number % VEHICLES, self.chance.randrange(len(DAYS))
            body = {
                "data": [{"key": "Odometer", "value": {"doubleValue": number}}],
                "createdAt": f"{DAYS[day]}T10:00:00.{number % 1000:03d}Z",
                "vin": vin(car),
            }
            value: bytes | None = json.dumps(body).encode()
            if number % 50 == 7:
                value, self.dead = b"garbage", self.dead + 1
            elif number % 50 == 19:
                value, self.tombstones = None, self.tombstones + 1
            else:
                self.expected.add(number)
            messages.append(Sent(value, car % PARTITIONS, vin(car).encode(), T0 + DAY_MS + DAY_MS // 2 + number))
        send(self.cluster.bootstrap, TOPIC, messages)

    def behind(self) -> int:
        """Messages that are not committed; the mock broker must not have dropped any."""
        lags = probe(self.settings)
        assert all(lag.low == 0 for lag in lags), "the broker dropped messages by its own retention"
        return sum(lag.high - (lag.committed or 0) for lag in lags)

    def count(self) -> dict[str, int | str]:
        """Compact everything, then look for every message in the Parquet files, and audit the lake."""
        store = ObjectStore(self.settings.lake)
        repeated = 0
        for day in DAYS:
            repeated += self._compact(store, day)
        found: Counter[int] = Counter()
        for key in store.keys("compressed"):
            rows = pl.from_arrow(from_parquet(store.get(key), ["signal", "number"]))
            found.update(int(number) for number in rows.filter(pl.col("signal") == "Odometer")["number"])
        committed = {(lag.topic, lag.partition): lag.committed for lag in probe(self.settings)}
        report = audit(store, committed)
        letters = sum(1 for _ in read_dead_letters(store))
        return {
            "messages": self.sent,
            "stored": len(found),
            "lost": len(self.expected - found.keys()) + self.dead - letters,
            "doubled": sum(n - 1 for n in found.values()),
            "foreign": len(found.keys() - self.expected),
            "repeats dropped": repeated,
            "left in temp/": len(store.keys("temp")),
            "audit": str(report).splitlines()[0] if report.ok or report.lost or report.doubled else str(report)[:200],
        }

    def _compact(self, store: ObjectStore, day: str) -> int:
        """Compact a day; where one answer in twenty fails, a whole request fails now and then, and is asked again."""
        for _ in range(10):
            with suppress(TaskError):
                return compact_day(self.settings, store, day).repeats
        return compact_day(self.settings, store, day).repeats


@contextmanager
def world(seed: int, folder: Path, *, s3: bool) -> Iterator[World]:
    """A broker, a lake (a folder, or an S3 server of which every twentieth answer fails) and no message yet."""
    with ExitStack() as stack:
        cluster = stack.enter_context(MockCluster())
        cluster.create_topic(TOPIC, PARTITIONS)
        environment = stack.enter_context(stub(fault_share=FAULT_SHARE, seed=seed)) if s3 else {}
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        settings = Settings(
            _env_file=None,
            kafka_bootstrap=cluster.bootstrap,
            kafka_topics=(TOPIC,),
            kafka_group=f"storm{seed}",
            kafka_options=SESSION,
            kafka_timeout_seconds=5,
            lake_url=f"s3://storm/{seed}" if s3 else str(folder / f"lake{seed}"),
            buffer_max_messages=20,
            buffer_flush_seconds=0.2,
            buffer_max_seconds=0.3,
            commit_seconds=0.1,
            drain_max_messages=500,
            workers=1,
        )
        try:
            yield World(cluster, settings, environment, random.Random(seed))
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def pause(seconds: float) -> None:
    """Let the victims live for a while."""
    time.sleep(seconds)

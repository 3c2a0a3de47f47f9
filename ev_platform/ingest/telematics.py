"""The telematics topic through the same engine as the vehicles' topics: its own topic, group, id rule and folders.

Belongs here: what differs from a drain of vehicle messages. A group of its own, because a drain may only commit where
no member is alive, and the vehicles' service must not keep telematics from being drained. Receipts and gaps lie apart,
so that the audit of the vehicles' topics is not asked about this one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ev_platform.ingest import intervals
from ev_platform.ingest.drain import Drain, DrainReport
from ev_platform.ingest.intervals import Intervals
from ev_platform.ingest.offsets import OffsetRange, Place
from ev_platform.ingest.receipts import PartitionReceipt
from ev_platform.ingest.telematics_record import TelematicsRouter
from ev_platform.lake.layout import TELEMATICS_OPS, TELEMATICS_TEMP
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

FOLDERS = {"temp/": f"{TELEMATICS_TEMP}/", "ops/": f"{TELEMATICS_OPS}/"}
"""Where the engine's folders lie for this topic; dead letters share theirs, the source stands in the name."""


def telematics_settings(settings: Settings) -> Settings:
    """The settings with which everything that asks Kafka looks at the telematics topic."""
    return settings.with_changes(
        kafka_topics=(settings.telematics_topic,),
        kafka_group=f"{settings.kafka_group}.telematics",
        buffer_layout="vehicle",  # a device's objects are merged by a task of their own, which knows no segments
    )


def drain_telematics(
    settings: Settings,
    store: ObjectStore,
    ranges: Sequence[OffsetRange] | None,
    *,
    stop: Callable[[], bool] = lambda: False,
    stored: Callable[[Counter[str]], None] = lambda _: None,
) -> DrainReport:
    """One bounded drain of the telematics topic; see `ingest.drain.drain`.

    Raises:
        UserError: the broker or the lake failed; nothing of the running round was committed.
    """
    return TelematicsDrain(telematics_settings(settings), store, stop=stop, stored=stored).run(ranges)


class TelematicsDrain(Drain):
    """A drain with another id rule and other folders; the order of steps is the same code."""

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        *,
        stop: Callable[[], bool] = lambda: False,
        stored: Callable[[Counter[str]], None] = lambda _: None,
    ) -> None:
        super().__init__(settings, store, stop=stop, stored=stored)
        self._router = TelematicsRouter(settings.start_day, settings.message_max_bytes)

    def put(self, key: str, data: bytes) -> None:
        """Store one object in the folders of this topic."""
        super().put(moved(key), data)


def moved(key: str) -> str:
    """Key of the engine's object in the folders of this topic."""
    for prefix, target in FOLDERS.items():
        if key.startswith(prefix):
            return target + key.removeprefix(prefix)
    return key


def expected_readings(store: ObjectStore, day: str) -> dict[Place, Intervals]:
    """Offsets that drains stored under an event day, per (topic, partition): what the day's table must hold."""
    found: dict[Place, list[Intervals]] = {}
    for receipt in _receipts(store, day):
        found.setdefault(receipt.place, []).append(receipt.days.get(day, []))
    merged = {place: intervals.union(*parts) for place, parts in found.items()}
    return {place: offsets for place, offsets in sorted(merged.items()) if offsets}


def _receipts(store: ObjectStore, since_day: str) -> Iterator[PartitionReceipt]:
    """Receipts filed under a day or later: whatever concerns event day D lies under a day ≥ D."""
    folder = f"{TELEMATICS_OPS}/offsets"
    days = [day for day in store.list_folders(folder) if day >= since_day]
    for _, data in store.get_many([key for day in days for key in store.keys(f"{folder}/{day}")]):
        for part in json.loads(data)["partitions"] if data is not None else []:
            yield PartitionReceipt(**part)

"""Near-real-time counts: readings per device, variable and minute, by band, in the live store while the stream runs.

Belongs here: reading what is new of the topic, from the place that the live store itself remembers, and counting it.
The counts and that place are stored together, so every message counts exactly once whatever dies when; messages that
were sent twice under two offsets count twice here, and once in telematics/events. Not here: the lake, Kafka's group.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from ev_platform.ingest import kafka
from ev_platform.ingest.offsets import OffsetRange, Place
from ev_platform.ingest.reader import ConfluentReader
from ev_platform.ingest.record import Message, Record
from ev_platform.ingest.telematics import telematics_settings
from ev_platform.ingest.telematics_record import TelematicsRouter, reading_ms
from ev_platform.lake.live_store import LiveStore, count_events
from ev_platform.settings import Settings
from ev_platform.telematics.variables import BANDS, class_of

TABLE = "telematics_windows"
"""Table of the live store: device_id, variable, window_start → readings, and how many in each band."""

KEYS = ("device_id", "variable", "window_start")
WINDOW = timedelta(minutes=1)
MOST_AT_ONCE = 20_000
"""Messages of one partition that are read before they are counted."""

_NO_BAND = "no_band"
_GENERATIONS = 1_000


class LiveCounter:
    """Counts the topic into a live store, step by step; any number of them at once count each message once."""

    def __init__(self, settings: Settings, live: LiveStore) -> None:
        self._settings = telematics_settings(settings)
        self._live = live
        self._router = TelematicsRouter(settings.start_day, settings.message_max_bytes)
        self._keep = timedelta(hours=settings.telematics_live_hours)
        self._newest = datetime.fromtimestamp(0, UTC)

    def step(self) -> int:
        """Count what is new; returns the number of messages counted, 0 when there is nothing new.

        Raises:
            UserError: the broker or the live store does not answer.
        """
        with kafka.consumer(self._settings) as client:
            places = kafka.partitions(client, self._settings, self._settings.kafka_topics)
            marks = kafka.watermarks(client, self._settings, places)
            sources = {place: self._source(place, high) for place, (_, high) in marks.items()}
            starts = {p: max(self._live.position(TABLE, sources[p]), marks[p][0]) for p in marks}
            ends = {p: min(marks[p][1], starts[p] + MOST_AT_ONCE) for p in marks}
            ranges = [OffsetRange(*place, starts[place], ends[place]) for place in marks if ends[place] > starts[place]]
            if not ranges:
                return 0
            events = self._read(client, ranges)
        counted = sum(
            count_events(self._live, TABLE, KEYS, sources[place], found) for place, found in sorted(events.items())
        )
        if self._newest > datetime.fromtimestamp(0, UTC):
            self._live.delete_before(TABLE, "window_start", self._newest - self._keep)
        return counted

    def _read(self, client: Any, ranges: list[OffsetRange]) -> dict[Place, list[tuple[int, dict[str, object]]]]:  # noqa: ANN401
        """(offset, counts) of every reading in the ranges, per partition; dead letters count nothing."""
        reader = ConfluentReader(client, self._settings)
        reader.assign(ranges)
        found: dict[Place, list[tuple[int, dict[str, object]]]] = {}
        while not reader.done:
            for message in reader.read():
                row = self._row(message)
                if row is not None:
                    found.setdefault((message.topic(), message.partition()), []).append((message.offset(), row))
        return found

    def _row(self, message: Message) -> dict[str, object] | None:
        if not isinstance(self._router.route(message), Record):
            return None
        reading = orjson.loads(message.value() or b"{}")
        milliseconds = reading_ms(reading) or 0
        minute = milliseconds // 60_000 * 60
        window = datetime.fromtimestamp(minute, UTC)
        self._newest = max(self._newest, window)
        alarm_class = class_of(reading.get("alarmClass"))
        band = _NO_BAND if alarm_class is None else BANDS[alarm_class]
        bands = {name: int(name == band) for name in (*BANDS.values(), _NO_BAND)}
        keys = {"device_id": reading["deviceId"], "variable": reading["variable"].strip(), "window_start": window}
        return {**keys, "readings": 1, **bands}

    def _source(self, place: Place, high: int) -> str:
        """Name of the partition's log in the live store: a new one when the log is shorter than what was counted.

        A broker that lost everything hands out the same offsets again; without this, new messages would be taken for
        old ones.
        """
        number = 0
        while number < _GENERATIONS and self._live.position(TABLE, _name(place, number + 1)):
            number += 1
        return _name(place, number if self._live.position(TABLE, _name(place, number)) <= high else number + 1)


def _name(place: Place, generation: int) -> str:
    topic, partition = place
    return f"{topic}:{partition}" + (f"#{generation}" if generation else "")

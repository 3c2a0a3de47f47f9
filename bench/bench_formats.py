"""Protobuf against decoded JSON: the same records routed by ingest and read by compaction.

The baseline ships here: the runtime's own `json_format.MessageToDict` and `json.dumps`, which is what most consumers of
Tesla's protobuf do before they go on with JSON.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from google.protobuf import json_format

from bench.harness import Section, Target, measure
from ev_platform.ingest.record import Record, Router
from ev_platform.lake.layout import kafka_object_name, temp_key
from ev_platform.signals.tesla_schema import record_classes
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.wire import Message
from ev_platform.transform.compact import compact

FIRST = date(2026, 11, 1)
VEHICLES, DAYS = 6, 2


class _Sent:
    """A simulated message in the shape of a Kafka message."""

    def __init__(self, message: Message, offset: int) -> None:
        self._message = message
        self._offset = offset

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

    def headers(self) -> list[tuple[str, bytes]]:
        return self._message.headers


def _messages(protobuf: bool) -> list[_Sent]:
    scenario = Scenario(seed=3, vehicles=VEHICLES, first_day=FIRST, faults=False, protobuf=protobuf)
    found = [m for n in range(DAYS) for m in scenario.day_messages(FIRST + timedelta(days=n))]
    return [_Sent(message, offset) for offset, message in enumerate(found)]


def _route(messages: Sequence[_Sent]) -> list[Record]:
    router = Router(FIRST, 2**20)
    return [found for message in messages if isinstance(found := router.route(message), Record)]  # type: ignore[arg-type]


def _buffers(records: Sequence[Record]) -> dict[tuple[str, str], tuple[str, bytes]]:
    lines: dict[tuple[str, str], list[bytes]] = {}
    for record in records:
        lines.setdefault((record.vin, record.day), []).append(record.line)
    found = {}
    for (vin, day), of_day in lines.items():
        data = b"".join(of_day)
        name = kafka_object_name("tesla_V", 0, 0, len(of_day), len(of_day), zlib.crc32(data))
        found[vin, day] = (temp_key(vin, day, name), data)
    return found


def _compact(buffers: dict[tuple[str, str], tuple[str, bytes]]) -> int:
    return sum(len(compact([buffer], None, vin, day).table) for (vin, day), buffer in buffers.items())


def _plain(buffers: dict[tuple[str, str], tuple[str, bytes]]) -> int:
    """The plain way: each protobuf line through MessageToDict to a JSON line, and that compacted."""
    payload = record_classes()["V"]
    decoded = {}
    for place, (_, data) in buffers.items():
        lines = []
        for line in data.splitlines():
            body: dict[str, Any] = json.loads(line)
            message = payload.FromString(base64.b64decode(body.pop("b")))
            body["d"] = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
            lines.append(json.dumps(body, separators=(",", ":")).encode() + b"\n")
        joined = b"".join(lines)
        name = kafka_object_name("tesla_V", 0, 0, len(lines), len(lines), zlib.crc32(joined))
        decoded[place] = (temp_key(*place, name), joined)
    return _compact(decoded)


def sections() -> list[Section]:
    """Routing and compaction of the same records in both formats."""
    rows = []
    cost: dict[str, float] = {}
    works: list[tuple[str, Callable[[Any], Any], Any]] = []
    count = 0
    for name, protobuf in (("JSON", False), ("protobuf", True)):
        messages = _messages(protobuf)
        count = len(messages)
        buffers = _buffers(_route(messages))
        works += [(f"route {name}", _route, messages), (f"compact {name}", _compact, buffers)]
        if protobuf:
            works.append(("compact protobuf by MessageToDict", _plain, buffers))
    for name, work, given in works:
        measured = measure(work, given, warm=work)
        cost[name] = measured.cpu_seconds
        rows.append(
            {
                "work": name,
                "us CPU per message": f"{1e6 * measured.cpu_seconds / count:.1f}",
                "messages/s": f"{count / measured.cpu_seconds:,.0f}",
                "peak MB": f"{measured.peak_mb:.0f}",
            }
        )
    route = cost["route protobuf"] / cost["route JSON"]
    gain = cost["compact protobuf by MessageToDict"] / cost["compact protobuf"]
    targets = [
        Target("routing protobuf, against JSON", f"{route:.2f}x", "≤ 2x", route <= 2),
        Target("compacting protobuf, against MessageToDict", f"{gain:.1f}x faster", "≥ 2x", gain >= 2),
    ]
    text = f"{count} messages of {VEHICLES} simulated vehicles, in both formats."
    return [Section("Formats", text, rows, targets)]

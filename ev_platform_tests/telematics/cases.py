"""Readings, raw objects and lakes for the telematics tests."""

import json
import zlib

from ev_platform.engine.telematics import alarms_days, day_events, events_day, style_day
from ev_platform.ingest.record import Record
from ev_platform.ingest.telematics_record import TelematicsRouter
from ev_platform.lake.layout import kafka_object_name, part_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings
from ev_platform_tests.ingest.helpers import DAY_MS, T0, FakeMessage

DEVICE, OTHER = "0a" * 16, "0b" * 16
TOPIC = "VehicleTelemetry"
START = Settings(_env_file=None, start_day="2020-01-01").start_day


def reading(at_ms=T0, value="50", variable="Vehicle speed", alarm_class=0, device=DEVICE, **changes):
    """One reading as a device sends it."""
    fields = {"deviceId": device, "timeMili": at_ms, "timestamp": "2026-11-01 00:00:00.000000"}
    return {**fields, "value": value, "variable": variable, "alarmClass": alarm_class, **changes}


def message(body, offset=0, partition=0, stamp=T0 + 5 * DAY_MS, key=None):
    value = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return FakeMessage(value, key, offset, (1, stamp), None, partition, TOPIC)


def route(body, **options):
    return TelematicsRouter(START, 2**20).route(message(body, **options))


def put_raw(store: ObjectStore, readings, first=0, partition=0):
    """Store readings as a drain would, one object per device and day; returns the keys."""
    lines = {}
    for offset, body in enumerate(readings, start=first):
        found = route(body, offset=offset, partition=partition)
        assert isinstance(found, Record), found
        lines.setdefault((found.vin, found.day), []).append((offset, found.line))
    keys = []
    for (device, day), some in sorted(lines.items()):
        data = b"".join(line for _, line in some)
        name = kafka_object_name(TOPIC, partition, some[0][0], some[-1][0], len(some), zlib.crc32(data))
        keys.append(f"temp_telematics/{device}/{day}/{name}")
        store.put(keys[-1], data)
    return keys


def rows(store, day="2026-11-01"):
    return day_events(store, day).to_pylist()


def table(store, name, day):
    data = store.read(part_key(f"telematics/{name}", day)).data
    return [] if data is None else from_parquet(data).to_pylist()


def make(store, *days):
    """Events, then alarms of these days, one day after the other."""
    receipts = {day: events_day(store, day) for day in days}
    for day in days:
        alarms_days(store, [day])
    return receipts


__all__ = ["DAY_MS", "T0", "alarms_days", "style_day"]

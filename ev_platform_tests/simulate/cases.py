"""Days, and one way to read a message's payload, shared by the simulator's tests."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import orjson

from ev_platform.simulate.wire import Message

SEED = 5
VEHICLES = 12
FIRST = date(2026, 11, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]


class Seen(NamedTuple):
    """A readable message, decoded."""

    vin: str
    event_ms: int
    sent_ms: int
    data: dict
    is_resend: bool
    connection: bytes
    number: int
    value: bytes


def value_of(datum: dict) -> object:
    """The value of one datum: number, text, bool, struct, or None when invalid."""
    member, value = next(iter(datum.items()), ("", None))
    return None if member in ("", "invalid") else value


def read(messages: list[Message]) -> list[Seen]:
    """All messages that are expected to be stored, decoded, in the order of the topic."""
    result = []
    for message in messages:
        if message.expected:
            continue
        record = orjson.loads(message.value)
        connection, _, number = dict(message.headers)["txid"].partition(b"-")
        event_ms = int(np.datetime64(record["createdAt"][:-1], "ns").astype("int64")) // 1_000_000
        data = {datum["key"]: datum["value"] for datum in record["data"]}
        result.append(
            Seen(
                record["vin"],
                event_ms,
                message.timestamp_ms,
                data,
                record["isResend"],
                connection,
                int(number),
                message.value,
            )
        )
    return result


def numbers(seen: list[Seen], vin: str, name: str) -> np.ndarray:
    """(event ms, value) of one numeric field of one vehicle by event time, resends left out."""
    found = []
    for message in seen:
        if message.vin == vin and name in message.data and not message.is_resend:
            value = value_of(message.data[name])
            if value is not None:
                found.append((message.event_ms, float(value)))
    return np.array(sorted(found))

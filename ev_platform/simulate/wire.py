"""The message as it stands in the topic: value, key, headers, partition, timestamp, as Tesla's server sends it.

Belongs here: the envelope (decoded JSON, headers of fleet-telemetry) and its spelling. Not here: which records exist.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Header = tuple[str, bytes]


class Message(NamedTuple):
    """One message of the topic; `expected` is why it must become a dead letter ('' = it must be stored)."""

    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    expected: str = ""

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, as they count against a broker's retention."""
        headers = sum(len(name) + len(value) + 2 for name, value in self.headers)
        return len(self.value or b"") + len(self.key or b"") + headers + 12


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: CRC-32, as librdkafka's consistent partitioner, so one vehicle is in one partition."""
    return zlib.crc32(key) % partitions


def created_at(event_ns: NDArray[np.int64]) -> list[str]:
    """Times as protobuf's JSON spells them: 0, 3, 6 or 9 digits after the second, 'Z'."""
    texts = np.datetime_as_string(event_ns.astype("datetime64[ns]")).tolist()
    rest = event_ns % 1_000_000_000
    ends = np.where(rest == 0, 19, np.where(rest % 1_000_000 == 0, 23, np.where(rest % 1000 == 0, 26, 29))).tolist()
    return [text[:end] + "Z" for text, end in zip(texts, ends, strict=True)]


def payload(vin: str, rows: list[list[str]], created: list[str], resend: list[bool], spaced: bool) -> list[bytes]:
    """The JSON of each record; the spacing of protobuf's JSON is unstable on purpose, `spaced` is its other form."""
    gap = " " if spaced else ""
    joint = f",{gap}"
    ends = [f',{gap}"vin":{gap}"{vin}",{gap}"isResend":{gap}{word}}}' for word in ("false", "true")]
    head, middle = f'{{"data":{gap}[', f'],{gap}"createdAt":{gap}"'
    return [
        f'{head}{joint.join(row)}{middle}{time}"{ends[again]}'.encode()
        for row, time, again in zip(rows, created, resend, strict=True)
    ]


def headers_of(vin: str, client_version: str) -> tuple[list[Header], list[Header]]:
    """The constant headers before and after `receivedat` and `txid`; `timestamp` and `version` are always "0"."""
    before: list[Header] = [("vin", vin.encode())]
    after: list[Header] = [
        ("timestamp", b"0"),
        ("txtype", b"V"),
        ("version", b"0"),
        ("device_client_version", client_version.encode()),
    ]
    return before, after

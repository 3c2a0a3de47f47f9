"""Raw buffers of one vehicle-day to records and rows, line by line: one bad line costs one line.

Belongs here: the envelope of a line (identity, headers, original record), what makes a line unreadable. Not here: the
shape of a provider's record (tesla_json.py), duplicates and order (compact_merge.py), fetching (engine).

Providers that are polled have a way of their own (compact_polled.py): there every value is a record.

Forms of a line: `{"_p","_o","_t","h","d"}` from Kafka (with `"b"`, base64, instead of `d` where the payload is
protobuf), `{"_h","_t","h","d"}` polled or imported, and a bare JSON object written by somebody else, whose identity is
its place (object key and line number, with a checksum, because the same key may be used again for other lines).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import orjson

from ev_platform.ingest.lexeme import DuplicateKeysError, loads_lexemes
from ev_platform.lake.layout import PolledName, parse_temp_key
from ev_platform.providers.shapes import LEAVES
from ev_platform.transform.compact_chunks import CHUNK_LINES, add_chunk
from ev_platform.transform.compact_headers import Headers, extra_with
from ev_platform.transform.compact_lexeme import spelled_alike
from ev_platform.transform.compact_polled import RECEIVED_HEADER, SENT_HEADER, LeafError, add_leaves
from ev_platform.transform.compact_time import NANOSECONDS_PER_DAY, UNREADABLE, day_start, parse_times
from ev_platform.transform.row_json import NotARowError, add_row
from ev_platform.transform.tesla_json import PARSERS, Rows, add_record
from ev_platform.transform.tesla_protobuf import NotReadableError, read_record

FILES_SOURCE = "files"
"""Source of objects whose names ingest did not give."""

PROVIDER_OF_SOURCE: dict[str, str] = {FILES_SOURCE: "tesla"}
"""Source → provider, where the source is neither a Kafka topic (Tesla's) nor named after its provider."""

RECORD_FIELDS = (
    "created", "received_ms", "is_resend", "txid", "extra", "partition", "offset", "source_ts", "record_hash",
    "n_rows", "buffer", "line",
)  # fmt: skip
"""Columns of records: times as sent, identity, number of rows, place (buffer, line from 1)."""

MAX_LINE_BYTES = 16 * 2**20
"""Longest line that is parsed. Ingest writes no longer ones (EV_MESSAGE_MAX_BYTES is at most 8 MiB); others may."""

MAX_COMMAS = 110_000
"""Most commas of a line, that is most rows that it can become (ingest lets 100,000 pass, plus headers)."""

FEW_LINES = 4
"""So many lines are read one by one rather than decoded together once more."""

_Identity = tuple[int | None, int | None, int | None, str | None]
_Parser = Callable[[Rows, dict[str, Any]], dict[str, Any] | None]

_KAFKA_KEYS = frozenset({"_p", "_o", "_t", "h", "d"})
_BINARY_KEYS = frozenset({"_p", "_o", "_t", "h", "b"})
_ENVELOPE_KEYS = _KAFKA_KEYS | {"_h"}
_INT32, _INT64 = 2**31, 2**63


class BadLineError(ValueError):
    """Why a line cannot be read."""


@dataclass(frozen=True)
class BadLine:
    """A line that could not be read: where it stood (line numbers from 1), why, and its bytes."""

    key: str
    number: int
    reason: str
    raw: bytes


@dataclass
class Parsed:
    """Records of one vehicle-day in the order read, repeats included, and their rows one after another."""

    records: dict[str, list[Any]]
    """Columns of `RECORD_FIELDS`."""
    rows: Rows
    sources: list[tuple[str, str]]
    """(source, provider) of each buffer."""
    bad_lines: list[BadLine]
    time_ns: np.ndarray[Any, np.dtype[np.int64]]
    """Event time of each record, nanoseconds since 1970."""
    readable: np.ndarray[Any, np.dtype[np.bool_]]
    """False for records whose time is unreadable or of another day; these are among the bad lines."""


def parse(buffers: Sequence[tuple[str, bytes]], vin: str, day: str) -> Parsed:
    """Read every line of a vehicle-day's buffers.

    Args:
        buffers: (object key, bytes) of each raw object, in any order.
        vin: the vehicle; a record that names another one is a bad line.
        day: UTC day; a record of another day is a bad line.
    """
    reader = _Reader(vin, day)
    with _garbage_collector_off():
        for key, data in buffers:
            reader.add(key, data)
        reader.finish()
    records = reader.records
    time_ns = parse_times(records["created"])
    start = day_start(day)
    readable = (time_ns >= start) & (time_ns < start + NANOSECONDS_PER_DAY)
    for at in np.flatnonzero(~readable):
        key, data = buffers[records["buffer"][at]]
        number = records["line"][at]
        reason = "createdAt is unreadable" if time_ns[at] == UNREADABLE else f"createdAt is not on {day}"
        reader.bad_lines.append(BadLine(key, number, reason, data.split(b"\n")[number - 1]))
    bad_lines = sorted(reader.bad_lines, key=lambda bad: (bad.key, bad.number))
    return Parsed(records, reader.rows, reader.sources, bad_lines, time_ns, readable)


@contextmanager
def _garbage_collector_off() -> Iterator[None]:
    """Parsed JSON holds no cycles, and looking for some costs up to half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Reader:
    """Reads one buffer after another into the same lists. Lines wait until a chunk of them is together."""

    def __init__(self, vin: str, day: str) -> None:
        self.vin, self.day = vin, day
        self.rows = Rows()
        self.records: dict[str, list[Any]] = {name: [] for name in RECORD_FIELDS}
        self.sources: list[tuple[str, str]] = []
        self.bad_lines: list[BadLine] = []
        self._keys: list[str] = []
        self._headers = Headers(vin)
        self._lines: list[bytes] = []
        self._buffers: list[int] = []
        self._numbers: list[int] = []

    def add(self, key: str, data: bytes) -> None:
        """All lines of one buffer."""
        named = parse_temp_key(key)
        source = named[2].source if named else FILES_SOURCE
        provider = PROVIDER_OF_SOURCE.get(source, source if named and isinstance(named[2], PolledName) else "tesla")
        if self.sources and self.sources[-1] != (source, provider):
            self.finish()
        buffer = len(self.sources)
        self.sources.append((source, provider))
        self._keys.append(key)
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        self._lines += lines
        self._buffers += [buffer] * len(lines)
        self._numbers += range(1, len(lines) + 1)
        if len(self._lines) >= CHUNK_LINES:
            self._read(len(self._lines) // CHUNK_LINES * CHUNK_LINES)

    def finish(self) -> None:
        """Read what still waits."""
        self._read(len(self._lines))

    def _read(self, count: int) -> None:
        """Read the first lines that wait, by chunks where they have the usual form, else one by one."""
        for start in range(0, count, CHUNK_LINES):
            self._read_some(start, min(start + CHUNK_LINES, count))
        del self._lines[:count], self._buffers[:count], self._numbers[:count]

    def _read_some(self, start: int, end: int) -> None:
        """Read lines [start, end) that wait. Half of them at a time where some are not usual, until those are few."""
        lines, buffers, numbers = self._lines[start:end], self._buffers[start:end], self._numbers[start:end]
        provider = self.sources[-1][1] if self.sources else ""
        parser = PARSERS.get(provider, add_row)
        if parser is add_record and max(map(len, lines)) <= MAX_COMMAS:
            usual = add_chunk(self.rows, self._headers, lines, self.vin)
            if usual is not None:
                for column, values in zip(self.records.values(), (*usual, buffers, numbers), strict=True):
                    column += values
                return
            if end - start > FEW_LINES:
                middle = (start + end) // 2
                self._read_some(start, middle)
                self._read_some(middle, end)
                return
        read = self._read_payload if provider in LEAVES else self._read_line
        for line, buffer, number in zip(lines, buffers, numbers, strict=True):
            if line and not line.isspace():
                read(line, buffer, number, parser)

    def _read_line(self, line: bytes, buffer: int, number: int, parser: _Parser) -> None:
        before = len(self.rows.signal)
        key = self._keys[buffer]
        try:
            fields = self._line(line, parser, buffer, number)
        except (ValueError, RecursionError, orjson.JSONEncodeError) as error:
            self.rows.truncate(before)
            self.bad_lines.append(BadLine(key, number, _reason(error), line))
            return
        place = (len(self.rows.signal) - before, buffer, number)
        for column, value in zip(self.records.values(), (*fields, *place), strict=True):
            column.append(value)

    def _read_payload(self, line: bytes, buffer: int, number: int, _: _Parser) -> None:
        """A polled payload: each of its values of this day is a record."""
        before = len(self.rows.signal)
        try:
            document = loads_lexemes(line)
            payload = document.get("d") if type(document) is dict else None
            digest, headers = (document.get("_h"), document.get("h") or {}) if payload is not None else (None, {})
            if type(payload) is not dict or type(digest) is not str or type(headers) is not dict:
                raise BadLineError("not a polled payload with _h and d")
            received, sent = (_milliseconds(headers.get(name)) for name in (RECEIVED_HEADER, SENT_HEADER))
            clock = received if sent is None else sent
            found = add_leaves(self.rows, self.sources[buffer][1], payload, clock, self.day)
        except (ValueError, RecursionError) as error:
            self.rows.truncate(before)
            self.bad_lines.append(BadLine(self._keys[buffer], number, _reason(error), line))
            return
        for leaf in found:
            fields = (leaf.created, received, None, None, None, None, None, None, leaf.digest, 1, buffer, number)
            for column, value in zip(self.records.values(), fields, strict=True):
                column.append(value)

    def _line(self, line: bytes, parser: _Parser, buffer: int, number: int) -> tuple[Any, ...]:
        """The fields of one record up to its identity; its rows go to `self.rows`."""
        if len(line) > MAX_COMMAS and (len(line) > MAX_LINE_BYTES or line.count(b",") > MAX_COMMAS):
            raise BadLineError(f"longer than {MAX_LINE_BYTES} bytes or more than {MAX_COMMAS} values")
        document = orjson.loads(line)
        if type(document) is not dict:
            raise BadLineError("not a JSON object")
        leftover = received_ms = txid = extra = None
        identity: _Identity
        if "d" in document and ("_o" in document or "_h" in document):
            record = document["d"]
            identity = _identity(document)
            received_ms, txid, extra = self._headers.one(document.get("h"))
            if len(document) != len(_KAFKA_KEYS) or "_h" in document:
                leftover = {name: value for name, value in document.items() if name not in _ENVELOPE_KEYS}
            if not spelled_alike(line, record, b'"d":', b"}"):
                record, leftover = _look_again(line, "d", record, leftover)
        elif "b" in document and "_o" in document and parser is add_record:
            identity = _identity(document)
            record = read_record(document["b"], self.sources[buffer][0], document.get("h"))
            received_ms, txid, extra = self._headers.one(document.get("h"))
            leftover = {name: value for name, value in document.items() if name not in _BINARY_KEYS}
        else:
            record, identity = document, (None, None, None, f"{self._keys[buffer]}#{number}:{crc32(line):08x}")
            if not spelled_alike(line, record):
                record, leftover = _look_again(line, None, record, leftover)
        if type(record) is not dict or type(created := record.get("createdAt")) is not str:
            raise BadLineError("the record is no JSON object with a createdAt")
        if record.get("vin", self.vin) != self.vin:
            raise BadLineError("vin differs from the folder's")
        unknown = parser(self.rows, record)
        if unknown or leftover:
            extra = extra_with(extra, record=unknown, line=leftover)
        resend = record.get("isResend")
        return (created, received_ms, resend if type(resend) is bool else None, txid, extra, *identity)


def _look_again(
    line: bytes, name: str | None, record: object, leftover: dict[str, Any] | None
) -> tuple[Any, dict[str, Any] | None]:
    """The record with its numbers as they were written; a line that no parsed form can hold is kept as a whole."""
    try:
        exact = loads_lexemes(line)
    except DuplicateKeysError:
        return record, {**(leftover or {}), "": line.decode()}
    return exact if name is None else exact[name], leftover


def _identity(document: dict[str, Any]) -> _Identity:
    """(partition, offset, source timestamp, content hash) of an envelope."""
    get = document.get
    partition, offset, source_ts, digest = get("_p"), get("_o"), get("_t"), get("_h")
    if digest is None:
        if _within(partition, 0, _INT32) and _within(offset, 0, _INT64) and _within(source_ts, -_INT64, _INT64):
            return partition, offset, source_ts, None
        raise BadLineError("_p, _o, _t are not a place in Kafka")
    if type(digest) is not str or partition is not None or offset is not None:
        raise BadLineError("_h is not a content hash")
    if source_ts is not None and not _within(source_ts, -_INT64, _INT64):
        raise BadLineError("_t is not a time")
    return None, None, source_ts, digest


def _milliseconds(text: object) -> int | None:
    return int(text) if type(text) is str and len(text) <= 13 and text.isascii() and text.isdigit() else None


def _within(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value < high


def _reason(error: Exception) -> str:
    if isinstance(error, BadLineError | NotReadableError | NotARowError | LeafError | DuplicateKeysError):
        return str(error)
    too_deep = isinstance(error, RecursionError | orjson.JSONEncodeError)  # orjson writes 254 levels, reads 1024
    return "nested too deeply" if too_deep else f"not JSON: {error}"

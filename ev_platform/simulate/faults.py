"""What goes wrong between a car and the topic: late, repeated, out of order, wrong clock, unreadable.

Belongs here: the rates (one table) and the damage. Everything is drawn from the scenario's streams, so the same seed
does the same damage, and every message says whether it must become a dead letter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ev_platform.simulate.fields import FIELD
from ev_platform.simulate.streams import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, stream
from ev_platform.simulate.telemetry import Records, Session, Speller
from ev_platform.simulate.vehicle import Car, make_vin
from ev_platform.simulate.wire import Message, created_at, headers_of, partition_of, payload

CLOCK_TOLERANCE_MS = 5 * MINUTE_MS
"""Event times further ahead of the broker's timestamp than this are dead letters."""
LONGEST_DELAY_DAYS = 2


@dataclass(frozen=True)
class FaultRates:
    """How often each fault happens; per record, per session (one connection of a car) or per day of the fleet."""

    duplicate_per_record: float = 0.003
    resend_per_record: float = 0.002
    wrong_invalid_per_record: float = 0.0008
    burst_per_session: float = 0.10
    late_per_session: float = 0.035
    late_next_day_share: float = 0.6
    clock_per_session: float = 0.025
    lost_per_charge: float = 0.06
    lost_per_drive: float = 0.008
    stale_after_lost: float = 0.75
    end_missing_per_charge: float = 0.06
    step_back_per_charge: float = 0.5
    truncated_per_day: int = 2
    bad_vin_per_day: int = 2
    no_time_per_day: int = 1
    ancient_per_day: int = 1
    tombstone_per_day: float = 0.6


FAULT_RATES = FaultRates()
NO_FAULTS = FaultRates(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

CLOCK_AHEAD, NOT_JSON, BAD_VIN = "clock_ahead", "not_json", "bad_vin"
NO_TIME, BEFORE_START, TOMBSTONE = "no_created_at", "before_start", "tombstone"
"""Why a message is not stored, in the words of ingest; a tombstone is only counted."""


@dataclass
class _Shipment:
    """Records of a session on their way: event time (ns), broker time (ms), data, resend flag, all in one order."""

    event_ns: NDArray[np.int64]
    sent_ms: NDArray[np.int64]
    rows: list[list[str]]
    resend: list[bool]
    copies: list[tuple[int, int]] = field(default_factory=list)


def deliver(car: Car, session: Session, records: Records, rates: FaultRates, partitions: int) -> list[Message]:
    """The messages of one session, in the order of their sequence numbers; nothing when its telemetry was lost."""
    if session.lost or not records.rows:
        return []
    draw = stream(car.seed, "delivery", car.index, int(records.event_ms[0]) // 500)
    shipment = _ship(records, draw)
    if session.stale is not None:
        _prepend_stale(car, session.stale, shipment, draw)
    kind = _session_fault(rates, draw)
    if kind == "clock":
        _wrong_clock(shipment, draw)
    elif kind == "late":
        _late(shipment, rates, draw)
    elif kind == "burst":
        _burst(shipment, draw)
    _wrong_invalids(car, shipment, rates, draw)
    _resends(shipment, rates, draw)
    _duplicates(shipment, rates, draw)
    return _messages(car, shipment, partitions, draw)


def _session_fault(rates: FaultRates, draw: Generator) -> str:
    point = float(draw.random())
    for name, rate in (
        ("clock", rates.clock_per_session),
        ("late", rates.late_per_session),
        ("burst", rates.burst_per_session),
    ):
        if point < rate:
            return name
        point -= rate
    return ""


def _ship(records: Records, draw: Generator) -> _Shipment:
    n = len(records.rows)
    nanos = draw.integers(0, 499_000_000, n)
    digits = draw.random(n)
    nanos = np.where(digits < 0.05, 0, np.where(digits < 0.2, nanos // 1_000_000 * 1_000_000, nanos))
    event_ns = records.event_ms * 1_000_000 + nanos
    latency = 520 + draw.exponential(140.0, n).astype(np.int64)
    sent = np.maximum.accumulate(records.event_ms + latency)
    return _Shipment(event_ns, sent, list(records.rows), [False] * n)


def _prepend_stale(car: Car, old: tuple[float, float], shipment: _Shipment, draw: Generator) -> None:
    """After a gap the first one or two records still carry the values from before it."""
    speller = Speller(car.old_firmware)
    row = [speller.one(FIELD["Soc"], old[0]), speller.one(FIELD["Odometer"], old[1])]
    count = int(draw.integers(1, 3))
    back = np.arange(count, 0, -1) * 500_000_000
    shipment.event_ns = np.concatenate([shipment.event_ns[0] // 500_000_000 * 500_000_000 - back, shipment.event_ns])
    shipment.sent_ms = np.concatenate([np.full(count, shipment.sent_ms[0] - 1), shipment.sent_ms])
    shipment.rows = [row] * count + shipment.rows
    shipment.resend = [False] * count + shipment.resend


def _wrong_clock(shipment: _Shipment, draw: Generator) -> None:
    n = len(shipment.rows)
    count = min(n, int(draw.integers(3, 16)))
    first = int(draw.integers(0, n - count + 1))
    shipment.event_ns[first : first + count] += int(draw.integers(7 * MINUTE_MS, 3 * HOUR_MS)) * 1_000_000


def _late(shipment: _Shipment, rates: FaultRates, draw: Generator) -> None:
    """The whole session waits in the car, hours long, or until the next day (which re-opens a closed day)."""
    last = int(shipment.sent_ms[-1])
    arrival = last + int(draw.uniform(1.0, 5.0) * HOUR_MS)
    if draw.random() < rates.late_next_day_share:
        arrival = (last // DAY_MS + 1) * DAY_MS + int(draw.uniform(6.5, 18.0) * HOUR_MS)
    shipment.sent_ms = arrival + 2 * np.arange(len(shipment.rows), dtype=np.int64)


def _burst(shipment: _Shipment, draw: Generator) -> None:
    """No coverage for a while: what was buffered arrives at once, in blocks out of order, among live records."""
    event_ms = shipment.event_ns // 1_000_000
    span = int(event_ms[-1] - event_ms[0])
    start = int(event_ms[0]) + int(draw.uniform(0.05, 0.6) * span)
    end = start + int(draw.uniform(2, 20) * MINUTE_MS)
    inside = np.flatnonzero((event_ms >= start) & (event_ms < end))
    if len(inside) < 4:
        return
    blocks = np.array_split(inside, int(draw.integers(2, 5)))
    order = draw.permutation(len(blocks))
    replay = np.concatenate([blocks[block] for block in order])
    back_ms = max(end, int(event_ms[inside[-1]])) + int(draw.uniform(700, 5000))
    shipment.sent_ms[replay] = back_ms + 3 * np.arange(len(replay))


def _wrong_invalids(car: Car, shipment: _Shipment, rates: FaultRates, draw: Generator) -> None:
    """Cars with the older computer (here: S and X) now and then call a good signal invalid."""
    if not car.model.ideal_range_sentinel or not rates.wrong_invalid_per_record:
        return
    word = "{}" if car.old_firmware else '{"invalid":true}'
    for index in np.flatnonzero(draw.random(len(shipment.rows)) < rates.wrong_invalid_per_record).tolist():
        if not any(text.startswith('{"key":"Soc"') for text in shipment.rows[index]):
            shipment.rows[index] = [*shipment.rows[index], f'{{"key":"Soc","value":{word}}}']


def _resends(shipment: _Shipment, rates: FaultRates, draw: Generator) -> None:
    """`isResend`: every field with unacknowledged changes at its newest value, merged into one record."""
    n = len(shipment.rows)
    chosen = np.flatnonzero(draw.random(n) < rates.resend_per_record).tolist()
    for index in chosen:
        newest: dict[str, str] = {}
        for row in shipment.rows[max(0, index - int(draw.integers(1, 8))) : index + 1]:
            for text in row:
                newest[text.split(",", 1)[0]] = text
        shipment.rows.append(list(newest.values()))
        shipment.resend.append(True)
    if chosen:
        moments = shipment.event_ns[chosen] + 500_000_000
        shipment.event_ns = np.concatenate([shipment.event_ns, moments])
        shipment.sent_ms = np.concatenate([shipment.sent_ms, shipment.sent_ms[chosen] + 600])


def _duplicates(shipment: _Shipment, rates: FaultRates, draw: Generator) -> None:
    """The same bytes again under a new offset: an acknowledgement was lost."""
    chosen = np.flatnonzero(draw.random(len(shipment.rows)) < rates.duplicate_per_record)
    delays = draw.integers(200, 20_000, len(chosen))
    shipment.copies = list(zip(chosen.tolist(), delays.tolist(), strict=True))


def _messages(car: Car, shipment: _Shipment, partitions: int, draw: Generator) -> list[Message]:
    key = car.vin.encode()
    partition = partition_of(key, partitions)
    values = payload(car.vin, shipment.rows, created_at(shipment.event_ns), shipment.resend, spaced=car.index % 5 == 3)
    ahead = (shipment.event_ns // 1_000_000 - shipment.sent_ms > CLOCK_TOLERANCE_MS).tolist()
    before, after = headers_of(car.vin, "" if car.old_firmware else "1.2.0")
    connection = draw.bytes(11).hex()
    sent = shipment.sent_ms.tolist()
    result = []
    for number, (value, sent_ms, wrong) in enumerate(zip(values, sent, ahead, strict=True)):
        headers = [
            *before,
            ("receivedat", b"%d" % (sent_ms - 4)),
            ("txid", b"%s-%09d" % (connection.encode(), number + 1)),
            *after,
        ]
        result.append(Message(partition, sent_ms, key, value, headers, CLOCK_AHEAD if wrong else ""))
    result.extend(result[index]._replace(timestamp_ms=sent[index] + delay) for index, delay in shipment.copies)
    return result


def undecodable(seed: int, vehicles: int, day: date, rates: FaultRates, partitions: int) -> list[Message]:
    """The handful of messages of one day that no reader can use, each with the reason it must be given."""
    draw = stream(seed, "undecodable", day.toordinal())
    kinds = [NOT_JSON] * rates.truncated_per_day + [BAD_VIN] * rates.bad_vin_per_day
    kinds += [NO_TIME] * rates.no_time_per_day + [BEFORE_START] * rates.ancient_per_day
    kinds += [TOMBSTONE] * int(draw.random() < rates.tombstone_per_day)
    result = []
    for number, kind in enumerate(kinds):
        sent_ms = day_start_ms(day) + int(draw.integers(HOUR_MS, DAY_MS - HOUR_MS))
        vin = make_vin(seed, int(draw.integers(0, vehicles)))
        if kind == BAD_VIN:
            vin = ("../../x", "EVPTESLA00000000", "evptesla000000001", "EVPTESLO000000001")[
                (number + day.toordinal()) % 4
            ]
        created = created_at(np.array([sent_ms * 1_000_000 - 400_000_000 + number]))[0]
        time = f',"createdAt":"{created}"'
        if kind == BEFORE_START:
            time = ',"createdAt":"1970-01-01T00:00:03Z"'
        elif kind == NO_TIME:
            time = ',"createdAt":null' if day.toordinal() % 2 else ""
        text = f'{{"data":[{{"key":"Soc","value":{{"doubleValue":55.125}}}}]{time},"vin":"{vin}","isResend":false}}'
        value: bytes | None = text.encode()
        if kind == NOT_JSON:
            value = text.encode()[: int(draw.integers(12, len(text) - 1))]
        elif kind == TOMBSTONE:
            value = None
        before, after = headers_of(vin, "1.2.0")
        key = vin.encode()
        headers = [
            *before,
            ("receivedat", b"%d" % sent_ms),
            ("txid", draw.bytes(11).hex().encode() + b"-000000001"),
            *after,
        ]
        result.append(Message(partition_of(key, partitions), sent_ms, key, value, headers, kind))
    return result

"""A scenario: which fleet, from which day, with which faults; and the exact sequence of messages it makes.

Belongs here: the parameters, the name of the topic, messages per day. A topic always means the same sequence: its name
holds every parameter that changes a byte.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from ev_platform.simulate.faults import FAULT_RATES, NO_FAULTS, FaultRates
from ev_platform.simulate.fields import Intervals
from ev_platform.simulate.fleet import Fleet
from ev_platform.simulate.truth import Truth, true_history
from ev_platform.simulate.wire import Message
from ev_platform.simulate.wire_protobuf import as_protobuf

GENERATION = 2
"""Raised whenever a change of the simulator changes its bytes: the topic gets another name."""


@dataclass(frozen=True)
class Scenario:
    """Same parameters, same messages: bytes, partitions, order and timestamps.

    `protobuf`: payloads as Tesla's server sends them undecoded, instead of JSON.
    """

    seed: int
    vehicles: int
    first_day: date
    faults: bool = True
    partitions: int = 4
    intervals: Intervals = field(default_factory=Intervals)
    protobuf: bool = False

    @property
    def topic(self) -> str:
        """The topic of this sequence: letters, digits and underscores, ending in Tesla's record type `_V`."""
        rest = (GENERATION, self.faults, self.partitions, self.intervals)
        mark = zlib.crc32(repr((*rest, "protobuf") if self.protobuf else rest).encode()) & 0xFFFF
        return f"simulated_{self.seed}_{self.first_day:%Y%m%d}_{self.vehicles}_{mark:04x}_V"

    @property
    def rates(self) -> FaultRates:
        """How often each fault happens here."""
        return FAULT_RATES if self.faults else NO_FAULTS

    @cached_property
    def fleet(self) -> Fleet:
        """The vehicles and their history."""
        return Fleet(self)

    def day_messages(self, day: date) -> list[Message]:
        """All messages whose broker timestamp falls in the UTC day `day`, by timestamp; none before `first_day`.

        A partition's sequence is these lists one after another, so its timestamps never go back.
        """
        messages = self.fleet.arrivals(day)
        return [as_protobuf(message) for message in messages] if self.protobuf else messages

    def dead_letters(self, first: date, last: date) -> Counter[str]:
        """Expected dead letters (and tombstones) by reason among the messages that arrive from `first` to `last`."""
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return Counter(message.expected for day in days for message in self.day_messages(day) if message.expected)

    def truth(self, last_day: date) -> Truth:
        """What truly happened from `first_day` to `last_day`, and the vehicle registry."""
        return true_history(self.fleet, self.first_day, last_day)

    def write_truth(self, folder: Path, last_day: date) -> Path:
        """Write the truth as Parquet and the registry as `vehicles.csv`; returns the registry's path."""
        return self.truth(last_day).write(folder)

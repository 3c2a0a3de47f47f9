"""What an import leaves behind besides raw lines: one receipt per file, and the rows that could not be read.

Belongs here: their form and keys. A receipt says how many records of its provider each vehicle and day held when the
file was in; import_audit.py compares that with what is there now. Nothing in it comes from a clock.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from ev_platform.ingest.import_files import BadRow
from ev_platform.ingest.polled import polled_object
from ev_platform.lake.layout import dead_letter_key
from ev_platform.lake.store import ObjectStore

PREFIX = "ops/imports"


@dataclass
class FileReceipt:
    """What became of one file."""

    file: str
    sha256: str
    mapping: str
    provider: str
    rows: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    """Event day → VIN → distinct records of the provider in the lake, right after the import."""

    def holds(self, day: str, vin: str, records: int) -> None:
        """Note how many records a vehicle and day hold now."""
        self.held.setdefault(day, {})[vin] = records

    def encode(self) -> tuple[str, bytes]:
        """Key and bytes; the key names the first and the last day, so that others need not be read."""
        days = sorted(self.held) or ["0000-00-00"]
        body = {**self.__dict__, "held": {day: dict(sorted(self.held[day].items())) for day in sorted(self.held)}}
        data = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        return f"{PREFIX}/{days[0]}_{days[-1]}_{self.mapping}_{self.sha256[:32]}.json", data

    @property
    def number(self) -> int:
        """A number for the file, made of its content: with the row's number it names a dead letter."""
        return int(self.sha256[:7], 16)


def dead_rows(receipt: FileReceipt, bad: Iterable[tuple[str, BadRow]], day: str) -> Iterator[tuple[str, bytes]]:
    """(key, bytes) of dead-letter objects; rows without a day of their own are filed under `day`.

    The form is that of Kafka's dead letters: `p` the file's number, `o` the row's, `t` 0; what stood in the row is the
    value, file and mapping are headers.
    """
    by_day: dict[str, list[bytes]] = defaultdict(list)
    for own_day, row in bad:
        body = {
            "p": receipt.number,
            "o": row.number,
            "t": 0,
            "key_b64": None,
            "value_b64": base64.b64encode(row.text.encode()).decode(),
            "headers": {"file": receipt.file, "mapping": receipt.mapping, "sha256": receipt.sha256},
            "reason": row.reason,
            "detail": f"row {row.number} of {receipt.file}: {row.detail}",
        }
        by_day[own_day or day].append(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE))
    for found, lines in sorted(by_day.items()):
        name, data = polled_object(receipt.provider, lines)
        yield dead_letter_key(found, name), data


def receipts_of(store: ObjectStore, day: str) -> Iterator[FileReceipt]:
    """Receipts of files with rows of an event day."""
    keys = []
    for key in store.keys(PREFIX):
        first, last, _ = key.rsplit("/", 1)[-1].split("_", 2)
        if first <= day <= last:
            keys.append(key)
    for _, data in store.get_many(keys):
        if data is not None:
            found = json.loads(data)
            yield FileReceipt(**{**found, "dead": Counter(found["dead"])})

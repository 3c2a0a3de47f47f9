"""What a task reports: plain figures that can be added up, turned into JSON and shown.

Belongs here: receipts. Not here: how they are shown (defs/).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class DayReceipt:
    """What one task did to one day of a table; receipts of parts of a day add up."""

    covers_day: ClassVar[bool] = True
    """Whether `rows`, `bytes` and `vehicles` are those of the whole day."""

    day: str
    vehicles: int = 0
    rows: int = 0
    """Rows of the table after the task."""
    bytes: int = 0
    """Size of the day's objects of the table after the task."""
    objects_written: int = 0
    """Objects whose bytes changed."""
    objects_deleted: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)

    @classmethod
    def merged(cls, day: str, parts: Iterable[Self], seconds: float) -> Self:
        """The sum of receipts of parts of a day."""
        total: dict[str, Any] = {}
        for part in parts:
            for one in fields(cls):
                value = getattr(part, one.name)
                if isinstance(value, dict):
                    total[one.name] = dict(sorted((Counter(total.get(one.name, {})) + Counter(value)).items()))
                elif isinstance(value, tuple):
                    total[one.name] = total.get(one.name, ()) + value
                elif one.name not in ("day", "seconds"):
                    total[one.name] = total.get(one.name, 0) + value
        return cls(**{**total, "day": day, "seconds": round(seconds, 3)})


@dataclass(frozen=True)
class CompactionReceipt(DayReceipt):
    """Account of a compaction: records_before + records_in = records_stored + repeats.

    Only of the vehicles that had raw files: a late compaction touches a few of the day's vehicles.
    """

    covers_day: ClassVar[bool] = False

    files_read: int = 0
    bytes_read: int = 0
    records_in: int = 0
    """Readable records of the raw files, repeats included."""
    repeats: int = 0
    records_before: int = 0
    records_stored: int = 0
    segments_split: int = 0
    """Raw objects of many vehicles that were divided first."""
    split_written: int = 0
    """Objects of one vehicle that this made."""
    quarantined_files: int = 0
    quarantined_lines: int = 0
    late: int = 0
    """Vehicles that had a file of this day already."""
    txid_missing: int = 0
    """Records missing from the vehicles' own numbering (see `ev txid`); what became a dead letter counts here too."""
    swaps_lost: int = 0
    """How often somebody else replaced a file between read and write, so that the merge was done again."""
    failed: tuple[str, ...] = ()
    """Vehicles that could not be compacted: `VIN: reason`. Their raw files stay."""


@dataclass(frozen=True)
class TableReceipt(DayReceipt):
    """Account of a cleaned, segments or sessions day."""

    counts: dict[str, int] = field(default_factory=dict)
    """Values changed, nulled or dropped, by rule; or rows by kind."""

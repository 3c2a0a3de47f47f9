"""Compaction of one vehicle and day: raw lines and what is stored already to one lossless, long table.

Belongs here: the public kernel. Pure: bytes and Arrow in, Arrow out. Reading lines is compact_lines.py, identity and
order compact_merge.py, a provider's values tesla_json.py, spelling of numbers compact_lexeme.py. Fetching, replacing
and deleting objects is the engine's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ev_platform.transform.compact_lines import BadLine, parse
from ev_platform.transform.compact_merge import Merged, NewRows, merge, new_rows

__all__ = ["BadLine", "Batch", "Compacted", "compact", "merge_batch", "read_batch"]


@dataclass(frozen=True)
class Batch:
    """Raw records of one vehicle-day, read once and merged as often as a concurrent writer makes necessary."""

    new: NewRows
    bad_lines: list[BadLine]

    @property
    def records_in(self) -> int:
        """Readable records, repeats included."""
        return len(self.new.n_rows)

    @property
    def identities(self) -> pa.Table:
        """Identity of every readable record, repeats included."""
        return self.new.identities


@dataclass(frozen=True)
class Compacted:
    """The day's table and the account: records_in + stored before = records + repeats."""

    table: pa.Table
    """Schema COMPRESSED, canonical order."""
    records: int
    """Records in the table."""
    records_in: int
    """Readable records in the buffers, repeats included."""
    repeats: int
    """Records of the buffers that were dropped because their identity was there already."""
    bad_lines: list[BadLine]
    """Lines that could not be read, by key and line number."""


def read_batch(buffers: Sequence[tuple[str, bytes]], vin: str, day: str) -> Batch:
    """Read raw buffers (object key, bytes) of one vehicle and UTC day; bad lines are returned, never raised."""
    parsed = parse(buffers, vin, day)
    return Batch(new_rows(parsed, vin), parsed.bad_lines)


def merge_batch(batch: Batch, existing: pa.Table | None) -> Compacted:
    """Merge records read with the stored table.

    Raises:
        SchemaError: `existing` is not a compressed table.
    """
    merged: Merged = merge(existing, batch.new)
    return Compacted(merged.table, merged.records, batch.records_in, merged.repeats, batch.bad_lines)


def compact(buffers: Sequence[tuple[str, bytes]], existing: pa.Table | None, vin: str, day: str) -> Compacted:
    """Raw buffers of one vehicle and day merged with what is stored.

    The table depends only on the set of records: not on the order of buffers or lines, on repeats, or on how many
    merges led to it.

    Args:
        buffers: (object key, bytes) of each raw object; the key tells the source.
        existing: the stored table of that vehicle and day, or None.
        vin: the vehicle.
        day: UTC day, YYYY-MM-DD.

    Raises:
        SchemaError: `existing` is not a compressed table.
    """
    return merge_batch(read_batch(buffers, vin, day), existing)

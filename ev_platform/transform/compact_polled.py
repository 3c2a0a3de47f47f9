"""Polled payloads to records and rows: each leaf is a record of its own, and a day takes only its own leaves.

Belongs here: the leaf rule of compaction. Not here: a provider's shapes (providers/), the envelope and bad lines
(compact_lines.py), order and repeats (compact_merge.py).

A payload is stored whole in the raw folder of every day that a changed leaf falls in; here the leaves of other days are
passed over, because they stand in those days' folders too. A leaf is known by the hash over its name, time, value and
unit, so the hundred polls that repeat it leave one row, with the time at which it was received first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ev_platform.ingest.lexeme import Lexeme, to_json
from ev_platform.providers.leaves import Leaf, dated, day_of, is_ahead
from ev_platform.providers.shapes import LEAVES
from ev_platform.transform.tesla_json import Rows, add_value

SENT_HEADER, RECEIVED_HEADER = "date", "receivedat"


class LeafRecord(NamedTuple):
    """A leaf of the day: its time as sent, its identity; its row has been added."""

    created: str
    digest: str


class LeafError(ValueError):
    """Why a payload has nothing for this day."""


def add_leaves(
    rows: Rows, provider: str, payload: dict[str, Any], provider_ms: int | None, day: str
) -> list[LeafRecord]:
    """Rows of the payload's leaves of that day, one row each.

    Args:
        rows: to add to.
        provider: a name of `LEAVES`.
        payload: numbers as `Lexeme`.
        provider_ms: the provider's clock when it answered; leaves later than that (and five minutes) are left out.
        day: UTC day.

    Raises:
        LeafError: no leaf is of that day.
    """
    found = []
    for leaf in leaves_of_day(provider, payload, provider_ms, day):
        _add_row(rows, leaf)
        found.append(LeafRecord(leaf.time or "", leaf.digest))
    if not found:
        raise LeafError(f"no value of the payload is of {day}")
    return found


def leaves_of_day(provider: str, payload: dict[str, Any], provider_ms: int | None, day: str) -> Iterator[Leaf]:
    """The leaves that belong into that day."""
    for leaf in dated(LEAVES[provider](payload)):
        if day_of(leaf) == day and not (provider_ms is not None and is_ahead(leaf, provider_ms)):
            yield leaf


def _add_row(rows: Rows, leaf: Leaf) -> None:
    """How a value is read back is told in tesla_json.py; here kinds are JSON's own types under the same names."""
    row, value = len(rows.signal), leaf.value
    if value is None:
        rows.add(leaf.signal, "null", None, None, "missing")
    elif isinstance(value, dict | list):  # only empty ones: others were taken apart
        rows.add(leaf.signal, "json", None, to_json(value), "missing")
    elif isinstance(value, bool):
        add_value(rows, leaf.signal, "booleanValue", value)
    else:
        add_value(rows, leaf.signal, "doubleValue" if isinstance(value, Lexeme) else "stringValue", value)
    if leaf.unit is not None:
        rows.unit[row] = leaf.unit
    if leaf.extra:
        rows.extra[row] = leaf.extra

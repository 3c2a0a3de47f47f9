"""What both kinds of portal offer to a harvest, and the choice between them.

Belongs here: the interface. Not here: its two implementations (explore.py, data_fair.py), or storing (harvest.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import requests

from ev_platform.energy.sources import Source


@dataclass(frozen=True)
class Described:
    """What a portal says of a dataset: its fields and when it was last updated (text as given, only compared)."""

    fields: tuple[str, ...]
    updated: str


@dataclass(frozen=True)
class Piece:
    """A part of a partition as received. `cursor` asks for what follows it; None: this was the last one."""

    data: bytes
    rows: int
    cursor: str | None


class Portal(Protocol):
    """One dataset of one portal."""

    suffix: str
    """Ending of stored pieces: jsonl or csv."""

    def describe(self) -> Described:
        """Fields and date of the last update."""
        ...

    def total(self, partition: str) -> int:
        """How many rows the portal says the partition has."""
        ...

    def pieces(self, partition: str, cursor: str | None = None) -> Iterator[Piece]:
        """The whole partition, in pieces; from `cursor` on if one is given."""
        ...


def open_portal(session: requests.Session, source: Source) -> Portal:
    """The client that speaks the source's protocol."""
    if source.protocol == "explore":
        from ev_platform.energy.explore import ExplorePortal

        return ExplorePortal(session, source)
    from ev_platform.energy.data_fair import DataFairPortal

    return DataFairPortal(session, source)

"""Committed offsets moved deliberately: what a move would do, the known gap it leaves, and the move itself.

Belongs here: the plan (pure) and the order of steps: gaps and a note of the change are durable before the commit, so a
crash leaves a note too many, never a hole that nobody knows of. The broker refuses the commit while a member of the
group is alive; then the gaps are taken back. Not here: what the command prints (commands/offsets.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ev_platform.errors import UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.gaps import encode_gap
from ev_platform.ingest.lag import PartitionLag
from ev_platform.ingest.offsets import Gap, Place
from ev_platform.ingest.uploads import lake_errors
from ev_platform.lake.layout import offset_change_key
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

EXPIRED = "expired before it was read"
SKIPPED = "skipped deliberately (ev offsets)"


@dataclass(frozen=True)
class Move:
    """One partition's committed offset, before and after."""

    lag: PartitionLag
    to: int

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.lag.topic, self.lag.partition

    @property
    def gaps(self) -> list[Gap]:
        """Offsets that this move makes unreadable for good: expired ones, and readable ones that are skipped."""
        lag = self.lag
        first = 0 if lag.committed is None or lag.restarted else lag.committed
        bounds = [(first, min(lag.low, self.to), EXPIRED), (max(first, lag.low), self.to, SKIPPED)]
        return [Gap(lag.topic, lag.partition, a, b - 1, reason) for a, b, reason in bounds if a < b]

    @property
    def again(self) -> int:
        """Messages that will be read again (harmless: their identity is the same)."""
        return max(0, self.lag.start - self.to)


def plan(lags: Sequence[PartitionLag], targets: dict[Place, int]) -> list[Move]:
    """The moves to these offsets; partitions that stand there already are left out.

    Raises:
        UserError: a partition does not exist, or does not hold that offset.
    """
    known = {(lag.topic, lag.partition): lag for lag in lags}
    moves = []
    for place, to in sorted(targets.items()):
        lag = known.get(place)
        if lag is None:
            raise UserError(f"{place[0]}-{place[1]} is no partition of EV_KAFKA_TOPICS: see `ev offsets show`")
        if not lag.low <= to <= lag.high:
            raise UserError(f"{place[0]}-{place[1]} holds offsets {lag.low} to {lag.high}: {to} is not among them")
        if lag.committed != to:
            moves.append(Move(lag, to))
    return moves


def apply(settings: Settings, store: ObjectStore, moves: Sequence[Move], milliseconds: int, why: str) -> None:
    """Make the moves.

    Args:
        settings: broker and group.
        store: the lake.
        moves: from `plan`.
        milliseconds: now, Unix time, for the note.
        why: the operator's words, for the note.

    Raises:
        UserError: the broker refused (a member of the group is alive), or something does not answer.
    """
    new = {}
    with lake_errors(store.url):
        for move in moves:
            gaps = [encode_gap(gap) for gap in move.gaps]
            new[move.place] = [(key, data) for key, data in gaps if not store.exists(key)]
            store.put_many(new[move.place])
        note = _note(settings, moves, milliseconds, why)
        store.put(*note)
        store.barrier()
    with kafka.consumer(settings) as client:
        refusal = kafka.commit(client, settings, {move.place: move.to for move in moves})
        if refusal is None:
            return
        now = kafka.committed(client, settings, [move.place for move in moves])  # an answer may only have been lost
    unmoved = [move.place for move in moves if now[move.place] != move.to]
    if not unmoved:
        return
    with lake_errors(store.url):
        store.delete([key for place in unmoved for key, _ in new[place]])
        if len(unmoved) == len(moves):
            store.delete([note[0]])
    names = ", ".join(f"{topic}-{partition}" for topic, partition in unmoved)
    raise UserError(
        f"the broker refused to move {names} of group {settings.kafka_group} ({refusal}): stop `ev ingest` and whoever "
        "else reads in that group, then try again"
    )


def _note(settings: Settings, moves: Sequence[Move], milliseconds: int, why: str) -> tuple[str, bytes]:
    changes = [
        {"source": m.lag.topic, "partition": m.lag.partition, "from": m.lag.committed, "to": m.to} for m in moves
    ]
    body = {"at_ms": milliseconds, "group": settings.kafka_group, "why": why, "changes": changes}
    data = json.dumps(body).encode()
    return offset_change_key(milliseconds, hashlib.sha256(data).hexdigest()[:16]), data

"""One partition of one source, complete or not at all, as received: into `energy/raw/` of the lake.

Pieces are stored as they come, then a manifest says that they are all; a harvest that was killed goes on where it
stood, unless the portal updated the dataset meanwhile. Rows are counted against the portal's own count, before and
after. Not here: what the rows mean (refine_*.py).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from ev_platform.energy.http import BrokenExport
from ev_platform.energy.portal import Portal
from ev_platform.energy.sources import Source
from ev_platform.lake.layout import energy_raw_prefix
from ev_platform.lake.store import ObjectStore

ATTEMPTS = 3
PAUSE_SECONDS = 2.0


class IncompleteHarvest(BrokenExport):
    """Rows are missing or too many; nothing that was complete before was touched."""


@dataclass(frozen=True)
class Manifest:
    """What a complete harvest left: its pieces in order, with rows and checksum."""

    source: str
    partition: str
    dataset: str
    updated: str
    rows: int
    fields: list[str]
    pieces: list[dict[str, str | int]] = field(default_factory=list)


@dataclass(frozen=True)
class HarvestReceipt:
    """What a harvest did."""

    rows: int
    bytes: int
    requests: int
    unchanged: bool
    resumed_rows: int
    updated: str
    new_fields: str


def harvest(
    store: ObjectStore,
    source: Source,
    portal: Portal,
    partition: str,
    pause: Callable[[float], None] = time.sleep,
) -> HarvestReceipt:
    """Fetch a partition unless it is here already and unchanged.

    Raises:
        PortalError: the portal cannot give it whole; what was stored before stays, a next harvest goes on.
    """
    described = portal.describe()
    known = read_manifest(store, source.name, partition)
    if known is not None and described.updated and known.updated == described.updated:
        _tidy(store, known)  # a harvest that was killed after its manifest left something
        return HarvestReceipt(known.rows, 0, 1, True, 0, known.updated, "")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            receipt, manifest = _attempt(store, source, portal, partition, described.updated, described.fields)
            break
        except BrokenExport:
            if attempt == ATTEMPTS:
                raise
            pause(PAUSE_SECONDS * 2 ** (attempt - 1))
    _publish(store, manifest)
    return receipt


def _attempt(
    store: ObjectStore, source: Source, portal: Portal, partition: str, updated: str, fields: tuple[str, ...]
) -> tuple[HarvestReceipt, Manifest]:
    expected = portal.total(partition)
    progress = _progress(store, source.name, partition, updated)
    resumed, asked, size = progress.rows, 2, 0
    if not progress.done:
        for piece in portal.pieces(partition, progress.cursor):
            digest = hashlib.sha256(piece.data).hexdigest()
            key = (
                f"{energy_raw_prefix(source.name, partition)}/{len(progress.pieces):05d}-{digest[:16]}.{portal.suffix}"
            )
            store.put(key, piece.data)
            progress.pieces.append({"key": key, "rows": piece.rows, "sha256": digest})
            progress.rows, progress.cursor, progress.done = (
                progress.rows + piece.rows,
                piece.cursor,
                piece.cursor is None,
            )
            asked, size = asked + 1, size + len(piece.data)
            store.put(_progress_key(source.name, partition), json.dumps(asdict(progress)).encode())
    after = portal.total(partition)
    if not progress.rows == expected == after:
        store.delete([_progress_key(source.name, partition)])  # pieces of two states of the dataset: begin again
        raise IncompleteHarvest(
            f"{source.dataset} {partition}: {progress.rows} rows came, the portal counts {expected} before and"
            f" {after} after: run again; if it stays so, the dataset is being changed"
        )
    unknown = sorted(set(fields) - set(source.columns) - set(source.old_names.values()))
    receipt = HarvestReceipt(progress.rows, size, asked + 1, False, resumed, updated, ", ".join(unknown))
    manifest = Manifest(source.name, partition, source.dataset, updated, progress.rows, sorted(fields), progress.pieces)
    return receipt, manifest


@dataclass
class _Progress:
    updated: str
    rows: int = 0
    cursor: str | None = None
    done: bool = False
    pieces: list[dict[str, str | int]] = field(default_factory=list)


def _progress_key(source: str, partition: str) -> str:
    return f"{energy_raw_prefix(source, partition)}/progress.json"


def manifest_key(source: str, partition: str) -> str:
    """Key of a partition's manifest: it is written last, so what it names is complete."""
    return f"{energy_raw_prefix(source, partition)}/manifest.json"


def _progress(store: ObjectStore, source: str, partition: str, updated: str) -> _Progress:
    data, _ = store.read(_progress_key(source, partition))
    if data is not None:
        found = _Progress(**json.loads(data))
        if found.updated == updated and all(store.exists(str(piece["key"])) for piece in found.pieces):
            return found
    return _Progress(updated)


def _publish(store: ObjectStore, manifest: Manifest) -> None:
    """Write the manifest, then remove what it does not name."""
    key = manifest_key(manifest.source, manifest.partition)
    store.put(key, json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False).encode())
    _tidy(store, manifest)


def _tidy(store: ObjectStore, manifest: Manifest) -> None:
    """Remove what the manifest does not name."""
    key = manifest_key(manifest.source, manifest.partition)
    named = {str(piece["key"]) for piece in manifest.pieces} | {key}
    folder = energy_raw_prefix(manifest.source, manifest.partition)
    store.delete([old for old in store.keys(folder) if old not in named])


def read_manifest(store: ObjectStore, source: str, partition: str) -> Manifest | None:
    """The manifest of a complete harvest; None if there is none."""
    data, _ = store.read(manifest_key(source, partition))
    return None if data is None else Manifest(**json.loads(data))

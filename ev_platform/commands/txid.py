"""`ev txid`: what vehicles have sent and nobody received, by their own numbering; per vehicle over a range of days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
from rich.console import Console
from rich.table import Table

from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.lake.layout import compressed_key, compressed_prefix, vin_of_compressed
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings
from ev_platform.transform.txid import holes, numbered

COLUMNS = ["source", "txid", "event_time"]
_SCHEMA = {"source": pl.String, "txid": pl.String, "event_time": pl.Datetime("us", "UTC")}
DAYS_LATE = 2
"""Dead letters are filed by arrival: those of a day's records may lie this much later."""


def run_txid(settings: Settings, first: date, last: date, vin: str | None, limit: int) -> None:
    """Print one line per vehicle with the records missing from its connections, then the largest holes."""
    store = ObjectStore(settings.lake)
    days = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    dead = _dead(store, first, last)
    summary = Table("vin", "connections", "received", "missing", "missing %", box=None, pad_edge=False)
    largest: list[tuple[int, tuple[str, ...]]] = []
    vehicles = lacking = 0
    for name, frame in _vehicles(store, days, vin, dead):
        seen = numbered(frame)
        if not len(seen):
            continue
        found = holes(seen)
        missing = int(found["missing"].sum())
        vehicles, lacking = vehicles + 1, lacking + missing
        share = f"{100 * missing / (missing + len(seen)):.2f}"
        summary.add_row(name, str(seen["connection"].n_unique()), str(len(seen)), str(missing), share)
        largest += [(row["missing"], _hole(name, row)) for row in found.iter_rows(named=True)]
    console = Console(soft_wrap=True)
    console = console if console.is_terminal else Console(width=200, soft_wrap=True)
    console.print(
        f"{vehicles} vehicles with numbered records, {lacking} records never arrived, {days[0]} to {days[-1]}"
    )
    if vehicles:
        console.print(summary)
    if largest:
        table = Table("missing", "vin", "after", "before", "from", "to", "connection", box=None, pad_edge=False)
        for count, cells in sorted(largest, key=lambda one: (-one[0], one[1]))[:limit]:
            table.add_row(str(count), *cells)
        console.print(table)


def _hole(vin: str, row: dict[str, object]) -> tuple[str, ...]:
    times = [f"{row[name]:%Y-%m-%d %H:%M:%S}" for name in ("from_time", "to_time")]
    counter = f" {row['counter']}" if row["counter"] else ""
    return vin, str(row["after"]), str(row["before"]), *times, f"{row['connection']}{counter}"


def _vehicles(
    store: ObjectStore, days: list[str], vin: str | None, dead: dict[str, list[dict[str, object]]]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """One vehicle after another: the rows of all its days, and of its dead letters, which did arrive."""
    keys: dict[str, list[str]] = defaultdict(list)
    for day in days:
        listed = store.keys(compressed_prefix(day)) if vin is None else [compressed_key(day, vin)]
        for key in listed:
            if key.endswith(".parquet"):
                keys[vin_of_compressed(key)].append(key)
    for name in sorted(keys):
        frames = [pl.DataFrame(dead.get(name, []), schema=_SCHEMA)]
        for _, data in store.get_many(keys[name]):
            if data is not None:
                frame = pl.DataFrame(pl.from_arrow(from_parquet(data, COLUMNS)))
                frames.append(frame.select(pl.col(c).cast(t) for c, t in _SCHEMA.items()).unique())
        yield name, pl.concat(frames)


def _dead(store: ObjectStore, first: date, last: date) -> dict[str, list[dict[str, object]]]:
    """Numbered dead letters by their key (the VIN)."""
    found: dict[str, list[dict[str, object]]] = defaultdict(list)
    for number in range((last - first).days + 1 + DAYS_LATE):
        for letter in read_dead_letters(store, (first + timedelta(days=number)).isoformat()):
            if letter.key is not None and letter.headers.get("txid"):
                time = datetime.fromtimestamp(max(letter.timestamp, 0) / 1000, UTC)
                row = {"source": letter.source, "txid": letter.headers["txid"], "event_time": time}
                found[letter.key.decode("utf-8", "replace")].append(row)
    return found

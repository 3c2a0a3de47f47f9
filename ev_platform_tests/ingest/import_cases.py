"""Files of history for the import tests: written by hand, small, with the dirt that real exports have."""

from datetime import UTC, date, datetime

from ev_platform.engine.compaction import compact_day
from ev_platform.ingest.import_mapping import load_mapping, parse_mapping
from ev_platform.ingest.importer import import_files
from ev_platform.lake.tables import from_parquet

VIN, OTHER = "5YJ3E1EA7KF000001", "5YJ3E1EA7KF000002"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MINE = {"provider": "mine", "time": [{"columns": ["time"]}], "vin": {"columns": ["vin"]}}


def mine(**changes):
    """A small mapping with changes."""
    return parse_mapping("mine", {**MINE, **changes})


def write(path, *lines, encoding="utf-8"):
    path.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return path


def bring(settings, store, files, mapping="generic", **options):
    """Import files; a mapping by name or made by `mine`."""
    settings = settings.with_changes(start_day=date(2020, 1, 1))
    known = load_mapping(mapping) if isinstance(mapping, str) else mapping
    return import_files(settings, store, files, known, NOW, **options)


def compacted(settings, store):
    """Compact every day that has raw objects; returns the bytes of compressed/ by key."""
    for day in sorted({key.split("/")[2] for key in store.keys("temp")}):
        compact_day(settings, store, day)
    return {key: store.get(key) for key in store.keys("compressed")}


def cells(store):
    """(vin, time, signal) → (number, text, unit) of everything in compressed/."""
    rows = [row for key in store.keys("compressed") for row in from_parquet(store.get(key)).to_pylist()]
    return {(r["vin"], r["event_time"], r["signal"]): (r["number"], r["text"], r["unit"]) for r in rows}

"""Import of files: rows per minute and memory, growth with the rows, a wide file, and the same rows by a plain loop.

The baseline is what one would write first: csv.DictReader, datetime, json.dumps and sha256 per row. It does less: no
units, no decimal rules, no check against the lake.
"""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
import zlib
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from bench.harness import Measured, Section, Target, measure
from ev_platform.ingest.import_mapping import load_mapping
from ev_platform.ingest.importer import import_files
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform.simulate.history import cars, write

ROWS = 250_000
MILLION = 1_000_000
WIDE = 120
"""Columns of the wide file: a LeafSpy log has about 150."""


def _settings(folder: str) -> Settings:
    return Settings(_env_file=None, lake_url=folder, start_day=date(2020, 1, 1))  # type: ignore[call-arg]


def bring(path: str, lake: str) -> int:
    """Import one file into a lake."""
    settings = _settings(lake)
    report = import_files(
        settings, ObjectStore(lake), [Path(path)], load_mapping("leafspy"), datetime(2028, 1, 1, tzinfo=UTC)
    )
    return report.rows


def plain(path: str, lake: str) -> int:
    """The same rows by a loop: one dictionary, one JSON text and one hash at a time."""
    lines: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    rows = 0
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows += 1
            when = datetime.fromtimestamp(int(row["epoch time"]), UTC)
            payload = json.dumps({"vin": row["VIN"], "createdAt": when.isoformat(), "row": row})
            digest = hashlib.sha256(payload.encode()).hexdigest()
            lines[row["VIN"], when.date().isoformat()].append(f'{{"_h":"{digest}","h":{{}},"d":{payload}}}\n'.encode())
    store = ObjectStore(lake)
    for (vin, day), some in lines.items():
        data = b"".join(some)
        store.put(f"temp/{vin}/{day}/plain-{zlib.crc32(data):08x}.json", data)
    return rows


def _row(name: str, done: Measured, size: int) -> dict[str, str]:
    rows = int(done.value)
    return {
        "what": name,
        "rows": f"{rows:,}",
        "CPU s": f"{done.cpu_seconds:.1f}",
        "wall s": f"{done.wall_seconds:.1f}",
        "rows / CPU minute": f"{rows / done.cpu_seconds * 60:,.0f}",
        "MB / CPU s": f"{size / 1e6 / done.cpu_seconds:.0f}",
        "peak MB": f"{done.peak_mb:.0f}",
    }


def sections() -> list[Section]:
    """Measure; about three minutes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet = cars(5)

        def file(label: str, rows: int) -> tuple[str, int]:
            path = folder / f"{label}.csv"
            write(path, rows, date(2024, 1, 1), fleet)
            return str(path), path.stat().st_size

        def run(label: str, work: object, path: str) -> Measured:
            return measure(work, path, str(folder / f"lake-{label}"))  # type: ignore[arg-type]

        small, small_size = file("small", ROWS)
        double, double_size = file("double", 2 * ROWS)
        large, large_size = file("large", MILLION)
        wide = folder / "wide.csv"
        narrow = pl.read_csv(small, n_rows=ROWS // 4, infer_schema=False)
        cells = [pl.lit(str(3900 + n)).alias(f"CP{n}") for n in range(1, WIDE - narrow.width + 1)]
        narrow.with_columns(cells).write_csv(wide)
        one = run("small", bring, small)
        rows = [
            _row("import, 17 columns", one, small_size),
            _row("the same, twice the rows", run("double", bring, double), double_size),
            _row("the same, a million rows", big := run("large", bring, large), large_size),
            _row("the million again: all known", again := run("large", bring, large), large_size),
            _row(f"import, {WIDE} columns", run("wide", bring, str(wide)), wide.stat().st_size),
            _row("plain loop, 17 columns", loop := run("plain", plain, small), small_size),
        ]
        per_minute = big.value / big.cpu_seconds * 60
        growth = (big.cpu_seconds / big.value) / (one.cpu_seconds / one.value)
        known = again.cpu_seconds / big.cpu_seconds
        ratio = loop.cpu_seconds / one.cpu_seconds
    targets = [
        Target("rows per CPU minute", f"{per_minute:,.0f}", "≥ 1,000,000", per_minute >= 1_000_000),
        Target("peak memory of a million rows", f"{big.peak_mb:.0f} MB", "≤ 1,200 MB", big.peak_mb <= 1_200),
        Target("CPU per row, a million against a quarter", f"{growth:.2f}", "≤ 1.3", growth <= 1.3),
        Target("known rows cost, against new ones", f"{known:.2f}", "≤ 2", known <= 2),
        Target("plain loop against import, CPU", f"{ratio:.1f}", "≥ 1", ratio >= 1),
    ]
    text = (
        "CSV in the shape of LeafSpy logs to raw objects per vehicle and day, judged, hashed and checked with the lake."
    )
    return [Section("Import of files", text, rows, targets)]

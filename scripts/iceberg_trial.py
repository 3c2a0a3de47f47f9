"""Why the lake's parts are no Iceberg table: what readers get when a part that was registered is replaced in place.

`python scripts/iceberg_trial.py data/lake/cleaned/date=…/part-0000.parquet`, in an environment with
`pyiceberg[sql-sqlite,pyarrow]`. Works on a copy in a temporary folder. What it prints stands in docs/iceberg.md.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

COLUMN = "odometer_km"


def tell(what: str, ask: Callable[[], object]) -> None:
    """Print an answer, or the error that came instead of it."""
    try:
        print(f"{what}: {ask()}")
    except Exception as error:  # whatever a reader would see
        print(f"{what}: {type(error).__name__}: {str(error).splitlines()[0][:90]}")


def replace(part: Path, table: pa.Table) -> None:
    """As the lake writes a part that was made again: one atomic replacement under the same name."""
    staged = part.with_suffix(".staged")
    pq.write_table(table, staged, compression="zstd")
    staged.replace(part)


def main(original: Path) -> None:
    """The trial."""
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part-0000.parquet"
        shutil.copy(original, part)
        catalog = SqlCatalog("trial", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
        os.mkdir(f"{folder}/warehouse")
        catalog.create_namespace("ev")
        old = pq.ParquetFile(part).read()
        published = catalog.create_table("ev.cleaned", schema=old.schema)
        published.add_files([f"file://{part}"])
        most = pc.max(old[COLUMN]).as_py()
        tell("registered, rows by scan", lambda: published.scan().to_arrow().num_rows)

        at = old.schema.get_field_index(COLUMN)
        driven = old.set_column(at, old.schema.field(at), pc.add(old[COLUMN], 100_000.0))
        replace(part, pa.concat_tables([driven, driven.slice(0, 500)]))
        published = catalog.load_table("ev.cleaned")
        further = f"{COLUMN} > {most}"
        now = pq.ParquetFile(part).read()
        print(f"replaced in place, rows of the file: {now.num_rows}")
        tell("  rows by count()", lambda: published.scan().count())
        tell("  rows further than the old maximum, in the file", lambda: pc.sum(pc.greater(now[COLUMN], most)).as_py())
        tell("  the same by Iceberg", lambda: published.scan(row_filter=further).to_arrow().num_rows)
        tell("  registered again", lambda: published.add_files([f"file://{part}"]))

        published.delete("vin is not null")
        published.add_files([f"file://{part}"])
        tell(
            "deleted and registered, the same by Iceberg",
            lambda: published.scan(row_filter=further).to_arrow().num_rows,
        )
        first = published.snapshots()[0].snapshot_id
        travelled = published.scan(snapshot_id=first).to_arrow()
        print(f"first snapshot, {COLUMN} at most: {pc.max(travelled[COLUMN]).as_py():.1f}; it was {most:.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

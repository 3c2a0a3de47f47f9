"""`ev query`: ask the lake, list its tables, write or create them for Athena."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from ev_platform.query.catalogue import tables
from ev_platform.query.engine import Value, open_engine
from ev_platform.query.glue import ddl_files, sync
from ev_platform.settings import Settings


def run_sql(settings: Settings, text: str, values: list[str], rows: int) -> None:
    """Ask what a person typed: quoted values are allowed in it, since nobody else's input is."""
    answer = open_engine(settings).query(text, [as_value(value) for value in values], literals=True)
    console = Console()
    table = Table()
    for name in answer.table.column_names:
        table.add_column(name)
    for row in answer.table.slice(0, rows).to_pylist():
        table.add_row(*("" if value is None else f"{value}" for value in row.values()))
    console.print(table)
    console.print(
        f"{answer.table.num_rows} rows, {answer.bytes_scanned:,} bytes scanned, {answer.seconds:.2f} s, {answer.engine}"
    )


def as_value(text: str) -> Value:
    """A word of the command line as the value it looks like: whole number, number, else text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def list_tables() -> None:
    """One line per table."""
    shown = Table()
    for column in ("table", "partitions", "columns"):
        shown.add_column(column)
    for table in tables():
        shown.add_row(table.name, ", ".join(name for name, *_ in table.partitions), str(len(table.schema)))
    Console().print(shown)


def write_ddl(folder: Path) -> None:
    """One file per table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ddl_files():
        (folder / name).write_text(text, encoding="utf-8")
    Console().print(f"{len(list(ddl_files()))} tables written to {folder}")


def run_sync(settings: Settings) -> None:
    """Create or update, and say what was done."""
    for name, what in sync(settings).items():
        Console().print(f"{what:9} {name}")

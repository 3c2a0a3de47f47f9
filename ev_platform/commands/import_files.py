"""`ev import`: files of history into the raw zone, with a progress bar, and the days told to Dagster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ev_platform.errors import UserError
from ev_platform.ingest.import_mapping import Mapping, load_mapping
from ev_platform.ingest.importer import ImportReport, import_files
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

COLUMNS = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())


def run_import(
    settings: Settings, files: Sequence[Path], mapping: str, *, vin: str = "", zone: str = "", dry_run: bool = False
) -> int:
    """Import files and print what became of their rows; 0 when every row was read, 1 when some are dead letters.

    Raises:
        UserError: no such file, a wrong mapping, a file that does not fit it, or an unwritable lake.
    """
    from ev_platform.commands.instance import open_instance, shared_lake
    from ev_platform.defs.raw.files import report_days

    shared_lake(settings)
    known = load_mapping(mapping)
    known = known.with_vin(vin) if vin else known
    known = known.with_zone(zone) if zone else known
    _check_files(files)
    console = Console()
    store = ObjectStore(settings.lake)
    if dry_run:
        report = _with_bar(console, settings, store, files, known, lambda _: None, dry_run=True)
    else:
        with open_instance(settings) as instance:
            report = _with_bar(
                console, settings, store, files, known, lambda days: report_days(instance, days, known.name)
            )
    print_report(console, report, known, dry_run=dry_run)
    return 1 if report.dead_letters else 0


def _check_files(files: Sequence[Path]) -> None:
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file")


def _with_bar(
    console: Console,
    settings: Settings,
    store: ObjectStore,
    files: Sequence[Path],
    mapping: Mapping,
    stored: object,
    *,
    dry_run: bool = False,
) -> ImportReport:
    total = sum(path.stat().st_size for path in files)
    with Progress(*COLUMNS, console=console, transient=True) as progress:
        bar = progress.add_task("import", total=total)

        def show(read: int, rows: int) -> None:
            progress.update(bar, completed=read, description=f"import {rows:,} rows")

        return import_files(
            settings, store, files, mapping, datetime.now(UTC), dry_run=dry_run, progress=show,
            stored=stored,  # type: ignore[arg-type]
        )  # fmt: skip


def print_report(console: Console, report: ImportReport, mapping: Mapping, *, dry_run: bool) -> None:
    """Rows by what became of them, the days to run next, columns that nobody maps."""
    table = Table(title=f"{report.files} file(s), mapping {mapping.name}, {report.seconds:.1f} s", title_justify="left")
    table.add_column("rows")
    table.add_column("n", justify="right")
    for name, n in (("read", report.rows), ("new", report.stored), ("there already", report.repeats)):
        table.add_row(name, f"{n:,}")
    for reason, n in report.dead_letters.most_common():
        table.add_row(f"dead letter: {reason}", f"{n:,}")
    console.print(table)
    days: Counter[str] = report.days
    if days:
        first, last = min(days), max(days)
        word = "would be new" if dry_run else "new"
        console.print(f"{word}: {len(days)} days, {first} to {last}, of {len(report.vins)} vehicle(s)", soft_wrap=True)
    if report.waiting and not dry_run:
        console.print(f"next: ev run --from {min(report.waiting)} --to {max(report.waiting)}", soft_wrap=True)
    if report.unknown_columns:
        shown = ", ".join(report.unknown_columns[:20])
        console.print(f"kept under their own names, not mapped: {shown}", soft_wrap=True, markup=False)

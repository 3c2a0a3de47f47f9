"""`ev lake check`, `ev lake retention` and `ev lake cost`: what they print."""

from __future__ import annotations

from collections import Counter
from datetime import date

from rich.console import Console
from rich.table import Table

from ev_platform.engine.lake_check import check_lake
from ev_platform.ingest.retention import expire, late_raw_days, look, old_days
from ev_platform.lake.bill import bill
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import lake_shards
from ev_platform.settings import Settings

MOST_SHOWN = 50


def run_check(settings: Settings, first: str, last: str) -> int:
    """Print findings, the first ones in full; 1 if there are any."""
    store, console = ObjectStore(settings.lake), Console(highlight=False)
    rules: Counter[str] = Counter()
    with console.status("reading the lake …"):
        for finding in check_lake(store, first, last, lake_shards(store, settings.shards)):
            rules[finding.rule] += 1
            if rules.total() <= MOST_SHOWN:
                console.print(f"{finding.rule}: {finding.key}: {finding.says}", soft_wrap=True)
    if rules.total() > MOST_SHOWN:
        console.print(f"… and {rules.total() - MOST_SHOWN} more")
    told = ", ".join(f"{n} {rule}" for rule, n in sorted(rules.items()))
    console.print(f"{rules.total()} findings: {told}" if rules else "0 findings")
    return 1 if rules else 0


def run_retention(settings: Settings, today: date, *, delete: bool) -> None:
    """Print what is older than it is kept, delete it if told to, and name raw objects that should not wait any more."""
    store, console = ObjectStore(settings.lake), Console(highlight=False, soft_wrap=True)
    days, keep = old_days(store, today, settings.keep_dead_letters_days), settings.keep_dead_letters_days
    for day in days:
        old = expire(store, day) if delete else look(store, day)
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(old.reasons.items())) or "all redriven"
        console.print(f"dead letters of {day}: {old.objects} objects ({reasons}){' deleted' if delete else ''}")
    if not keep:
        console.print("dead letters are kept for ever: set EV_KEEP_DEAD_LETTERS_DAYS to change that")
    elif not days:
        console.print(f"no dead letters older than {keep} days")
    elif not delete:
        console.print(f"{len(days)} days are older than {keep} days: ev lake retention --delete")
    for day, folders in late_raw_days(store, today, settings.raw_late_days).items():
        console.print(
            f"raw objects of {day} wait in {folders} folders of temp/: materialize lake/compressed of that day"
        )


def run_cost(settings: Settings) -> None:
    """Print what the lake holds and costs."""
    table = Table(title=f"lake {settings.lake}, S3 Standard list price", title_justify="left")
    for name in ("folder", "objects", "MB", "USD/month", "USD written once"):
        table.add_column(name, justify="left" if name == "folder" else "right")
    rows = bill(ObjectStore(settings.lake))
    for row in [*rows, None]:
        name = "all" if row is None else row.folder
        chosen = rows if row is None else [row]
        figures = [sum(one[at] for one in chosen) for at in (2, 3, 4, 5)]
        table.add_row(name, f"{figures[0]:,}", f"{figures[1]:,.1f}", f"{figures[2]:,.4f}", f"{figures[3]:,.4f}")
    Console().print(table)

"""`ev lake check` and `ev lake cost`: what they print."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from ev_platform.engine.lake_check import check_lake
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

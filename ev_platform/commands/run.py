"""`ev run`: materializes a range of days without the UI, on the laptop's Dagster instance or that of DAGSTER_HOME.

A year becomes runs of at most `RUN_DAYS` days, one after the other; what was stopped is taken up again with
`only_missing`. Belongs here: which days and in which order. Not here: running them (requests.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from ev_platform.errors import UserError
from ev_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

RUN_DAYS = 30
"""As many as the assets' own policy allows in a run of a backfill."""


def run_days(settings: Settings, first: date, last: date, *, only_missing: bool = False) -> int:
    """Materialize the days, compressed to results, then their months and the whole history; 0 if all succeeded.

    Args:
        settings: whose lake and instance.
        first: first day.
        last: last day.
        only_missing: leave out days that Dagster knows to be made; their results are made again where a day that they
            read is made now.

    Raises:
        UserError: the range is empty, before EV_START_DAY or not over yet.
    """
    from ev_platform.commands.instance import open_instance, shared_lake
    from ev_platform.commands.requests import Requests
    from ev_platform.definitions import defs as load_definitions
    from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY, SEGMENTS_KEY
    from ev_platform.defs.partitions import DAYS
    from ev_platform.defs.platform import Platform
    from ev_platform.defs.results.assets import BATTERY_HEALTH_KEY, SESSIONS_KEY
    from ev_platform.defs.results.history import HISTORY_KEYS
    from ev_platform.defs.results.usage import DAILY_KEYS

    days = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
    known = set(DAYS.get_partition_keys())
    if not days or not known.issuperset(days):
        raise UserError(
            f"--from {first} --to {last}: days must be over (UTC) and not before EV_START_DAY {settings.start_day}"
        )
    chain, daily = [COMPRESSED_KEY, CLEANED_KEY, SEGMENTS_KEY, SESSIONS_KEY], list(DAILY_KEYS.values())
    console = Console()
    shared_lake(settings)
    with open_instance(settings) as instance:
        requests = Requests(load_definitions(), instance, Platform(settings), settings.dagster_home / "automation.json")
        to_make = missing(instance, chain, days) if only_missing else days
        after = [day for day in days if {day, _next(day)} & set(to_make)]  # a charge over midnight is the day's before
        results = sorted({*after, *missing(instance, daily, days)}) if only_missing else days
        with console.status("materializing") as status:
            for keys, wanted in ((chain, to_make), (daily, results)):
                for run in bounded(wanted):
                    status.update(f"materializing {keys[-1].to_user_string()} of {run[0]} to {run[-1]}")
                    requests.materialize_range(keys, run[0], run[-1])
            for month in sorted({day[:7] for day in results}):
                status.update(f"battery health of {month}")
                requests.materialize([BATTERY_HEALTH_KEY], month)
            status.update("tables over the whole history")
            requests.materialize(HISTORY_KEYS)
    tally = requests.tally
    for failure in [*tally.failed_runs, *tally.checks_failed]:
        console.print(f"[red]failed[/red] {failure}")
    if tally.failed_runs:
        console.print("what failed is made by the same command with --only-missing")
    console.print(f"{len(to_make)} of {len(days)} days, {tally.runs} runs, {tally.checks_passed} checks passed")
    return 1 if tally.failed_runs or tally.checks_failed else 0


def missing(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], days: Iterable[str]) -> list[str]:
    """Days that one of the assets lacks, as Dagster knows it."""
    made = [instance.get_materialized_partitions(key) for key in keys]
    return [day for day in days if not all(day in one for one in made)]


def bounded(days: Iterable[str], most: int = RUN_DAYS) -> Iterator[list[str]]:
    """Consecutive days, at most so many together."""
    run: list[str] = []
    for day in days:
        if run and (len(run) == most or _next(run[-1]) != day):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _next(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()

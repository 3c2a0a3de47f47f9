"""`ev run`: materializes a range of days without the UI, on the laptop's Dagster instance or that of DAGSTER_HOME."""

from __future__ import annotations

from datetime import date, timedelta

from rich.console import Console

from ev_platform.errors import UserError
from ev_platform.settings import Settings


def run_days(settings: Settings, first: date, last: date) -> int:
    """Materialize each day, compressed to results, then their months and the whole history; 0 if all succeeded.

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
    console = Console()
    shared_lake(settings)
    with open_instance(settings) as instance:
        requests = Requests(load_definitions(), instance, Platform(settings), settings.dagster_home / "automation.json")
        with console.status("materializing") as status:
            for day in days:
                status.update(f"materializing {day}")
                requests.materialize([COMPRESSED_KEY, CLEANED_KEY, SEGMENTS_KEY, SESSIONS_KEY], day)
            for day in days:  # after all sessions: a charge over midnight needs the next day
                status.update(f"results of {day}")
                requests.materialize(list(DAILY_KEYS.values()), day)
            for month in sorted({day[:7] for day in days}):
                status.update(f"battery health of {month}")
                requests.materialize([BATTERY_HEALTH_KEY], month)
            status.update("tables over the whole history")
            requests.materialize(HISTORY_KEYS)
    for failure in [*requests.tally.failed_runs, *requests.tally.checks_failed]:
        console.print(f"[red]failed[/red] {failure}")
    console.print(f"{len(days)} days, {requests.tally.runs} runs, {requests.tally.checks_passed} checks passed")
    return 1 if requests.tally.failed_runs or requests.tally.checks_failed else 0

"""`ev demo`: seven simulated days through the whole platform, headless, and a table that says whether it is true.

Everything is real: a Kafka-protocol broker, the sensor, schedule and automation of the code location, a Dagster
instance that `ev up` shows afterwards. Only the pace is ours: produce a piece, look, drain, and at each midnight the
night's tick, so that the same seed gives the same bytes. Killed at any moment, it is simply started again.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ev_platform.errors import UserError
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform.settings import Settings
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.truth import Truth

if TYPE_CHECKING:
    from ev_platform.commands.requests import Requests

FIRST_DAY = date(2026, 11, 1)
"""Fixed, so that the same bytes come out every time; all days lie in one month, whose battery health is shown."""

ENERGY_FIRST_DAY = date(2025, 1, 1)
"""First partition of the energy tables in the demo."""

SEED = 1
VEHICLES = 20
CHUNK_BYTES = 8 * 2**20
"""Per partition, between two drains: the embedded broker keeps about twice that of compressed messages."""

NIGHT_TICK = time(0, 10, tzinfo=UTC)
SIDE_DEMOS: tuple[str, ...] = (
    "ev_platform.commands.demo_providers:demo_providers",
    "ev_platform.commands.demo_telematics:demo_telematics",
    "ev_platform.commands.demo_energy:demo_energy",
    "ev_platform.commands.demo_market:demo_market",
    "ev_platform.commands.demo_insights:demo_insights",  # last: joins what the others made
)
"""What the side domains show after the chain: functions (console, settings, requests) → problems, imported when run."""


def demo_scenario(vehicles: int = VEHICLES) -> Scenario:
    """The fleet of the demo."""
    return Scenario(seed=SEED, vehicles=vehicles, first_day=FIRST_DAY)


def run_demo(settings: Settings, *, vehicles: int, days: int, side_domains: bool = True) -> int:
    """Run the demo and print its summary; 0 only if nothing was lost or doubled and every check passed."""
    from ev_platform.commands.instance import exclusive, shared_lake

    shared_lake(settings)
    over = datetime.now(UTC).date() - FIRST_DAY
    if days > over.days:
        raise UserError(
            f"the demo's days begin on {FIRST_DAY} and must be over (UTC): --days {max(over.days, 0)} at most"
        )
    console = wide_console()
    begin = perf_counter()
    scenario = demo_scenario(vehicles)
    folder = settings.state_dir.expanduser().resolve() / "demo"
    with exclusive(settings), ExitStack() as stack:
        bootstrap = settings.kafka_bootstrap or stack.enter_context(EmbeddedBroker()).bootstrap
        known = scenario.truth(FIRST_DAY + timedelta(days=days - 1))
        known.write(folder)
        demo_settings = settings.with_changes(
            kafka_bootstrap=bootstrap,
            kafka_topics=(scenario.topic,),
            start_day=FIRST_DAY,
            vehicles_file=str(folder / "vehicles.csv"),
            dagster_home_dir=None,  # its own instance, never somebody's DAGSTER_HOME
            energy_sources=str(folder / "energy_sources.toml"),
            energy_start_day=ENERGY_FIRST_DAY,
            energy_schedules=False,
        )
        demo_settings.activate()
        sides = SIDE_DEMOS if side_domains else ()
        return _run(console, demo_settings, scenario, known, days, folder, begin, sides)


def wide_console() -> Console:
    """A console that does not break the tables when the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _run(
    console: Console,
    settings: Settings,
    scenario: Scenario,
    known: Truth,
    days: int,
    folder: Path,
    begin: float,
    side_demos: tuple[str, ...],
) -> int:
    from ev_platform.commands.instance import laptop_instance
    from ev_platform.commands.requests import Requests
    from ev_platform.commands.summary import print_summary
    from ev_platform.definitions import defs as load_definitions
    from ev_platform.defs.platform import Platform
    from ev_platform.defs.ref.assets import VEHICLES_KEY

    platform = Platform(settings)
    console.print(f"lake {platform.store.url}", soft_wrap=True)  # opens it: an unwritable one ends here
    with laptop_instance(settings) as instance:
        requests = Requests(load_definitions(), instance, platform, folder / "automation.json")
        requests.materialize([VEHICLES_KEY])
        requests.automation(datetime.combine(FIRST_DAY, NIGHT_TICK))  # the first look: baseline of all later ones
        produced = _simulate_days(console, settings, scenario, days, requests)
        expected = scenario.dead_letters(FIRST_DAY, FIRST_DAY + timedelta(days=days - 1))
        expected["produced"] = produced
        chain, problems = requests.tally, []
        for name in side_demos:
            start = perf_counter()
            problems += _side_demo(name, console, settings, requests)
            console.print(f"{name.rpartition('_')[2]} took {perf_counter() - start:.0f} s")
        code = print_summary(console, platform, known, expected, chain, perf_counter() - begin)
        for problem in problems:
            console.print(f"[red]problem[/red]    {problem}", soft_wrap=True)
        return 1 if problems else code


def _side_demo(name: str, console: Console, settings: Settings, requests: Requests) -> list[str]:
    """One side domain, with a tally of its own; its problems, its failed runs and its failed checks."""
    from ev_platform.commands.requests import Tally

    requests.tally = Tally()
    module, _, function = name.partition(":")
    problems = getattr(importlib.import_module(module), function)(console, settings, requests)
    return [*problems, *requests.tally.failed_runs, *requests.tally.checks_failed]


def _simulate_days(console: Console, settings: Settings, scenario: Scenario, days: int, requests: object) -> int:
    feed = Feed(settings.kafka_bootstrap, scenario, settings.kafka_group, settings.kafka_options)
    produced = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("day", total=days)
        for number in range(days):
            day = FIRST_DAY + timedelta(days=number)
            midnight = datetime.combine(day + timedelta(days=1), time(0), UTC)
            reached = False
            while not reached:
                progress.update(bar, description=f"{day}  {produced:>7} messages  produce, drain")
                step = feed.advance(midnight, CHUNK_BYTES)
                produced, reached = produced + step.messages, step.reached
                while requests.sensor("kafka_lag"):
                    if requests.tally.failed_runs:
                        raise UserError(f"a drain failed: {requests.tally.failed_runs[0]}")
            progress.update(bar, description=f"{day}  {produced:>7} messages  late days     ")
            requests.automation(midnight - timedelta(seconds=1))
            progress.update(bar, description=f"{day}  {produced:>7} messages  night         ")
            requests.schedule("nightly", datetime.combine(midnight.date(), NIGHT_TICK))
            requests.automation(datetime.combine(midnight.date(), NIGHT_TICK))
            progress.advance(bar)
        last = datetime.combine(FIRST_DAY + timedelta(days=days), NIGHT_TICK)
        progress.update(bar, description=f"{days} days  {produced:>7} messages  results       ")
        requests.settle(last)
        progress.update(bar, description=f"{days} days  {produced} messages")
    return sum(feed.high_watermarks())  # on a broker that lasts, a second demo finds everything produced already

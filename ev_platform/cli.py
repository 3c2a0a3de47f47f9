"""The `ev` command: options and exit codes only. Each command imports what it needs, so that `ev --help` is quick.

Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ev_platform.commands import market_cli, query_cli
from ev_platform.errors import SettingError, UserError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(market_cli.app, name="market")
app.add_typer(query_cli.app, name="query")


@app.callback()
def ev() -> None:
    """EV fleet data platform: raw vehicle messages to battery health, as Dagster assets."""


@app.command()
def demo(
    vehicles: Annotated[int, typer.Option(min=4, help="simulated vehicles")] = 20,
    days: Annotated[int, typer.Option(min=1, max=28, help="simulated days")] = 7,
) -> None:
    """The main job, end to end and headless: simulated fleet → Kafka → raw → compressed → … → battery health."""
    from ev_platform.commands.demo import run_demo
    from ev_platform.settings import load_settings

    raise typer.Exit(run_demo(load_settings(), vehicles=vehicles, days=days))


@app.command()
def up() -> None:
    """The live stack on this machine: broker and simulated fleet (unless EV_KAFKA_BOOTSTRAP is set), UI, daemon."""
    from ev_platform.commands.up import run_up
    from ev_platform.settings import load_settings

    raise typer.Exit(run_up(load_settings()))


@app.command()
def simulate(
    first_day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first simulated day (UTC)")],
    last_day: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="last day; without it, never ends")
    ] = None,
    vehicles: Annotated[int, typer.Option(min=1)] = 24,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 1,
    real_time: Annotated[bool, typer.Option(help="at the pace of the clock, after catching up")] = False,
    faults: Annotated[bool, typer.Option(help="duplicates, late data, clock errors, …")] = True,
    truth: Annotated[Path | None, typer.Option(help="folder for the truth and the vehicle registry")] = None,
) -> None:
    """Produces a simulated fleet's messages to the broker of EV_KAFKA_BOOTSTRAP, on a topic of its own."""
    from ev_platform.commands.simulate import run_simulate
    from ev_platform.settings import load_settings
    from ev_platform.simulate.scenario import Scenario

    scenario = Scenario(seed=seed, vehicles=vehicles, first_day=first_day.date(), faults=faults)
    run_simulate(load_settings(), scenario, last_day.date() if last_day else None, real_time=real_time, truth=truth)


@app.command()
def drain(
    every: Annotated[float, typer.Option(min=0, help="seconds between drains; 0: once")] = 0,
) -> None:
    """Drains Kafka into the lake's raw buffers, up to the high watermarks: once, or again and again until stopped."""
    from ev_platform.commands.drain import run_drain
    from ev_platform.settings import load_settings

    run_drain(load_settings(), every)


@app.command()
def run(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day (UTC)")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day (UTC)")],
) -> None:
    """Materializes those days, compressed to sessions, and the battery health of their months."""
    from ev_platform.commands.run import run_days
    from ev_platform.settings import load_settings

    raise typer.Exit(run_days(load_settings(), first.date(), last.date()))


@app.command()
def doctor(
    audit: Annotated[bool, typer.Option("--audit", help="count every message of the whole lake, too")] = False,
) -> None:
    """Configuration, reachability, permissions and lag, one line each; exit 1 if something is wrong."""
    from ev_platform.commands.doctor import run_doctor
    from ev_platform.settings import load_settings

    raise typer.Exit(run_doctor(load_settings(), whole_lake=audit))


def main() -> None:
    """Entry point: an error that a user can cause is one line on stderr, never a traceback."""
    try:
        app()
    except SettingError as error:
        print(f"ev: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except UserError as error:
        print(f"ev: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()

"""`ev dead-letters list | show | redrive`: options only; the work is commands/dead_letters.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Messages that could not be read: list, show, read again.")

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="UTC day of the broker's timestamp")]
Reason = Annotated[str | None, typer.Option(help="only this reason, e.g. not_json")]
Vin = Annotated[str | None, typer.Option(help="only those whose key or payload names this vehicle")]


@app.command("list")
def list_(
    day: Day = None,
    reason: Reason = None,
    vin: Vin = None,
    limit: Annotated[int, typer.Option(min=1, help="most lines")] = 50,
    redriven: Annotated[bool, typer.Option("--all", help="those that were redriven, too")] = False,
) -> None:
    """Counts by reason, then one line per dead letter."""
    from ev_platform.commands.dead_letters import Filter, run_list
    from ev_platform.settings import load_settings

    run_list(load_settings(), Filter.of(day, reason, vin), limit, redriven=redriven)


@app.command()
def show(
    topic: Annotated[str, typer.Argument()],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
) -> None:
    """One dead letter whole: reason, key, headers, payload."""
    from ev_platform.commands.dead_letters import run_show
    from ev_platform.settings import load_settings

    run_show(load_settings(), topic, partition, offset)


@app.command()
def redrive(
    day: Day = None,
    reason: Reason = None,
    vin: Vin = None,
    dry_run: Annotated[bool, typer.Option(help="count only, change nothing")] = False,
) -> None:
    """Reads dead letters again with today's rules; what is readable now goes where it belongs, once."""
    from ev_platform.commands.dead_letters import Filter, run_redrive
    from ev_platform.settings import load_settings

    run_redrive(load_settings(), Filter.of(day, reason, vin), dry_run=dry_run)

"""`ev lake check | cost | retention`: options only; the work is commands/lake.py."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The lake itself: is everything in its place, and what does it cost.")


@app.command()
def check(
    first: Annotated[str, typer.Option("--from", help="first day, YYYY-MM-DD")] = "0000-01-01",
    last: Annotated[str, typer.Option("--to", help="last day")] = "9999-12-31",
) -> None:
    """Orphans, checksums of raw objects, files in the wrong place, days without their followers. Reads only."""
    from ev_platform.commands.lake import run_check
    from ev_platform.settings import load_settings

    raise SystemExit(run_check(load_settings(), first, last))


@app.command()
def retention(
    delete: Annotated[bool, typer.Option("--delete", help="delete them; without it they are only shown")] = False,
) -> None:
    """Dead letters older than EV_KEEP_DEAD_LETTERS_DAYS, and raw objects that wait too long (never deleted)."""
    from datetime import UTC, datetime

    from ev_platform.commands.lake import run_retention
    from ev_platform.settings import load_settings

    run_retention(load_settings(), datetime.now(UTC).date(), delete=delete)


@app.command()
def cost() -> None:
    """Objects, size and S3 list price by folder. Lists every object."""
    from ev_platform.commands.lake import run_cost
    from ev_platform.settings import load_settings

    run_cost(load_settings())

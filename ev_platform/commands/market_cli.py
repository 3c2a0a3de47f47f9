"""`ev market …`: options only; the work is in market.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The vehicle sales market.")


@app.callback()
def market() -> None:
    """The vehicle sales market."""


@app.command()
def run(
    csv: Annotated[Path | None, typer.Option(help="local copy of the sales file, instead of Kaggle")] = None,
) -> None:
    """Download (or take a local copy) → refined sales → marts; an unchanged file ends after one request."""
    from ev_platform.commands.market import run_market
    from ev_platform.settings import load_settings

    settings = load_settings()
    raise typer.Exit(run_market(settings.with_changes(market_csv=str(csv)) if csv else settings))

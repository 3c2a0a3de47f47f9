"""`ev offsets show | set | reset`: options only; the work is commands/offsets.py."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Committed offsets: show them, move them deliberately.")

Yes = Annotated[bool, typer.Option("--yes", help="do it; without it only what would happen is shown")]
Why = Annotated[str, typer.Option(help="kept with the note of the change")]


@app.command()
def show() -> None:
    """Per partition: committed offset, what the broker keeps, lag, what expired; and the known gaps."""
    from ev_platform.commands.offsets import run_show
    from ev_platform.settings import load_settings

    run_show(load_settings())


@app.command("set")
def set_(
    topic: Annotated[str, typer.Argument()],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0, help="next offset to read")],
    yes: Yes = False,
    why: Why = "",
) -> None:
    """Moves one partition. Skipped messages become a known gap; earlier ones are read again, which is harmless."""
    from ev_platform.commands.offsets import run_set
    from ev_platform.settings import load_settings

    run_set(load_settings(), {(topic, partition): offset}, yes=yes, why=why)


@app.command()
def reset(
    to: Annotated[str, typer.Option(help="earliest, latest, or a UTC time: 2026-11-01 or 2026-11-01T06:00:00Z")],
    topic: Annotated[str | None, typer.Option(help="only this topic; without it, all of EV_KAFKA_TOPICS")] = None,
    yes: Yes = False,
    why: Why = "",
) -> None:
    """Moves all partitions of the topics."""
    from ev_platform.commands.offsets import run_reset
    from ev_platform.settings import load_settings

    run_reset(load_settings(), to, topic, yes=yes, why=why)

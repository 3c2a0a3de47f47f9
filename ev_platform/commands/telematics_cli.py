"""`ev telematics …`: the telematics topic by hand: drain it, count it live, show the counts, write a demo file."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The telematics stream: drain, live counts, demo file.")


@app.command()
def drain() -> None:
    """Drains the topic into the lake's raw buffers, up to the high watermarks, once."""
    from ev_platform.ingest.telematics import drain_telematics
    from ev_platform.lake.store import ObjectStore
    from ev_platform.settings import load_settings

    settings = load_settings()
    report = drain_telematics(settings, ObjectStore(settings.lake), None)
    dead = "".join(f", {n} {reason}" for reason, n in report.dead_letters.items())
    print(f"{report.messages} messages, {report.records} readings of {len(report.vins)} devices{dead}")


@app.command()
def live(
    every: Annotated[float, typer.Option(min=0.1, help="seconds between looks")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="count what is there, then end")] = False,
) -> None:
    """Counts readings per device, variable and minute into the live store, as they come, until stopped."""
    from ev_platform.commands.telematics_live import run_live
    from ev_platform.settings import load_settings

    run_live(load_settings(), every, once=once, sleep=time.sleep)


@app.command()
def counts(
    device: Annotated[str, typer.Option(help="one device; without it, all")] = "",
    windows: Annotated[int, typer.Option(min=1, help="newest rows shown")] = 20,
) -> None:
    """Shows the newest live counts."""
    from ev_platform.commands.telematics_live import show_counts
    from ev_platform.settings import load_settings

    show_counts(load_settings(), device, windows)


@app.command()
def generate(
    file: Annotated[Path, typer.Argument(help="CSV to write")],
    first_day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day (UTC)")],
    days: Annotated[int, typer.Option(min=1)] = 2,
    devices: Annotated[int, typer.Option(min=1)] = 3,
    seed: int = 1,
) -> None:
    """Writes invented readings, in the shape of real ones, for `ev replay`."""
    from ev_platform.simulate.telematics import readings, write_csv

    rows = readings(first_day.date(), days, devices, seed)
    write_csv(rows, file)
    print(f"{len(rows)} readings of {devices} devices in {file}")

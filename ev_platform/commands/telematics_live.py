"""`ev replay`, `ev telematics live` and `ev telematics counts`: what they print and when they end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ev_platform.errors import UserError
from ev_platform.lake.live_store import open_live_store
from ev_platform.settings import Settings
from ev_platform.simulate.replay import Pace, replay
from ev_platform.telematics.live import TABLE, LiveCounter
from ev_platform.telematics.variables import BANDS


def run_replay(settings: Settings, path: Path, pace: Pace, topic: str) -> int:
    """Play a file, with a count on the terminal; 1 if rows were refused."""
    stop = _stop_on_signal()
    console = Console()
    with Progress(TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("replay")

        def show(sent: int) -> None:
            if sent % 100 == 1 or pace.rate < 100:
                progress.update(bar, description=f"replay {sent:,} messages")

        played = replay(
            settings,
            path,
            pace,
            topic=topic,
            stop=stop.is_set,
            progress=show,
            sleep=lambda seconds: _wait(stop, seconds),
        )
    console.print(
        f"{played.sent} messages of {played.rows} rows sent; {played.doubled} doubled, {played.late} late, "
        f"{played.rebuilt} timestamps rebuilt",
        soft_wrap=True,
    )
    if played.refused:
        console.print(f"{played.refused} rows have no time any more and were not sent: {played.first_refused}")
    return 1 if played.refused else 0


def run_live(settings: Settings, every: float, *, once: bool, sleep: Callable[[float], None]) -> None:
    """Count until stopped, or until nothing is new."""
    stop = _stop_on_signal()
    live = open_live_store(settings)
    try:
        counter = LiveCounter(settings, live)
        total = 0
        while not stop.is_set():
            counted = 0
            try:
                counted = counter.step()
            except UserError as error:  # a broker that is away for a while must not end a service
                if once:
                    raise
                print(f"ev: {error}", file=sys.stderr, flush=True)
            total += counted
            if not counted:
                if once:
                    break
                sleep(every)
        print(f"{total} readings counted")
    finally:
        live.close()


def show_counts(settings: Settings, device: str, windows: int) -> None:
    """The newest windows, one row per device, variable and minute."""
    live = open_live_store(settings)
    try:
        rows = live.rows(TABLE, {"device_id": device} if device else None)
    finally:
        live.close()
    rows.sort(key=lambda row: (str(row["window_start"]), str(row["device_id"]), str(row["variable"])))
    bands = list(BANDS.values())
    table = Table(title=f"newest {min(windows, len(rows))} of {len(rows)} windows", title_justify="left")
    for column in ("minute (UTC)", "device", "variable", "readings", *bands):
        table.add_column(column)
    for row in rows[-windows:]:
        cells = [
            row["window_start"],
            row["device_id"],
            row["variable"],
            row["readings"],
            *(row.get(b, 0) for b in bands),
        ]
        table.add_row(*(str(cell)[:32] for cell in cells))
    Console().print(table)


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _wait(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)

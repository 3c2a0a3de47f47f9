"""The demo's telematics part: a file of readings replayed with duplicates and disorder, counted live, drained, made.

Two invented days of three devices, so that the table at the end can be compared with what the file holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from ev_platform.lake.layout import partition_prefix
from ev_platform.lake.live_store import open_live_store
from ev_platform.lake.schemas_telematics import DRIVING_STYLE, TELEMATICS_EVENTS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings
from ev_platform.simulate.replay import Pace, Played, replay
from ev_platform.simulate.telematics import Reading, readings, write_csv
from ev_platform.telematics.live import TABLE, LiveCounter

if TYPE_CHECKING:
    from ev_platform.commands.requests import Requests

FIRST_DAY = date(2026, 11, 1)
DAYS, DEVICES, SEED = 2, 3, 1
PACE = Pace(rate=0, duplicates=0.02, disorder=0.05, event_stamps=True, seed=SEED)


def demo_telematics(console: Console, settings: Settings, requests: Requests) -> list[str]:
    """Replay, count, drain, make two days; returns what is not as it should be."""
    folder = settings.state_dir.expanduser().resolve() / "demo"
    made = readings(FIRST_DAY, DAYS, DEVICES, SEED)
    file = folder / "readings.csv"
    write_csv(made, file)
    store = ObjectStore(settings.lake)
    played = _replay_once(settings, file, folder / "readings.played")
    counted = _count_live(settings)
    while requests.sensor("telematics_lag"):
        if requests.tally.failed_runs:
            return [f"telematics: {requests.tally.failed_runs[0]}"]
    night = datetime.combine(FIRST_DAY + timedelta(days=DAYS), datetime.min.time(), UTC) + timedelta(minutes=15)
    requests.schedule("telematics_nightly", night)
    requests.automation(night)
    problems = _problems(store, made, counted)
    requests.tally.rows["raw/telematics"] = {"": played.sent}
    _print(console, store, made, played, counted)
    return [f"telematics: {problem}" for problem in problems]


def _replay_once(settings: Settings, file: Path, mark: Path) -> Played:
    """Play the file, unless this very broker has it already: a broker that lasts would get it twice."""
    name = f"{settings.kafka_bootstrap} {settings.telematics_topic}"
    if mark.exists() and mark.read_text() == name:
        return Played()
    played = replay(settings, file, PACE)
    mark.write_text(name)
    return played


def _count_live(settings: Settings) -> int:
    """Count what is new; returns the readings counted in the live store, of this demo and of earlier ones."""
    live = open_live_store(settings)
    try:
        counter = LiveCounter(settings, live)
        while counter.step():
            pass
        return sum(int(row["readings"] or 0) for row in live.rows(TABLE))
    finally:
        live.close()


def _problems(store: ObjectStore, made: Sequence[Reading], counted: int) -> list[str]:
    events = _table(store, "telematics/events", TELEMATICS_EVENTS)
    distinct = len({(one.device_id, one.milliseconds, one.variable, one.value) for one in made})
    problems = []
    if (found := int((~events["repeat"]).sum())) != distinct:
        problems.append(f"{distinct} readings in the file, {found} in telematics/events")
    if counted < distinct:
        problems.append(f"{distinct} readings in the file, {counted} counted live")
    return problems


def _table(store: ObjectStore, name: str, schema: pa.Schema) -> pl.DataFrame:
    days = [(FIRST_DAY + timedelta(days=number)).isoformat() for number in range(DAYS)]
    keys = [key for day in days for key in store.keys(partition_prefix(name, day))]
    parts = [from_parquet(data) for _, data in store.get_many(keys) if data is not None]
    frame = pl.from_arrow(pa.concat_tables([schema.empty_table(), *parts]))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _print(console: Console, store: ObjectStore, made: Sequence[Reading], played: Played, counted: int) -> None:
    style = _table(store, "telematics/driving_style_daily", DRIVING_STYLE)
    table = Table(title="Telematics (combustion-car signals): driving style per device and day", title_justify="left")
    columns = (
        "readings",
        "driving_s",
        "speed_mean_kmh",
        "idling_share",
        "harsh_accelerations",
        "harsh_brakings",
        "alarms",
    )
    for name in ("date", "device", *columns):
        table.add_column(name, justify="left" if name in ("date", "device") else "right")
    for row in style.sort("date", "device_id").iter_rows(named=True):
        shown = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in (row[n] for n in columns)]
        table.add_row(str(row["date"]), row["device_id"][:8], *shown)
    console.print(table)
    console.print(
        f"telematics {len(made)} readings in the file, {played.sent} sent ({played.doubled} twice, {played.late} late)"
        f", {counted} counted live",
        soft_wrap=True,
    )

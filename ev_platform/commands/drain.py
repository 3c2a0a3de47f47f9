"""`ev drain`: one bounded drain of Kafka into the raw buffers, or one every so many seconds until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from ev_platform.errors import UserError
from ev_platform.ingest.drain import drain
from ev_platform.ingest.offsets import Gap
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


def run_drain(settings: Settings, every: float) -> None:
    """Drain once (`every` 0) or again and again; each drain prints one line and reports its days to Dagster.

    Raises:
        UserError: the broker does not answer or the lake is not writable.
    """
    if settings.lake.startswith("memory:"):
        raise UserError("a memory:// lake is gone when this command ends: set EV_LAKE_URL to a folder or S3")
    store = ObjectStore(settings.lake)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())  # a drain under way stores and commits what it has read
    with ExitStack() as stack:
        instance = open_instance(settings, stack)
        tell = partial(report_days, instance) if instance is not None else nobody
        lost = partial(tell_lost, settings, store)
        while not stop.is_set():
            report = drain(settings, store, None, stop=stop.is_set, stored=tell, lost=lost)
            if report.refused and not every:
                raise UserError(f"nothing drained: {report.refused} {settings.kafka_group}; stop it first")
            dead = sum(report.dead_letters.values())
            line = f"{report.messages} messages, {report.records} records of {len(report.vins)} vehicles"
            print(report.refused or f"{line}, {dead} dead letters", flush=True)
            if not every or stop.wait(every):
                return


def report_days(instance: dg.DagsterInstance, days: Mapping[str, int]) -> None:
    """Log a raw materialization for every event day that was written: the schedule and late-data repair follow them."""
    import dagster as dg

    from ev_platform.defs.raw.assets import RAW_TESLA

    for day, records in sorted(days.items()):
        event = dg.AssetMaterialization(RAW_TESLA, partition=day, metadata={"records": records})
        instance.report_runless_asset_event(event)


def tell_lost(settings: Settings, store: ObjectStore, gaps: Sequence[Gap]) -> None:
    """Messages that expired unread are an alert, whoever notices."""
    from ev_platform.defs.ops.alerts import alert_lost
    from ev_platform.defs.platform import Platform

    alert_lost(Platform(settings, store), gaps)


def nobody(_: Mapping[str, int]) -> None:
    """No Dagster instance: the last tick of the night still finds what lies in temp/."""


def open_instance(settings: Settings, stack: ExitStack) -> dg.DagsterInstance | None:
    """The Dagster instance of DAGSTER_HOME or of the state folder, if there is one."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        print(f"no dagster.yaml in {settings.dagster_home}: Dagster will not know of these days (set DAGSTER_HOME)")
        return None
    import dagster as dg

    return stack.enter_context(dg.DagsterInstance.from_config(str(settings.dagster_home)))

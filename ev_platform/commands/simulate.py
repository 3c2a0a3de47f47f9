"""`ev simulate`: a fleet with known truth, produced to any broker on a topic of its own."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from ev_platform.errors import UserError
from ev_platform.settings import Settings
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.scenario import Scenario

FOREVER = timedelta(days=3650)


def run_simulate(
    settings: Settings, scenario: Scenario, last_day: date | None, *, real_time: bool, truth: Path | None
) -> None:
    """Produce from the first day to the last (inclusive); continues where the topic's high watermarks stand.

    Raises:
        UserError: no broker is set or it does not answer.
    """
    if not settings.kafka_bootstrap:
        raise UserError("set EV_KAFKA_BOOTSTRAP to a broker, or use `ev up`, which brings one")
    if truth is not None:
        scenario.write_truth(truth, last_day or datetime.now(UTC).date())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    end = (last_day + timedelta(days=1)) if last_day else (datetime.now(UTC) + FOREVER).date()
    feed = Feed(settings.kafka_bootstrap, scenario, settings.kafka_group, settings.kafka_options)
    print(f"producing to {scenario.topic}: set EV_KAFKA_TOPICS={scenario.topic} to read it", flush=True)
    feed.run(datetime.combine(end, time(0), UTC), real_time=real_time, stop=stop.is_set)

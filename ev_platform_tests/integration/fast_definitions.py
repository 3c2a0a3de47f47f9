"""The real code location with impatient instigators: a sensor tick every second, a schedule tick every minute.

While the file `hold_drains` stands in the state folder, a drain that has stored its messages writes its process id to
`held` beside it and waits before the receipt and the commit: a test can kill it there, however quick drains are.
"""

import os
import time
from pathlib import Path

import dagster as dg

from ev_platform import definitions
from ev_platform.defs.lake import schedules
from ev_platform.defs.raw import sensors
from ev_platform.ingest.drain import Drain

FAST = {"nightly", "kafka_lag"}
HOLD, HELD = "hold_drains", "held"
_write_receipt = Drain.write_receipt


def _wait_then_write_receipt(self, ledger):
    state = Path(os.environ["EV_STATE_DIR"])
    if (state / HOLD).exists():
        (state / HELD).write_text(str(os.getpid()))
    while (state / HOLD).exists():
        time.sleep(0.05)
    return _write_receipt(self, ledger)


@dg.definitions
def defs() -> dg.Definitions:
    Drain.write_receipt = _wait_then_write_receipt  # here and not at import: the tests import the names above
    real = definitions.defs()
    nightly = dg.schedule(
        name="nightly",
        job=schedules.nightly_job,
        cron_schedule="* * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )(schedules.night_requests)
    lag = dg.sensor(
        name="kafka_lag",
        job=sensors.drain_job,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )(sensors.request_drain)
    return dg.Definitions(
        assets=real.assets,
        asset_checks=real.asset_checks,
        jobs=real.jobs,
        resources=real.resources,
        schedules=[nightly, *(s for s in real.schedules if s.name not in FAST)],
        executor=real.executor,
        sensors=[lag, *(s for s in real.sensors if s.name not in FAST)],
    )

"""All tests: no setting of the developer's shell or `.env` reaches them; the partitions begin on 2026-10-01."""

import os
import signal

for name in [name for name in os.environ if name.startswith(("EV_", "AWS_", "DAGSTER_"))]:
    del os.environ[name]
os.environ["EV_START_DAY"] = "2026-10-01"

import pytest  # noqa: E402

from ev_platform.settings import Settings  # noqa: E402

Settings.model_config["env_file"] = None


SIGNALS = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Dagster leaves SIGTERM and SIGINT ignored after a run that failed in this process, and children inherit that."""
    for number, handler in SIGNALS.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)

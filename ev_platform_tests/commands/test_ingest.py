"""`ev ingest`: days are told before their commit, open days seldom; a process that a signal ends in order."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from ev_platform.commands.ingest import OPEN_DAY_SECONDS, DayReports
from ev_platform.ingest.audit import audit
from ev_platform.ingest.lag import probe
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.ingest.helpers import filled, fleet
from ev_platform_tests.mock_control import MockCluster

TODAY = datetime.now(UTC).date()
CLOSED, OPEN = (TODAY - timedelta(days=3)).isoformat(), (TODAY + timedelta(days=2)).isoformat()


def test_closed_days_are_told_at_once_and_open_ones_seldom():
    told, now = [], [0.0]
    reports = DayReports(lambda days: told.append(dict(days)), clock=lambda: now[0])
    reports({CLOSED: 1, OPEN: 2})
    reports({CLOSED: 3, OPEN: 4})
    now[0] = OPEN_DAY_SECONDS
    reports({OPEN: 5})
    assert told == [{CLOSED: 1, OPEN: 2}, {CLOSED: 3}, {OPEN: 9}]


def test_what_could_not_be_told_is_told_the_next_time():
    answers, told = [RuntimeError("down"), None], []

    def tell(days):
        told.append(dict(days))
        if (error := answers.pop(0)) is not None:
            raise error

    reports = DayReports(tell)
    with pytest.raises(RuntimeError):
        reports({CLOSED: 1})
    reports({CLOSED: 1})  # the same checkpoint, tried again
    assert told == [{CLOSED: 1}, {CLOSED: 1}]


@pytest.mark.integration
def test_sigterm_stores_commits_and_leaves(tmp_path):
    with MockCluster() as cluster:
        filled(cluster, "tesla_V", fleet(300, days=1))
        settings = Settings(
            _env_file=None,
            kafka_bootstrap=cluster.bootstrap,
            kafka_topics=("tesla_V",),
            lake_url=str(tmp_path / "lake"),
            state_dir=tmp_path / "state",
            buffer_flush_seconds=3600,
            buffer_max_seconds=3600,
            metrics_port=0,
        )
        child = subprocess.Popen(
            [sys.executable, "-m", "ev_platform.cli", "ingest"],
            env={**settings.child_environment(), "PYTHONUNBUFFERED": "1"},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in child.stderr:
            if "reading tesla_V-0" in line:
                break
        time.sleep(2)  # whatever it has read by now, it must store
        os.kill(child.pid, signal.SIGTERM)
        output, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
        committed = {(lag.topic, lag.partition): lag.committed for lag in probe(settings)}
        stored = sum(offset or 0 for offset in committed.values())
        assert f"{stored} messages, {stored} records" in output
        assert stored > 0
        assert audit(ObjectStore(settings.lake), committed).ok


def test_secrets_of_options_are_not_shown(tmp_path):
    options = json.dumps({"sasl.password": "geheim", "sasl.mechanism": "no such"})
    done = subprocess.run(
        [sys.executable, "-m", "ev_platform.cli", "ingest"],
        env={
            **os.environ,
            "EV_KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "EV_KAFKA_OPTIONS": options,
            "EV_LAKE_URL": str(tmp_path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert "geheim" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

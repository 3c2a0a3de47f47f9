"""`ev run` over many days: bounded runs; killed in the middle and taken up again, it comes to the same bytes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.commands.run import RUN_DAYS, bounded
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.engine.lakes import contents, fill

FIRST = date(2025, 11, 1)
WITH_DATA = (0, 1, 29, 30, 31, 34)
"""Days of the range that have data: at both ends of a run, too."""
TABLES = ("temp", "compressed", "cleaned", "segments", "results")


def day(number):
    return (FIRST + timedelta(days=number)).isoformat()


@given(st.sets(st.integers(0, 400)), st.integers(1, 40))
def test_runs_are_consecutive_bounded_and_hold_every_day_once(numbers, most):
    days = [day(number) for number in sorted(numbers)]
    runs = list(bounded(days, most))
    assert [one for run in runs for one in run] == days
    for run in runs:
        assert 1 <= len(run) <= most
        assert (date.fromisoformat(run[-1]) - date.fromisoformat(run[0])).days == len(run) - 1


def test_a_year_is_thirteen_runs():
    assert len(list(bounded([day(number) for number in range(365)]))) == 13


def lake(folder: Path) -> dict[str, str]:
    """Raw objects of three vehicles; the environment of a command on that lake."""
    store = ObjectStore(str(folder / "lake"))
    for number in WITH_DATA:
        fill(store, [1, 2, 3], range(40), day(number), per=40)
    mine = {"EV_LAKE_URL": str(folder / "lake"), "EV_STATE_DIR": str(folder / "state"), "EV_START_DAY": day(0)}
    return {**os.environ, **mine}


def command(days: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "ev_platform.cli", "run", "--from", day(0), "--to", day(days - 1), *more]


def run(environment, days, *more) -> tuple[int, int]:
    """(days made, runs)."""
    done = subprocess.run(command(days, *more), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    made, runs = re.search(r"(\d+) of \d+ days, (\d+) runs", done.stdout).groups()
    return int(made), int(runs)


def killed_in_the_second_run(environment, days):
    """SIGKILL as soon as a day of the second run has been compacted."""
    process = subprocess.Popen(command(days), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store, deadline = ObjectStore(environment["EV_LAKE_URL"]), time.monotonic() + 300
    while not store.keys(f"compressed/{day(RUN_DAYS).replace('-', '/')}"):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("days", [35, pytest.param(365, marks=pytest.mark.long)])
def test_a_backfill_that_was_killed_is_taken_up_where_it_stopped(tmp_path, days):
    whole, broken = lake(tmp_path / "whole"), lake(tmp_path / "broken")
    made, runs = run(whole, days)
    chunks, months = -(-days // RUN_DAYS), len({day(number)[:7] for number in range(days)})
    assert (made, runs) == (days, 2 * chunks + months + 1)
    killed_in_the_second_run(broken, days)
    left, _ = run(broken, days, "--only-missing")
    assert left == days - RUN_DAYS
    wanted = contents(ObjectStore(whole["EV_LAKE_URL"]), *TABLES)
    assert contents(ObjectStore(broken["EV_LAKE_URL"]), *TABLES) == wanted
    assert any(key.startswith("results/") for key in wanted)
    assert run(broken, days, "--only-missing") == (0, 1)

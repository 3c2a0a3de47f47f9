"""Processes that outlive the command that starts them, found again and stopped by process id; and the state file.

Belongs here: folder, state file, start, liveness, stop, free ports. A process id alone may have been given to somebody
else meanwhile, so its start time is kept with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "services"
STATE = FOLDER / "services.json"
STOP_SECONDS = 30.0


class Absent(Exception):
    """A tool that the service needs is not on this machine: the message is one line."""


class Failed(Exception):
    """The service did not come up: the message is one line."""


def read_state() -> dict[str, Any]:
    """What was started: service → its facts (pid, started, address)."""
    try:
        found: dict[str, Any] = json.loads(STATE.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found


def write_state(state: dict[str, Any]) -> None:
    """Replace the state file in one step."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps(state, indent=1) + "\n")
    fresh.replace(STATE)


def free_port() -> int:
    """A TCP port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started_at(pid: int) -> str:
    """When the process started, in the system's own words; empty when there is none (or only its remains)."""
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    stat, _, started = answer.stdout.strip().partition(" ")
    return "" if stat.startswith("Z") else started.strip()


def start(command: Sequence[str], folder: Path, log: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Start a process in a session of its own; returns what finds it again."""
    with log.open("ab") as sink:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    return {"pid": child.pid, "started": started_at(child.pid)}


def alive(facts: dict[str, Any]) -> bool:
    """Whether the very process that was started still runs."""
    return bool(facts.get("started")) and started_at(facts["pid"]) == facts["started"]


def stop(facts: dict[str, Any]) -> None:
    """SIGTERM, then, after `STOP_SECONDS`, SIGKILL; a process that is gone is no error."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        if not alive(facts):
            return
        os.kill(facts["pid"], number)
        deadline = time.monotonic() + seconds
        while alive(facts) and time.monotonic() < deadline:
            time.sleep(0.1)


def await_health(
    name: str, facts: dict[str, Any], healthy: Callable[[dict[str, Any]], None], seconds: float, log: Path
) -> None:
    """Ask again and again until the service answers as it should.

    Raises:
        Failed: it died or did not answer in time; its log is named.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            healthy(facts)
            return
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
        if not alive(facts):
            raise Failed(f"{name} ended while it started: see {log}")
        if time.monotonic() > deadline:
            raise Failed(f"{name} does not answer after {seconds:.0f} s ({reason[:200]}): see {log}")
        time.sleep(0.3)

"""`python -m services start | stop | status`: what `make services` and `make services-stop` run.

`start` is idempotent: what runs and answers is left alone. On a machine without Java, Maven or Go it says so in one
line and exits 0; with CI=true it exits 1, because CI must have them. Addresses: .cache/services/services.json.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from typing import Any

from services import kafka, s3
from services.process import FOLDER, STATE, Absent, Failed, alive, read_state, stop, write_state

SERVICES = {"kafka": kafka, "s3": s3}


def _running(name: str, facts: dict[str, Any]) -> bool:
    """Whether the service that the state file names runs and answers."""
    if not alive(facts):
        return False
    try:
        SERVICES[name].healthy(facts)
    except Exception:
        return False
    return True


def up() -> int:
    """Start what does not run yet."""
    absent = 0
    for name, service in SERVICES.items():
        facts = read_state().get(name, {})
        if facts and _running(name, facts):
            print(f"{name}: runs at {_address(facts)}, pid {facts['pid']}")
            continue
        if facts:
            stop(facts)
        began = time.monotonic()
        try:
            service.fetch()
            facts = service.launch()
        except Absent as error:
            print(f"{name}: not started, {error}; its tests are skipped")
            absent += 1
            continue
        write_state({**read_state(), name: facts})
        print(f"{name}: started in {time.monotonic() - began:.0f} s at {_address(facts)}, pid {facts['pid']}")
    return 1 if absent and os.environ.get("CI") else 0


def down() -> int:
    """Stop what was started, by process id."""
    for name, facts in read_state().items():
        stop(facts)
        print(f"{name}: stopped")
    STATE.unlink(missing_ok=True)
    return 0


def status() -> int:
    """Say what runs; exit 1 unless all of it does."""
    state = read_state()
    for name in SERVICES:
        facts = state.get(name, {})
        print(f"{name}: {'runs at ' + _address(facts) if facts and _running(name, facts) else 'does not run'}")
    return 0 if all(name in state and _running(name, state[name]) for name in SERVICES) else 1


def _address(facts: dict[str, Any]) -> str:
    return str(facts.get("bootstrap") or facts.get("endpoint"))


def main() -> int:
    """Run one command at a time, whoever calls."""
    commands = {"start": up, "stop": down, "status": status}
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted not in commands:
        print("usage: python -m services start | stop | status", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return commands[wanted]()
        except Failed as error:
            print(f"services: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    raise SystemExit(main())

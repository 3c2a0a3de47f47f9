"""Child processes that cannot outlive us: `python -m ev_platform.commands.child -- command …`.

A SIGKILL of the parent runs no clean-up code, but the kernel closes its pipes. This wrapper holds one end: when its
standard input ends, it stops the command's whole process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 15.0


def start_child(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command under the wrapper; its output goes to `log`. Stop it by `stop_child`, or by dying."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-m", "ev_platform.commands.child", "--", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C reaches the parent only, which then stops children in order
        )


def stop_child(child: subprocess.Popen[bytes]) -> None:
    """Stop a child and everything it started; returns when it is gone."""
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(GRACE_SECONDS + 5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def main() -> int:
    """Run the command after `--` until it ends or standard input does."""
    command = sys.argv[sys.argv.index("--") + 1 :]
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it, and Dagster stops by it
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: _stop(process))
    threading.Thread(target=_watch, args=(process,), daemon=True).start()
    return process.wait()


def _watch(process: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()  # returns when the parent closed its end, or died
    _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number, grace in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(grace)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


if __name__ == "__main__":
    raise SystemExit(main())

"""A Kafka-protocol broker without installation: librdkafka's mock cluster, hosted in a process of its own.

Belongs here: the host process and the handle that starts, finds and stops it. Its limits: a partition keeps its newest
5 MiB or 100,000 messages, time lookups are not answered, and nothing survives its process. For anything that must last,
set `EV_KAFKA_BOOTSTRAP` to a real broker; nothing else changes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from typing import IO

from ev_platform.errors import UserError

START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_PARENT_CHECK_SECONDS = 1.0


class EmbeddedBroker:
    """Context manager: a broker in a child process that dies with its parent, even when that is killed with SIGKILL.

    Raises:
        UserError: the broker did not come up within `START_SECONDS`.
    """

    def __init__(self, start_seconds: float = START_SECONDS) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ev_platform.ingest.embedded_broker"],
            stdin=subprocess.PIPE,  # held open by this process only: its end is the child's signal to leave
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.bootstrap = self._await_address(start_seconds)

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the broker's process still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the broker; its messages and committed offsets are gone."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def __enter__(self) -> EmbeddedBroker:
        """The running broker."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def _await_address(self, seconds: float) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        address = self._process.stdout.readline().decode().strip() if ready else ""
        if address:
            return address
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self.stop()
        reason = f": {said[-1]}" if said else ""
        raise UserError(
            f"the embedded broker did not start within {seconds:g} s{reason}; set EV_KAFKA_BOOTSTRAP to a Kafka broker"
        )


def serve() -> None:
    """Host the broker until stdin closes, the parent is gone, or SIGTERM arrives."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we end
    parent = os.getppid()
    from confluent_kafka import Producer

    host = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    broker = next(iter(host.list_topics(timeout=10).brokers.values()))
    print(f"{broker.host}:{broker.port}", flush=True)
    while os.getppid() == parent:
        ready, _, _ = select.select([sys.stdin], [], [], _PARENT_CHECK_SECONDS)
        if ready and not os.read(sys.stdin.fileno(), 4096):
            break
    os._exit(0)  # nothing to save; destroying the cluster would wait for its clients


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        serve()

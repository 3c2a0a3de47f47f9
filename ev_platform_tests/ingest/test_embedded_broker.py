"""The embedded broker: there when asked, gone with its parent, clear when it cannot start."""

import os
import signal
import subprocess
import sys
import time

import pytest
from confluent_kafka import Consumer

from ev_platform.errors import UserError
from ev_platform.ingest import embedded_broker
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform_tests.ingest.helpers import Sent, send


def gone(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_serves_and_stops():
    with EmbeddedBroker() as broker:
        assert broker.alive()
        send(broker.bootstrap, "t", [Sent(b"x")] * 3)
        client = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "log_level": 0})
        assert "t" in client.list_topics(timeout=5).topics
        client.close()
        pid = broker.pid
    assert gone(pid)
    assert not broker.alive()


PARENT = """
import os, sys, time
from ev_platform.ingest.embedded_broker import EmbeddedBroker
broker = EmbeddedBroker()
print(broker.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not os.path.exists("/proc"), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_dies_with_its_parent(number):
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    try:
        pid = int(parent.stdout.readline())
        assert not gone(pid, 0.1)
        parent.send_signal(number)
        parent.wait(5)
        assert gone(pid)
    finally:
        parent.kill()
        parent.stdout.close()


def test_ends_on_sigterm_and_survives_ctrl_c():
    with EmbeddedBroker() as broker:
        os.kill(broker.pid, signal.SIGINT)
        send(broker.bootstrap, "t", [Sent(b"x")])
        os.kill(broker.pid, signal.SIGTERM)
        broker._process.wait(5)
        assert not broker.alive()


def test_a_broker_that_does_not_start_is_one_clear_line(monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no library >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(embedded_broker.sys, "executable", str(broken))
    with pytest.raises(UserError, match=r"embedded broker did not start.*no library.*EV_KAFKA_BOOTSTRAP"):
        EmbeddedBroker()


def test_a_broker_that_hangs_is_ended(monkeypatch, tmp_path):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(embedded_broker.sys, "executable", str(hanging))
    monkeypatch.setattr(embedded_broker, "_STOP_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"within 0.2 s"):
        EmbeddedBroker(start_seconds=0.2)

"""Every live store that can be started here: embedded SQLite, a real Redis, a server that speaks MongoDB's protocol."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port, process, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the server does not listen")


def program(name, hint):
    """Path of a program; without it the test is skipped on a laptop and fails in CI."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed ({hint})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextmanager
def started(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        listening(port, process)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def sqlite_url(folder: Path):
    yield "sqlite"


@contextmanager
def redis_url(folder: Path):
    server, port = program("redis-server", "apt-get install redis-server"), free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with started(command, port):
        yield f"redis://127.0.0.1:{port}/0"


SERVERS = {"sqlite": sqlite_url, "redis": redis_url}

"""Every live store that can be started here: embedded SQLite, a real Redis, a server that speaks MongoDB's protocol."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
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


FERRETDB = ("github.com/FerretDB/FerretDB", "v1.24.2")
"""The last line that needs no more than SQLite; built once from the Go module proxy, about two minutes."""


def ferretdb():
    """A server that speaks MongoDB's protocol: Debian has no mongod."""
    module, version = FERRETDB
    built = Path(__file__).parents[2] / ".cache" / f"ferretdb-{version}"
    if not built.exists():
        if not os.environ.get("CI"):
            pytest.skip("no MongoDB-protocol server: CI=1 builds one (needs go)")
        go = program("go", "needed to build FerretDB")
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
        with tempfile.TemporaryDirectory() as folder:
            told = subprocess.run(
                [go, "mod", "download", "-json", f"{module}@{version}"],
                cwd=folder, env=environment, check=True, capture_output=True,
            )  # fmt: skip
            source = Path(folder) / "source"
            shutil.copytree(json.loads(told.stdout)["Dir"], source, copy_function=shutil.copyfile)
            subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)
            # the published module lacks this file, without which the program refuses to start
            (source / "build/version/version.txt").write_text(version)
            built.parent.mkdir(exist_ok=True)
            subprocess.run(
                [go, "build", "-o", str(built), "./cmd/ferretdb"],
                cwd=source, env=environment, check=True, capture_output=True,
            )  # fmt: skip
    return str(built)


@contextmanager
def mongodb_url(folder: Path):
    server, port = ferretdb(), free_port()
    command = [server, f"--listen-addr=127.0.0.1:{port}", "--debug-addr=-", "--handler=sqlite", "--telemetry=disable"]
    command += [f"--sqlite-url=file:{folder}/", f"--state-dir={folder}", "--log-level=error"]
    with started(command, port):
        yield f"mongodb://127.0.0.1:{port}/live"


SERVERS = {"sqlite": sqlite_url, "redis": redis_url, "mongodb": mongodb_url}

"""A real PostgreSQL server of its own, from Debian's binaries, on loopback. It refuses root: root lends it a user."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from ev_platform_tests.lake.live_stores import free_port


def binaries():
    """Folder of initdb and postgres; without one the test is skipped on a laptop and fails in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    found += [Path(path) for name in ("postgres",) if (path := shutil.which(name))]
    folder = next(
        (path.resolve().parent for path in reversed(found) if (path.resolve().parent / "initdb").exists()), None
    )
    if folder is None:
        message = "PostgreSQL is not installed (apt-get install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@contextmanager
def postgres():
    """URL of a new, empty server."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # pytest's own folders are closed to other users
    who = {}
    if os.getuid() == 0:
        user = next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    commands, port, data = binaries(), free_port(), folder / "data"
    try:
        init = [str(commands / "initdb"), "-D", str(data), "-U", "ev", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(init, check=True, capture_output=True, cwd=folder, **who)
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "fsync=off", "-k", str(folder)]
        server = subprocess.Popen(
            [str(commands / "postgres"), "-D", str(data), *options],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
        )  # fmt: skip
        url = f"postgresql://ev@127.0.0.1:{port}/postgres"
        try:
            ready(url, server)
            yield url
        finally:
            server.terminate()
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ready(url, server, seconds=60):
    until = time.monotonic() + seconds
    while True:
        try:
            psycopg2.connect(url).close()
            return
        except psycopg2.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)

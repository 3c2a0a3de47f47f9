"""Runs of `ev demo` in folders of their own, and what they left there; shared by the demo's tests."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

SIZE = ["--vehicles", "5", "--days", "2"]
CHAIN = [*SIZE, "--no-side-domains"]
LINE = "0 lost, 0 doubled"


def start(folder, *, options=CHAIN, **environment):
    """The demo in a process group of its own; its output goes to a file."""
    folder.mkdir(exist_ok=True)
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ev_platform.cli", "demo", *options],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def finish(folder, *, options=CHAIN, **environment):
    """Run the demo to its end; returns its output."""
    code = start(folder, options=options, **environment).wait(900)
    output = (folder / "output.txt").read_text()
    assert code == 0, output
    assert LINE in output
    assert "problem" not in output
    return output


def health_table(output):
    """The rows of the battery health table."""
    return re.findall(r"^│ (EVP\w+ .*)│$", output, re.MULTILINE)


def contents(lake):
    """Every object of a lake on a folder and its hash; locks are no objects."""
    files = [path for path in Path(lake).rglob("*") if path.is_file() and ".locks" not in path.parts]
    return {str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def data_of(lake):
    """The tables people read, without receipts of how they came about."""
    prefixes = ("compressed", "cleaned", "segments", "results", "ref", "temp", "quarantine")
    return {key: digest for key, digest in contents(lake).items() if key.startswith(prefixes)}


def duration(folder):
    """Seconds that the finished demo took, as it printed them."""
    return float(re.search(r"doubled\s+in (\d+) s", (folder / "output.txt").read_text())[1])

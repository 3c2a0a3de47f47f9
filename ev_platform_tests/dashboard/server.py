"""A dashboard of its own on a free port of loopback, as a user would start it; and what every page must not show.

Belongs here: starting, waiting, opening a page. Not here: what is checked.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from ev_platform_tests.browser import Tab, browser_tab, chromium

PAGES = {
    "": "Fleet",
    "vehicle": "Vehicle",
    "alarms": "Telematics alarms",
    "charging": "Charging & grid",
    "grid": "Live grid",
    "atlas": "Energy atlas",
    "market": "Market value",
    "health": "Data health",
}
"""Address → title."""
IDLE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState == 'notRunning'"
TITLE = "(document.querySelector('h1')?.innerText ?? '').trim()"
LOOKED_FOR = re.compile(r"404 .*/_stcore/(health|host-config)|status of 404 .*/_stcore/(health|host-config)")
"""A page opened by its own address looks for the server below that address first: Streamlit's way, no error."""


def need_chromium() -> None:
    """Skip on a laptop without Chromium; in CI its absence is a failure."""
    if chromium() is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is needed in CI: apt-get install chromium")
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dashboard(lake: Path, state: Path, **environment: str) -> Iterator[str]:
    """URL of a dashboard on that lake; ended by its process id."""
    port = free_port()
    ours = {"EV_LAKE_URL": str(lake), "EV_STATE_DIR": str(state), "EV_DASHBOARD_PORT": str(port), **environment}
    state.mkdir(parents=True, exist_ok=True)
    log = (state / "dashboard.log").open("wb")
    command = [sys.executable, "-m", "ev_platform.cli", "dashboard"]
    process = subprocess.Popen(command, env={**os.environ, **ours}, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, (state / "dashboard.log").read_text()
            try:
                if requests.get(f"{url}/_stcore/health", timeout=2).ok:
                    break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@contextmanager
def tab() -> Iterator[Tab]:
    """A tab of a browser, wide enough for the pages."""
    need_chromium()
    with browser_tab() as opened:
        opened.size(1400, 1200)
        yield opened


def open_page(opened: Tab, url: str, title: str) -> float:
    """Open a page and wait until all of it is there; seconds until then."""
    opened.open(url)
    seconds = opened.wait(f"{IDLE} && {TITLE} == {title!r}")
    settle(opened)
    return seconds


def settle(opened: Tab) -> None:
    """Wait until nothing has run for a moment: a value out of the address makes a page run once more."""
    quiet = 0
    while quiet < 4:
        quiet = quiet + 1 if opened.run(IDLE) else 0
        time.sleep(0.05)


def click(opened: Tab, label: str) -> None:
    """Press the button with that text, as soon as it is there."""
    button = f"[...document.querySelectorAll('button')].find(b => b.innerText.trim().endsWith({label!r}))"
    opened.wait(f"!!{button}")
    opened.run(f"{button}.click()")


def wrong(opened: Tab) -> list[str]:
    """What the page or the console complain about."""
    shown = opened.run("[...document.querySelectorAll('[data-testid=stException]')].map(e => e.innerText)")
    return [*shown, *(text for text in opened.complaints() if not LOOKED_FOR.search(text))]


def figure(opened: Tab, label: str) -> str:
    """Value of the metric with that label, as soon as it is there; empty if it never is."""
    script = (
        "[...document.querySelectorAll('[data-testid=stMetric]')].find(m => "
        f"m.querySelector('[data-testid=stMetricLabel]').innerText.trim() == {label!r})"
        "?.querySelector('[data-testid=stMetricValue]').innerText.trim() ?? ''"
    )
    for _ in range(100):
        if found := str(opened.run(script)):
            return found
        time.sleep(0.1)
    return ""

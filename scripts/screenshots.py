"""Pictures for the README, taken in headless Chromium from a finished demo's data: `make screenshots`.

Starts the Dagster UI and the dashboard on free ports of loopback, takes the pictures, stops both by process id. Needs
Chromium (Debian: chromium) and the extra `dashboard`.
Usage: python scripts/screenshots.py FOLDER
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import requests

from ev_platform.commands.demo import FIRST_DAY
from ev_platform.lake.store import ObjectStore
from ev_platform.report.html import to_html
from ev_platform.report.lake import report_of
from ev_platform.settings import load_settings
from ev_platform_tests.browser import browser_tab, chromium
from ev_platform_tests.dashboard.server import dashboard, free_port, open_page

VIN = "EVPTESLA001000002"
DAGSTER = {
    "asset-graph.png": ("/asset-groups", (1800, 1100)),
    "vehicle-graph.png": (
        "/assets/results/battery_health?view=lineage&lineageScope=upstream&lineageDepth=6",
        (2000, 1000),
    ),
    "partitions.png": ("/assets/lake/compressed?view=partitions&partition=2026-11-03", (1600, 1000)),
}
DASHBOARD = {
    "fleet.png": ("", "Fleet", (1500, 1150), False),
    "fleet-dark.png": ("", "Fleet", (1500, 1150), True),
    "vehicle.png": (f"vehicle?vin={VIN}", "Vehicle", (1500, 1250), False),
    "charging.png": ("charging", "Charging & grid", (1500, 1500), False),
    "grid.png": ("grid", "Live grid", (1500, 900), False),
}
SETTLE_SECONDS = 12


def main() -> int:
    """Take all pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings(start_day=FIRST_DAY)
    if chromium() is None:
        print("Chromium is not installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    if not (settings.dagster_home / "dagster.yaml").exists():
        print("there is no finished demo here: make demo", file=sys.stderr)
        return 1
    state = settings.state_dir.expanduser().resolve()
    with browser_tab() as tab:
        port = free_port()
        command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)]
        environment = settings.child_environment()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen([*command, "-m", "ev_platform.definitions"], env=environment, **quiet)  # noqa: S603
        try:
            _wait(f"http://127.0.0.1:{port}/server_info")
            for name, (path, size) in DAGSTER.items():
                tab.size(*size)
                tab.open(f"http://127.0.0.1:{port}{path}")
                time.sleep(SETTLE_SECONDS)
                tab.picture(folder / name)
                print(folder / name)
        finally:
            server.terminate()
            server.wait()
        with dashboard(Path(settings.lake), state / "screenshots") as url:
            for name, (path, title, size, dark) in DASHBOARD.items():
                tab.size(*size, dark)
                open_page(tab, f"{url}/{path}", title)
                time.sleep(2)
                tab.picture(folder / name)
                print(folder / name)
        page = state / "report.html"
        page.write_text(to_html(report_of(ObjectStore(settings.lake), VIN)))
        tab.size(900, 1420)
        tab.open(page.as_uri())
        time.sleep(1)
        tab.picture(folder / "report.png")
        print(folder / "report.png")
    return 0


def _wait(url: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise SystemExit(f"{url} did not answer")


if __name__ == "__main__":
    raise SystemExit(main())

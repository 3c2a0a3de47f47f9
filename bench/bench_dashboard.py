"""Dashboard: seconds until a page is all there, and until a changed filter shows, with 10,000 vehicles and a year.

A server as a user starts it, a real Chromium on the same machine. Wall seconds: what a reader waits for. The first page
of a fresh server imports the application; it is opened once before.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.harness import Section, Target
from ev_platform_tests.dashboard.big_lake import vins, write
from ev_platform_tests.dashboard.server import IDLE, PAGES, dashboard, open_page, settle, tab

VEHICLES, DAYS = 10_000, 365
METRIC = "document.querySelector('[data-testid=stMetricValue]')?.innerText.trim()"


def _changed(page, act) -> float:  # noqa: ANN001 - a tab, and what a reader does
    before = page.run(METRIC)
    begin = time.perf_counter()
    act()
    page.wait(f"{IDLE} && {METRIC} != {before!r}")
    return time.perf_counter() - begin


def sections() -> list[Section]:
    """The bench."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(str(folder / "lake"), VEHICLES, DAYS)
        with tab() as page, dashboard(folder / "lake", folder / "state") as url:
            open_page(page, f"{url}/atlas", "Energy atlas")
            vin = vins(VEHICLES)[4321]
            paths = {title: path for path, title in PAGES.items()}
            paths["Vehicle"] = f"vehicle?vin={vin}"
            paths |= {
                f"Vehicle, {view}": f"vehicle?vin={vin}&view={view}" for view in ("Charging", "Driving", "Timeline")
            }
            first = {title: open_page(page, f"{url}/{path}", title.split(",")[0]) for title, path in paths.items()}
            again = {title: open_page(page, f"{url}/{path}", title.split(",")[0]) for title, path in paths.items()}
            open_page(page, f"{url}/", "Fleet")
            settle(page)
            page.run("document.querySelector('[aria-label=\"VIN contains\"]').focus()")
            filtered = _changed(page, lambda: page.type("0012"))
            open_page(page, f"{url}/vehicle?vin={vin}", "Vehicle")
            begin = time.perf_counter()
            page.run(
                "[...document.querySelectorAll('button')].find(b => b.innerText.includes('Battery report')).click()"
            )
            page.wait(f"{IDLE} && document.body.innerText.includes('Verification id')")
            report = time.perf_counter() - begin
    rows = [{"page": title, "first s": f"{first[title]:.2f}", "again s": f"{again[title]:.2f}"} for title in first]
    rows.append({"page": "Fleet: a filter changed", "first s": f"{filtered:.2f}", "again s": ""})
    rows.append({"page": "battery report made", "first s": f"{report:.2f}", "again s": ""})
    slowest = max(first.values())
    return [
        Section(
            "Dashboard: 10,000 vehicles, a year of results",
            "Wall seconds in Chromium on the same two cores; `first`: nothing of the page is in the server's cache.",
            rows,
            [
                Target("slowest page", f"{slowest:.2f} s", "< 2 s", slowest < 2),
                Target("a filter changed", f"{filtered:.2f} s", "< 0.5 s", filtered < 0.5),
                Target("battery report", f"{report:.2f} s", "< 5 s", report < 5),
            ],
        )
    ]

"""Pictures of the Dagster UI for the README, taken in headless Chromium over the DevTools protocol.

Usage: python scripts/screenshots.py URL FOLDER; the UI must run (`ev up`). Needs Chromium (Debian: chromium).
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import websockets

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
PAGES = {
    "asset-graph.png": ("/asset-groups", (1800, 1100)),
    "vehicle-graph.png": (
        "/assets/results/battery_health?view=lineage&lineageScope=upstream&lineageDepth=6",
        (2000, 1000),
    ),
    "partitions.png": ("/assets/lake/compressed?view=partitions&partition=2026-11-03", (1600, 1000)),
}
SETTLE_SECONDS = 12


class Tab:
    """One browser tab: send a command, wait for its answer."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **params: object) -> dict[str, object]:
        """Answer of one DevTools command."""
        self._number += 1
        await self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.recv())
            if message.get("id") == self._number:
                return message.get("result", {})


async def take(address: str, url: str, folder: Path) -> None:
    """Take all pictures through the tab at `address`."""
    async with websockets.connect(address, max_size=2**26) as socket:
        tab = Tab(socket)
        await tab.call("Page.enable")
        for name, (path, (width, height)) in PAGES.items():
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            await tab.call("Emulation.setDeviceMetricsOverride", **size)
            await tab.call("Page.navigate", url=url + path)
            await asyncio.sleep(SETTLE_SECONDS)
            picture = await tab.call("Page.captureScreenshot", format="png")
            (folder / name).write_bytes(base64.b64decode(str(picture["data"])))
            print(folder / name)


def main() -> None:
    """Start a browser, take the pictures, stop it."""
    url, folder = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        browser = subprocess.Popen(  # noqa: S603
            [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.PIPE, text=True
        )
        try:
            assert browser.stderr is not None
            address = next(line.split()[-1] for line in browser.stderr if line.startswith("DevTools listening"))
            port = address.split(":")[2].split("/")[0]
            asyncio.run(take(first_tab(port), url, folder))
        finally:
            browser.terminate()
            browser.wait()


def first_tab(port: str) -> str:
    """WebSocket address of the browser's first tab."""
    import requests

    tabs = requests.get(f"http://127.0.0.1:{port}/json", timeout=10).json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))


if __name__ == "__main__":
    main()

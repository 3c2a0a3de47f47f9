"""Headless Chromium over the DevTools protocol, for tests of pages and for pictures.

Belongs here: one browser process, its tab, what the page shows and what it complains about. Not here: what is checked.
Nothing is fetched from elsewhere: the browser is told to stay on loopback.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def chromium() -> str | None:
    """Path of the browser, if there is one."""
    return shutil.which("chromium") or shutil.which("google-chrome")


class Tab:
    """One page: send a command, wait for its answer; events that come meanwhile are kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Answer of one command."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message.get("result", {})
            self.events.append(message)

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression; a promise is awaited."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", script))
        return found["result"].get("value")

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """Size of the window in pixels, and which colours the reader's system prefers."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to an address; what earlier pages complained about is forgotten."""
        self.events.clear()
        self.call("Page.navigate", url=url)

    def wait(self, script: str, seconds: float = 30.0) -> float:
        """Wait until an expression is true; how long that took.

        Raises:
            TimeoutError: it never was.
        """
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            try:
                if self.run(script):
                    return time.perf_counter() - begin
            except RuntimeError:  # the page is being replaced
                pass
            time.sleep(0.02)
        raise TimeoutError(f"after {seconds:.0f} s still not: {script}; the page says: {self.text()[:400]!r}")

    def press(self, key: str, code: int, text: str = "") -> None:
        """One key, down and up."""
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **typed)

    def type(self, text: str) -> None:
        """Type into what has the focus, then Enter."""
        self.call("Input.insertText", text=text)
        self.press("Enter", 13, "\r")

    def text(self) -> str:
        """What a reader can read."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def complaints(self) -> list[str]:
        """Errors of the console, exceptions, and answers of the server that are errors."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"].get("exception", {}).get("description", params)))
            elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
                found.append(" ".join(str(one.get("value", one.get("description"))) for one in params["args"]))
            elif method == "Network.responseReceived" and params["response"]["status"] >= 400:
                found.append(f"{params['response']['status']} {params['response']['url']}")
        return found

    def picture(self, path: Path, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser_tab() -> Iterator[Tab]:
    """A tab of a browser of its own, which ends with the block.

    Raises:
        RuntimeError: Chromium is not installed.
    """
    program = chromium()
    if program is None:
        raise RuntimeError("Chromium is not installed (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.PIPE, text=True
        )
        try:
            assert browser.stderr is not None
            address = next(line.split()[-1] for line in browser.stderr if line.startswith("DevTools listening"))
            port = address.split(":")[2].split("/")[0]
            tabs = requests.get(f"http://127.0.0.1:{port}/json", timeout=10).json()
            url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with connect(url, max_size=2**27) as socket:
                yield Tab(socket)
        finally:
            browser.terminate()
            browser.wait()

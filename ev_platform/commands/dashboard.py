"""`ev dashboard`: the pages of dashboard/ in a Streamlit server of their own, on loopback unless told otherwise."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from ev_platform.errors import UserError
from ev_platform.settings import Settings

APP = Path(__file__).resolve().parent.parent / "dashboard" / "app.py"
OPTIONS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",
    "runner.magicEnabled": "false",
    "theme.metricValueFontSize": "1.5rem",
    "theme.light.primaryColor": "#0072B2",
    "theme.dark.primaryColor": "#56B4E9",
}
"""Nobody is asked for an e-mail address, nothing is sent anywhere, and a reader never sees a traceback."""


def installed() -> bool:
    """Whether the extra `dashboard` is there."""
    return importlib.util.find_spec("streamlit") is not None and importlib.util.find_spec("altair") is not None


def dashboard_command(settings: Settings, address: str = "127.0.0.1") -> list[str]:
    """The command line of the server.

    Raises:
        UserError: the extra is not installed.
    """
    if not installed():
        raise UserError("the dashboard is an extra: pip install --require-hashes -r requirements-dashboard.lock")
    options = {**OPTIONS, "server.port": str(settings.dashboard_port), "server.address": address}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def run_dashboard(settings: Settings, address: str) -> NoReturn:
    """Become the server: whoever stops this process stops it.

    Raises:
        UserError: the extra is not installed.
    """
    command = dashboard_command(settings, address)
    url = f"http://{address}:{settings.dashboard_port}"
    print(f"dashboard on {url} (lake {settings.lake}); Ctrl-C stops it", flush=True)
    os.execve(command[0], command, settings.child_environment())  # noqa: S606 - our own command

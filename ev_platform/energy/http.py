"""HTTP for open data portals: retries that wait as told, time limits, errors in one line.

Not here: what a portal's answers mean (explore.py, data_fair.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.response import BaseHTTPResponse

from ev_platform.errors import UserError

TIMEOUT = (5, 60)
"""Seconds to connect, and between two pieces of an answer."""

LONGEST_WAIT_SECONDS = 60
"""A portal may ask to wait until its daily quota starts again at midnight: then a run ends and says so."""


class PortalError(UserError):
    """A portal refused, is away, or sent something broken; the message says which and what to do."""


class BrokenExport(PortalError):
    """An answer that began well and did not end well; asking again may help."""


class CappedRetry(Retry):
    """`Retry` that does not wait for tomorrow."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds to wait, or an end if they are too many."""
        seconds = super().get_retry_after(response)
        if seconds is not None and seconds > LONGEST_WAIT_SECONDS:
            raise PortalError(
                f"the portal asks to wait {seconds:.0f} s (its quota is used up): run again later; what is stored stays"
            )
        return seconds


def open_session(backoff_seconds: float = 0.5) -> requests.Session:
    """A session that repeats a GET five times when the portal is busy (429) or ill (5xx)."""
    retry = CappedRetry(
        total=5,
        backoff_factor=backoff_seconds,
        status_forcelist=[429, 500, 502, 503, 504],
        allowed_methods={"GET"},
        respect_retry_after_header=True,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def get(
    session: requests.Session, url: str, params: Mapping[str, Any] | None = None, *, stream: bool = False
) -> requests.Response:
    """A good answer.

    Raises:
        PortalError: anything else, with the portal's own message.
    """
    try:
        response = session.get(url, params=params, timeout=TIMEOUT, stream=stream)
    except requests.RequestException as error:
        raise PortalError(f"{_place(url)} does not answer ({type(error).__name__}): try again later") from error
    if response.ok:
        return response
    message = said(response)
    response.close()
    hint = {
        401: "its key is wrong",
        403: "access is not allowed",
        404: "there is no such dataset: it may have moved, see EV_ENERGY_SOURCES",
        429: "too many requests: run again later",
    }.get(response.status_code, "")
    raise PortalError(f"{_place(url)} answers {response.status_code}{f', {hint}' if hint else ''}: {message}")


def said(response: requests.Response) -> str:
    """What the portal says in an error, in one line. Portals name the fields differently."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    if isinstance(body, dict):
        code = body.get("error_code") or body.get("errorcode") or ""
        text = body.get("message") or body.get("error") or ""
        reset = f" (quota starts again {body['reset_time']})" if body.get("reset_time") else ""
        return f"{code} {text}{reset}".strip()
    return " ".join(str(body).split())[:200]


def _place(url: str) -> str:
    """A URL without its query, which may hold a key."""
    return url.partition("?")[0]

"""The common part of all stand-ins: a small HTTP server with a clock, a log and faults on demand.

Belongs here: sockets, injected faults, cars. Not here: what a provider answers (one module each).
"""

from __future__ import annotations

import json
import secrets
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from ev_platform.providers.base import Clock

Known = Mapping[str, tuple[Any, int]]
"""What a provider knows of a car: canonical name → (value, time of the value in ms since 1970)."""
Cars = Mapping[str, Callable[[int], Known]]
"""VIN → what is known at a time (ms since 1970); empty when nothing is known yet."""


class Request(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """Body as a form."""
        return dict(parse_qsl(self.body.decode()))

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Body as JSON."""
        return json.loads(self.body or b"null")

    @property
    def bearer(self) -> str:
        """The bearer token; empty without."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Reply(NamedTuple):
    """One answer. `cut`: the connection breaks after so many bytes."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    cut: int | None = None


def as_json(status: int, value: object, **headers: str) -> Reply:
    """An answer of JSON."""
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


@dataclass
class Fault:
    """An injected fault: the next `times` requests whose path contains `path` get `reply`, or what it makes of them."""

    path: str
    reply: Reply | Callable[[Reply], Reply]
    times: int = 1


@dataclass
class StandIn:
    """A provider's server. Subclasses answer; this class serves, logs and damages."""

    cars: Cars
    clock: Clock
    faults: list[Fault] = field(default_factory=list)
    log: list[tuple[str, str, int]] = field(default_factory=list)
    """(method, path, status) of every request."""
    clock_error_ms: int = 0
    """How wrong the server's own clock (`Date`) is."""

    def answer(self, request: Request) -> Reply:
        """The provider's answer."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def token(self, kind: str) -> str:
        """A new secret, recognisable in a search."""
        return f"standin-{kind}-{secrets.token_hex(12)}"

    def number(self, vin: str) -> str:
        """An id of an answer: another one for every moment, the same one in every run."""
        return f"{zlib.crc32(f'{vin} {self.clock.now_ms()}'.encode()):08x}"

    def requests(self, path: str = "") -> int:
        """How many requests with that in their path were answered."""
        return sum(path in found for _, found, _ in self.log)

    def __enter__(self) -> Self:
        """Serve from now on."""
        owner, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(
                    self.command, unquote(url.path), dict(parse_qsl(url.query)), headers, self.rfile.read(length)
                )
                with lock:
                    reply = owner._reply(request)
                    owner.log.append((request.method, request.path, reply.status))
                self.send_response_only(reply.status)
                now = owner.clock.now_ms() + owner.clock_error_ms
                for name, value in {"Date": formatdate(now / 1000, usegmt=True), **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
                if reply.cut is not None:
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = _serve

            def log_message(self, *args: object) -> None:
                """Nothing on stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _reply(self, request: Request) -> Reply:
        for fault in self.faults:
            if fault.times > 0 and fault.path in request.path:
                fault.times -= 1
                return fault.reply(self.answer(request)) if callable(fault.reply) else fault.reply
        return self.answer(request)


def iso(milliseconds: int) -> str:
    """RFC 3339 text in UTC."""
    from datetime import UTC, datetime

    return (
        datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds % 1000:03d}Z"
    )

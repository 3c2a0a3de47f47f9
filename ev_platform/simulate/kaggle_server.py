"""A stand-in for Kaggle's download API: both kinds of keys, versions, the redirect to a storage host, its errors.

Contract and odd behaviours: Kaggle's API as its own client speaks it (view, download, 302 to a signed address on a
storage host that refuses a request which still carries the key; zip body; JSON errors with code and message).
"""

from __future__ import annotations

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DATASET = "syedanwarafridi/vehicle-sales-data"
FILE = "car_prices.csv"
TOKEN, USERNAME, KEY = "demo-token", "demo-user", "demo-key"
SIGNATURE = "signed"
MOMENT = (1980, 1, 1, 0, 0, 0)

ERRORS = {
    401: "Unauthenticated",
    403: "Permission 'datasets.get' was denied",
    404: "Not found",
    429: "Too Many Requests",
}


@dataclass
class Published:
    """What the stand-in serves; tests change it while it runs."""

    versions: dict[int, bytes]
    updated: str = "2024-02-21T20:15:03.96Z"
    plain: bool = False
    """The file itself instead of a zip."""
    fail_next: list[int] = field(default_factory=list)
    """Status codes of the next answers, once each."""
    cut_next: int = 0
    """So many downloads break off in the middle."""
    damaged: bool = False
    refused_terms: bool = False
    requests: list[tuple[str, str, bool]] = field(default_factory=list)
    """(host, path, had a key) of every request."""


@contextmanager
def kaggle_server(published: Published) -> Iterator[str]:
    """Address of an API host and, behind its redirect, of a storage host, both on loopback."""
    storage = _serve(_Storage, published, "")
    api = _serve(_Api, published, f"http://127.0.0.1:{storage.server_port}")
    try:
        yield f"http://127.0.0.1:{api.server_port}"
    finally:
        for server in (api, storage):
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    published: Published
    storage_url: str


def _serve(handler: type[BaseHTTPRequestHandler], published: Published, storage_url: str) -> _Server:
    server = _Server(("127.0.0.1", 0), handler)
    server.published, server.storage_url = published, storage_url
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    host = ""

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def error(self, status: int) -> None:
        body = json.dumps({"code": status, "message": ERRORS.get(status, "Internal error")}).encode()
        self.answer(status, body, Content_Type="application/json", Retry_After="0")

    def seen(self) -> bool:
        """Note the request; answer with the next fault, if one is planned."""
        published = self.server.published
        published.requests.append((self.host, self.path, "Authorization" in self.headers))
        if not published.fail_next:
            return False
        self.error(published.fail_next.pop(0))
        return True


class _Api(_Handler):
    host = "api"

    def do_GET(self) -> None:
        """`view` and `download`, for whoever has a key."""
        published = self.server.published
        if self.seen():
            return
        path = urlsplit(self.path).path.removeprefix("/api/v1/datasets/")
        if not self._known():
            self.error(401)
        elif published.refused_terms:
            self.error(403)
        elif path == f"view/{DATASET}":
            view = {
                "currentVersionNumber": max(published.versions),
                "lastUpdated": published.updated,
                "licenseName": "simulated",
            }
            self.answer(200, json.dumps(view).encode(), Content_Type="application/json")
        elif path == f"download/{DATASET}/{FILE}":
            asked = parse_qs(urlsplit(self.path).query).get("datasetVersionNumber", [str(max(published.versions))])[0]
            where = f"{self.server.storage_url}/{asked}/archive.zip?X-Goog-Signature={SIGNATURE}"
            self.answer(302, b"", Location=where)
        else:
            self.error(404)

    def _known(self) -> bool:
        basic = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
        return self.headers.get("Authorization", "") in (f"Bearer {TOKEN}", f"Basic {basic}")


class _Storage(_Handler):
    host = "storage"

    def do_GET(self) -> None:
        """The body, for a signed address; 400 for a request that carries a key, as a storage host does."""
        published = self.server.published
        if self.seen():
            return
        version = int(urlsplit(self.path).path.split("/")[1])
        if "Authorization" in self.headers or SIGNATURE not in self.path or version not in published.versions:
            self.error(400)
            return
        data = published.versions[version]
        body = data if published.plain else _zipped(data)
        if published.damaged:
            body = body[:60] + bytes(20) + body[80:]
        if published.cut_next:
            published.cut_next -= 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.answer(200, body, Content_Type="application/zip")


def _zipped(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(FILE, MOMENT), data, zipfile.ZIP_DEFLATED)
    return sink.getvalue()

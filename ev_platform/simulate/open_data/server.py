"""The stand-in portals: one HTTP server on loopback that speaks both protocols from one world.

Faults are asked for by name, each happens so many times: `busy` (429), `ill` (500), `cut` (a stream that breaks
midway), `error_inside` (an error inside a started stream), `away_until_tomorrow` (429 with a long Retry-After).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

import orjson

from ev_platform.simulate.open_data import data_fair_server, explore_server
from ev_platform.simulate.open_data.explore_server import Answer
from ev_platform.simulate.open_data.habits import BAD_PARAMETER, REQUESTS_PER_MINUTE, TOO_MANY
from ev_platform.simulate.open_data.world import World, sources_text

DATASETS = {
    "consommation-annuelle-residentielle-par-adresse": "annual_address",
    "consommation-annuelle-d-electricite-et-gaz-par-commune": "annual_commune",
    "consommation-annuelle-d-electricite-et-gaz-par-departement": "annual_department",
    "consommation-annuelle-brute": "annual_national",
    "consommation-annuelle-brute-regionale": "annual_region",
    "consommation-quotidienne-brute": "half_hour_national",
    "consommation-quotidienne-brute-regionale": "half_hour_regional",
    "eco2mix-regional-cons-def": "eco2mix_regional",
    "eco2mix-regional-tr": "eco2mix_regional_tr",
    "eco2mix-national-cons-def": "eco2mix_national",
    "eco2mix-national-tr": "eco2mix_national_tr",
    "h1alt47wy0mt88lu6ybebjf-": "vehicles_commune",
}


class OpenDataServer:
    """Both portals of one world; a context manager that serves while it is open."""

    def __init__(self, world: World, requests_per_minute: int = REQUESTS_PER_MINUTE) -> None:
        self.world = world
        self.faults: Counter[str] = Counter()
        self.asked: list[str] = []
        self._most, self._recent = requests_per_minute, deque[float]()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def explore_url(self) -> str:
        """Base of the Explore API."""
        return f"{self.url}/api/explore/v2.1"

    @property
    def data_fair_url(self) -> str:
        """Base of the Data Fair API."""
        return f"{self.url}/data-fair/api/v1"

    def sources(self) -> str:
        """The product's sources file with this server's addresses."""
        return sources_text(self.explore_url, self.data_fair_url)

    def __enter__(self) -> OpenDataServer:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        """The answer to one GET."""
        with self._lock:
            self.asked.append(path)
            broken = self._fault(path)
        if broken is not None:
            return broken
        explore, compat, fair = "/api/explore/v2.1/catalog/datasets/", "/compat-ods/", "/data-fair/api/v1/datasets/"
        if path.startswith(explore):
            dataset, *rest = path.removeprefix(explore).split("/")
            return self._spoiled(self._explore(dataset, rest, query, compat=False))
        if path.startswith(fair) and compat in path:
            dataset, _, tail = path.removeprefix(fair).partition(compat)
            return self._explore(dataset, tail.split("/"), query, compat=True)
        if path.startswith(fair):
            dataset, *rest = path.removeprefix(fair).split("/")
            if self._too_fast():
                return Answer(429, b"Too many requests", {"Content-Type": "text/plain", "Retry-After": "1"})
            if dataset in DATASETS:
                rows = self.world.rows(DATASETS[dataset])
                return data_fair_server.answer(rows, self.world.updated, rest, query, self.url + path)
        return Answer(404, b"Not found", {"Content-Type": "text/plain"})

    def _explore(self, dataset: str, rest: list[str], query: dict[str, str], *, compat: bool) -> Answer:
        if dataset not in DATASETS:
            return Answer(404, orjson.dumps({"error_code": "DatasetNotFound", "message": f"{dataset} does not exist"}))
        rows = self.world.rows(DATASETS[dataset])
        return explore_server.answer(rows, self.world.updated, rest, query, compat=compat)

    def _fault(self, path: str) -> Answer | None:
        if self._take("busy"):
            body = {**TOO_MANY, "reset_time": "2026-11-26T00:00:00Z"}
            return Answer(429, orjson.dumps(body), {"Content-Type": "application/json", "Retry-After": "0"})
        if self._take("away_until_tomorrow"):
            body = {**TOO_MANY, "reset_time": "2026-11-26T00:00:00Z"}
            return Answer(429, orjson.dumps(body), {"Content-Type": "application/json", "Retry-After": "36000"})
        if self._take("ill"):
            return Answer(500, b"Internal error", {"Content-Type": "text/plain"})
        return None

    def _spoiled(self, good: Answer) -> Answer:
        if good.status == 200 and good.body.count(b"\n") > 1:
            if self._take("cut"):
                good.cut_at = len(good.body) // 2
            elif self._take("error_inside"):
                begun = good.body[: len(good.body) // 2].rpartition(b"\n")[0]
                good.body = begun + b"\n" + orjson.dumps({"error_code": BAD_PARAMETER, "message": "export failed"})
        return good

    def _take(self, fault: str) -> bool:
        if self.faults[fault] > 0:
            self.faults[fault] -= 1
            return True
        return False

    def _too_fast(self) -> bool:
        now = time.monotonic()
        with self._lock:
            while self._recent and self._recent[0] < now - 60:
                self._recent.popleft()
            if len(self._recent) >= self._most:
                return True
            self._recent.append(now)
        return False


def _handler(portal: OpenDataServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found = portal.answer(parts.path, dict(parse_qsl(parts.query)))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body if found.cut_at is None else found.body[: found.cut_at])
            if found.cut_at is not None:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Quiet: the demo has a progress bar."""

    return Handler

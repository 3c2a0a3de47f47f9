"""HTTP with manners: one session per provider, spacing of requests, retries with growing waits, patience when asked.

Belongs here: the only use of `requests`. Not here: what is asked (a provider's module).

408, 429 and 5xx are repeated with growing waits, as long as the server's `Retry-After` allows it within this run; a
longer one ends the run with `BusyError`, and nobody asks again before it is over. Redirects are not followed: a token
belongs to one host.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from ev_platform.providers.base import Answer, AuthError, BusyError, Clock, VehicleError

TIMEOUT_S = (10.0, 60.0)
"""Connect, and between two bytes."""
RETRIES = 4
LONGEST_WAIT_S = 30.0
"""Of a single wait inside a run."""
REPEATED = frozenset({408, 429, 500, 502, 503, 504})
_HIDDEN = "***"
_SHORTEST_SECRET = 6
_BLOCK = 65_536


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Session:
    """One provider's HTTP."""

    def __init__(self, name: str, clock: Clock, per_minute: float | None = None, retries: int = RETRIES) -> None:
        self._name, self._clock, self._retries = name, clock, retries
        self._spacing_ms = 60_000 / per_minute if per_minute else 0.0
        self._next_ms = 0.0
        self._secrets: set[str] = set()
        self._session = requests.Session()
        self._session.auth = _as_it_is
        connects = Retry(
            2, read=False, status=False, redirect=0, other=0, backoff_factor=0.2, respect_retry_after_header=False
        )
        adapter = HTTPAdapter(max_retries=connects)  # connections only: what was sent may count, and is ours to repeat
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def secret(self, value: str) -> str:
        """Remember a value that must never be shown; returns it."""
        if len(value) >= _SHORTEST_SECRET:
            self._secrets.add(value)
        return value

    def scrub(self, text: str) -> str:
        """The text without any secret, longest first."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        retries: int | None = None,
        final: frozenset[int] = frozenset(),
    ) -> Answer:
        """One request, repeated while that may help; statuses in `final` are answers.

        Raises:
            BusyError: 429, or a wait longer than this run has.
            VehicleError: no answer.
        """
        attempts = 1 + (self._retries if retries is None else retries)
        for attempt in range(attempts):
            self._wait_for_turn()
            last = attempt == attempts - 1
            try:
                found = self._session.request(
                    method, url, headers=headers, params=params, json=json, data=form, timeout=TIMEOUT_S,
                    allow_redirects=False,
                )  # fmt: skip
                answer = _answer(found, found.content)
            except (requests.RequestException, HTTPError) as error:
                if last:
                    raise VehicleError(f"no answer ({type(error).__name__})", outage=True) from None
                self._clock.sleep(_wait(attempt))
                continue
            if answer.status not in REPEATED - final:
                return answer
            self._be_patient(answer, attempt, last)
            if last:
                return answer
        raise AssertionError("unreachable")

    def lines(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> tuple[Answer, Iterator[bytes]]:
        """A streamed answer; an answer that must be repeated is, as long as no line of it was read."""
        for attempt in range(1 + self._retries):
            self._wait_for_turn()
            try:
                found = self._session.request(
                    method, url, headers=headers, params=params, timeout=TIMEOUT_S, stream=True, allow_redirects=False
                )
            except (requests.RequestException, HTTPError) as error:
                if attempt == self._retries:
                    raise VehicleError(f"no answer ({type(error).__name__})", outage=True) from None
                self._clock.sleep(_wait(attempt))
                continue
            if found.status_code == 200:
                return _answer(found, b""), _read_lines(found)
            answer = _answer(found, found.content)
            if answer.status not in REPEATED:
                return answer, iter(())
            self._be_patient(answer, attempt, attempt == self._retries)
        return answer, iter(())

    def _be_patient(self, answer: Answer, attempt: int, last: bool) -> None:
        asked = retry_after_s(answer, self._clock)
        wait = _wait(attempt) if asked is None else asked
        if wait > LONGEST_WAIT_S or (last and (answer.status == 429 or asked is not None)):
            raise BusyError(f"{self._name} asks for patience (HTTP {answer.status})", int(max(wait, 1) * 1000))
        if not last:
            self._clock.sleep(wait)

    def _wait_for_turn(self) -> None:
        now = self._clock.now_ms()
        if now < self._next_ms:
            self._clock.sleep((self._next_ms - now) / 1000)
        self._next_ms = max(self._next_ms, now) + self._spacing_ms


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps a .netrc from replacing the Authorization header; proxies and certificates of the environment stay."""
    return request


def _wait(attempt: int) -> float:
    return min(0.5 * 2.0**attempt, LONGEST_WAIT_S)


def retry_after_s(answer: Answer, clock: Clock) -> float | None:
    """Seconds the server asks to wait: a number, or a time compared with the server's own clock where it tells it."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    until = _date_ms(text)
    if until is None:
        return None
    now = clock.now_ms() if answer.date_ms is None else answer.date_ms
    return max(0.0, (until - now) / 1000)


def _date_ms(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, TypeError):
        return None


def _answer(found: requests.Response, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in found.headers.items()}
    return Answer(found.status_code, headers, body, _date_ms(headers.get("date", "")))


def _read_lines(found: requests.Response) -> Iterator[bytes]:
    try:
        rest = b""
        # Whatever has arrived, at once: a read of a whole block would lose what came before the stream broke off.
        while block := found.raw.read1(_BLOCK, decode_content=True):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        if rest:
            yield rest
    except (requests.RequestException, HTTPError) as error:
        raise VehicleError(f"the stream broke off ({type(error).__name__})", outage=True) from None
    finally:
        found.close()


def refuse(name: str, answer: Answer, what: str) -> AuthError:
    """The error of refused credentials: no text of the server, which may quote them."""
    return AuthError(f"{name}: {what} (HTTP {answer.status}): check the credentials in EV_{name.upper()}_*")

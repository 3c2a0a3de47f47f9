"""The one shape of all providers: what a client offers, what it is given, how it says that something went wrong. Pure.

Belongs here: protocols, records and errors. Not here: HTTP (http.py), tokens on disk (tokens.py), what is done with a
payload (pull.py). A provider's module describes requests and reads answers; it opens no socket and no file itself, and
it knows neither Kafka nor Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ev_platform.errors import UserError


class ProviderError(UserError):
    """The whole provider cannot be asked now: the message says why and what to do."""


class AuthError(ProviderError):
    """The credentials are refused, or missing: repeating does not help."""


class BusyError(ProviderError):
    """The provider asks for patience, or its limit is reached: nothing before `retry_ms` (milliseconds from now)."""

    def __init__(self, message: str, retry_ms: int) -> None:
        super().__init__(message)
        self.retry_ms = retry_ms


class VehicleError(Exception):
    """One vehicle cannot be read; the others can. `permanent`: asking again will not help by itself."""

    def __init__(self, reason: str, *, permanent: bool = False, outage: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.outage = outage
        """The provider's fault rather than the vehicle's (5xx, time-out): several in a row mean that it is down."""


class AsleepError(Exception):
    """The vehicle sleeps or has no network: nothing new, nothing wrong, and nobody wakes it."""


class Answer(NamedTuple):
    """An answer of the provider's server."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    date_ms: int | None
    """The server's own clock (`Date`), ms since 1970."""

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """The parsed body.

        Raises:
            VehicleError: the body is no JSON (cut off, or a page of a proxy).
        """
        import orjson

        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise VehicleError(f"answer of {len(self.body)} bytes is not JSON", outage=True) from None


class Http(Protocol):
    """What clients need of HTTP: limits, retries and patience are its business (http.py)."""

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
        """One request; statuses in `final` are answers, never repeated."""

    def lines(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Mapping[str, str]
    ) -> tuple[Answer, Iterator[bytes]]:
        """A streamed answer: status and headers now, lines as they come (raises VehicleError when it breaks off)."""

    def secret(self, value: str) -> str:
        """Remember a value that must never be shown; returns it."""

    def scrub(self, text: str) -> str:
        """The text without any secret."""


class TokenStore(Protocol):
    """Tokens that outlive a process."""

    def load(self, name: str) -> dict[str, Any]:
        """What was saved last; empty when nothing was."""

    def save(self, name: str, value: Mapping[str, Any]) -> None:
        """Durable when it returns; a reader sees the old or the new value."""

    def exclusive(self, name: str) -> Any:  # noqa: ANN401 - a context manager
        """Hold the right to refresh: one process at a time."""


class Clock(Protocol):
    """Time, so that tests and simulations have their own."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Vehicle(NamedTuple):
    """A vehicle as the provider's own list names it."""

    vin: str
    make: str | None = None
    model: str | None = None
    state: str = "active"
    """`active`: it can be asked. Anything else is the provider's word for why not."""


class Fetched(NamedTuple):
    """What asking for one vehicle gave: a payload as received, or why there is none."""

    vin: str
    payload: bytes | None
    date_ms: int | None = None
    error: Exception | None = None


class Provider(Protocol):
    """A provider's client."""

    name: str
    """Also the source and provider of its rows, and the name of its mapping."""
    volatile: frozenset[str]
    """Signals that differ with every answer (request ids, sending times): never news by themselves."""

    whole_fleet: bool
    """One request brings all cars, and there is no list besides it."""

    def vehicles(self) -> list[Vehicle]:
        """The provider's own list of the fleet."""

    def fetch(self, vins: Sequence[str]) -> Iterator[Fetched]:
        """The last known state of each vehicle, one after another.

        Raises:
            ProviderError: the provider itself cannot be asked any more; what was yielded stays good.
        """

    def quota_left(self) -> int | None:
        """Requests left today; None where the provider counts none."""


@dataclass
class Access:
    """What a client is given."""

    http: Http
    tokens: TokenStore
    clock: Clock
    options: Mapping[str, str] = field(default_factory=dict)


def state_error(answer: Answer, asleep: frozenset[int] = frozenset()) -> Exception:
    """The error of an answer about one vehicle that is not 200.

    403, 404, 422 and 451 are the vehicle's own state; what else is left after all retries is the provider's trouble.
    """
    if answer.status in asleep:
        return AsleepError()
    permanent = answer.status in (400, 403, 404, 410, 422, 451)
    return VehicleError(f"HTTP {answer.status}{_code(answer)}", permanent=permanent, outage=not permanent)


def _code(answer: Answer) -> str:
    """The provider's short error code, where its body has one. Free text is left out: it may quote what we sent."""
    import orjson

    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    found = body.get("exveErrorId") or body.get("error") or body.get("name") or first.get("title")
    return f" {found[:40]}" if isinstance(found, str) else ""


def one_by_one(vins: Sequence[str], fetch: Any) -> Iterator[Fetched]:  # noqa: ANN401 - Callable[[str], Answer]
    """Ask for one vehicle after another; one vehicle's failure does not stop the others."""
    for vin in vins:
        try:
            answer = fetch(vin)
        except (VehicleError, AsleepError) as error:
            yield Fetched(vin, None, error=error)
        else:
            yield Fetched(vin, answer.body, answer.date_ms)

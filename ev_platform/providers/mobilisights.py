"""Mobilisights (Stellantis fleet data): the state of the whole fleet in one streamed array, a car a line.

No public specification was found; the shapes follow what one integration saw. Units stand in the payload, each leaf has
its own `datetime`; the percentage is text or a number, an absent remaining time is `{}`. One answer that breaks off
gives the cars that came through; the others are the next poll's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from ev_platform.providers.base import Access, Answer, AuthError, Fetched, Vehicle, VehicleError, state_error
from ev_platform.providers.leaves import Leaf, walk
from ev_platform.providers.oauth import Bearer

NAME = "mobilisights"
TOKEN_LIFE_S = 14 * 86_400
"""Assumed: the answer does not tell. A token refused earlier is renewed by the 401 that says so."""
_PATH = "/connected-fleet/api/exports/car-states.json"


def leaves(payload: Mapping[str, Any]) -> Iterator[Leaf]:
    """`electricity.level.percentage` …; a quantity has the name of its object."""
    yield from walk("", payload, "datetime")


class Mobilisights:
    """Client. Options: url, email, password, fleets (ids, comma-separated; empty: all)."""

    name = NAME
    volatile = frozenset({"_id", "datetimeSending"})
    whole_fleet = True

    def __init__(self, access: Access) -> None:
        self._access, self._options = access, access.options
        self._bearer = Bearer(NAME, access, self._grant, kept=True)
        access.http.secret(self._options["password"])

    def vehicles(self) -> list[Vehicle]:
        """The cars of the export itself: no list besides it is known."""
        return [Vehicle(car.vin) for car in self._cars()]

    def fetch(self, vins: Sequence[str]) -> Iterator[Fetched]:
        """States of the wanted cars (all for none named), as the stream brings them."""
        wanted = set(vins)
        for car in self._cars():
            if not wanted or car.vin in wanted or car.error is not None:
                yield car

    def quota_left(self) -> int | None:
        """No quota is known."""
        return None

    def _cars(self) -> Iterator[Fetched]:
        params = {"v": "2"}
        fleets = [name.strip() for name in self._options.get("fleets", "").split(",") if name.strip()]
        if fleets:
            params["conditions"] = orjson.dumps({"fleets": fleets}).decode()
        streams: list[Iterator[bytes]] = []

        def send(token: str) -> Answer:
            headers = {"Authorization": f"Bearer {token}"}
            answer, lines = self._access.http.lines(
                "GET", f"{self._options['url']}{_PATH}", headers=headers, params=params
            )
            streams.append(lines)
            return answer

        answer = self._bearer.call(send)
        if answer.status != 200:
            raise state_error(answer)
        return _states(streams[-1], answer.date_ms)

    def _grant(self, _: str | None) -> Mapping[str, Any]:
        form = {"email": self._options["email"], "password": self._options["password"]}
        answer = self._access.http.request("POST", f"{self._options['url']}/api/auth/login", form=form)
        if answer.status not in (200, 201):
            raise AuthError(f"{NAME}: the login is refused (HTTP {answer.status}): check EV_MOBILISIGHTS_*")
        found = answer.json()
        token = found.get("authToken") if isinstance(found, dict) else None
        return {"access_token": token, "expires_in": TOKEN_LIFE_S}


def _states(lines: Iterator[bytes], date_ms: int | None) -> Iterator[Fetched]:
    """Cars of the stream: `[`, one object a line with a comma behind it, `]`; all in one line is read too."""
    ended = False
    try:
        for line in lines:
            text = line.strip()
            ended = ended or text.endswith(b"]")
            if text.startswith(b"[") and len(text) > 2:
                text = text[1:]
            for car in _cars_of(text.rstrip(b",").strip()):
                yield _fetched(car, date_ms)
    except VehicleError as error:
        yield Fetched("", None, date_ms, error)
        return
    if not ended:
        yield Fetched("", None, date_ms, VehicleError("the stream ended before its closing bracket", outage=True))


def _cars_of(text: bytes) -> list[bytes]:
    """The cars of one line, as bytes; usually one."""
    if text in (b"", b"[", b"]", b"[]"):
        return []
    try:
        orjson.loads(text)
        return [text]
    except orjson.JSONDecodeError:
        pass
    for candidate in (b"[" + text.removesuffix(b"]") + b"]",):
        try:
            return [orjson.dumps(car) for car in orjson.loads(candidate)]
        except orjson.JSONDecodeError:
            continue
    return [text]  # cut off: it becomes a dead letter, with its text


def _fetched(car: bytes, date_ms: int | None) -> Fetched:
    try:
        document = orjson.loads(car)
    except orjson.JSONDecodeError:
        return Fetched("", car, date_ms)
    vin = document.get("vin") if isinstance(document, dict) else None
    return Fetched(vin if isinstance(vin, str) else "", car, date_ms)

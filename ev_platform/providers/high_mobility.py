"""High Mobility: fleet clearance and vehicle data of about 25 brands through one API (Auto API level 13).

Percentages are fractions 0.0–1.0, quantities carry their unit, every property its own time; a `failure` may stand in
the place of data. The answer is the last known state: polling repeats old times, and only new leaves are kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ev_platform.errors import SettingError
from ev_platform.providers.assertion import signed_assertion
from ev_platform.providers.base import Access, Answer, AuthError, Fetched, Vehicle, one_by_one, state_error
from ev_platform.providers.leaves import Leaf, walk
from ev_platform.providers.oauth import Bearer

NAME = "high_mobility"
APPROVED = "approved"
ENVELOPE = frozenset({"vin", "brand", "request_id"})


def leaves(payload: Mapping[str, Any]) -> Iterator[Leaf]:
    """`charging.battery_level` …: capability and property, parts of a struct behind them."""
    yield from walk("", payload, "timestamp")


class HighMobility:
    """Client. Options: url, client_id, and client_secret or private_key (a PEM file's text) with key_id."""

    name = NAME
    volatile = frozenset({"request_id"})
    whole_fleet = False

    def __init__(self, access: Access) -> None:
        self._access, self._options = access, access.options
        self._bearer = Bearer(NAME, access, self._grant)
        for name in ("client_secret", "private_key"):
            if self._options.get(name):
                access.http.secret(self._options[name])

    def vehicles(self) -> list[Vehicle]:
        """The fleet clearance list, every status; the API describes no pages."""
        answer = self._get("/v1/fleets/vehicles")
        if answer.status != 200:
            raise state_error(answer)
        found = answer.json()
        rows = found if isinstance(found, list) else found.get("vehicles", []) if isinstance(found, dict) else []
        return [_vehicle(row) for row in rows if isinstance(row, dict) and isinstance(row.get("vin"), str)]

    def fetch(self, vins: Sequence[str]) -> Iterator[Fetched]:
        """Last known state per vehicle."""
        return one_by_one(vins, self._state)

    def quota_left(self) -> int | None:
        """No daily quota."""
        return None

    def _state(self, vin: str) -> Answer:
        answer = self._get(f"/v1/vehicle-data/autoapi-13/{quote(vin)}")
        if answer.status != 200:
            raise state_error(answer)
        return answer

    def _get(self, path: str) -> Answer:
        url = f"{self._options['url']}{path}"
        return self._bearer.call(
            lambda token: self._access.http.request("GET", url, headers={"Authorization": f"Bearer {token}"})
        )

    def _grant(self, _: str | None) -> Mapping[str, Any]:
        """Client credentials, with the secret or with a signed assertion: tokens of five minutes."""
        options = self._options
        url = f"{options['url']}/v1/access_tokens"
        body = {"grant_type": "client_credentials", "client_id": options["client_id"]}
        if options.get("private_key"):
            now = self._access.clock.now_ms() // 1000
            claims = {
                "iss": options["client_id"],
                "sub": options["client_id"],
                "aud": url,
                "iat": now,
                "exp": now + 300,
            }
            body["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            body["client_assertion"] = self._access.http.secret(
                signed_assertion(
                    {**claims, "jti": secrets.token_hex(16)}, options["private_key"], options.get("key_id")
                )
            )
        elif options.get("client_secret"):
            body["client_secret"] = options["client_secret"]
        else:
            raise SettingError("EV_HIGH_MOBILITY_CLIENT_SECRET or EV_HIGH_MOBILITY_PRIVATE_KEY_FILE must be set")
        answer = self._access.http.request("POST", url, json=body)
        if answer.status not in (200, 201):
            raise AuthError(f"{NAME}: no access token (HTTP {answer.status}): check EV_HIGH_MOBILITY_*")
        found = answer.json()
        return found if isinstance(found, dict) else {}


def _vehicle(row: Mapping[str, Any]) -> Vehicle:
    status, brand = row.get("status"), row.get("brand")
    state = "active" if status == APPROVED else f"clearance {status}"
    return Vehicle(row["vin"], brand if isinstance(brand, str) else None, None, state)

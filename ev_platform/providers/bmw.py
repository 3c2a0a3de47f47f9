"""BMW CarData, customer API: 50 requests a day, device-code login with PKCE, values as strings with unit and time.

Three shapes of the same content are read: the map of the API, the list of keys of the fleet API, and pushes. The fleet
API (one witness, not public) is read as a shape only; this client asks the customer API. Where the sources leave a
name open, variants are accepted (docs/providers.md).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ev_platform.providers.base import (
    Access,
    Answer,
    AuthError,
    BusyError,
    Fetched,
    Vehicle,
    VehicleError,
    one_by_one,
    state_error,
)  # fmt: skip
from ev_platform.providers.leaves import Leaf, walk
from ev_platform.providers.oauth import Bearer
from ev_platform.providers.quota import DAY_MS, Quota
from ev_platform.signals import catalogue

NAME = "bmw"
DAILY_REQUESTS = 50
SCOPES = "authenticate_user openid cardata:api:read cardata:streaming:read"
CONTAINER = "ev_platform"
VARIANTS = frozenset(f"vehicle.powertrain.electric.battery.charging.{name}" for name in ("acVoltage", "acAmpere")) | {
    "vehicle.trip.segment.end.traveledDistance"
}
"""Spellings that are read when they come, but not asked for: a container may be refused for one wrong name."""
OVER_QUOTA = "CU-429"
_NAME_KEYS, _TIME_KEYS = ("key", "name"), ("date_of_value", "timestamp")


def leaves(payload: Mapping[str, Any]) -> Iterator[Leaf]:
    """One leaf per descriptor or key, by shape: map, list, push."""
    for name, part in payload.items():
        if name == "vehiclePushKeyValues" and isinstance(part, list):
            for push in part:
                yield from _entries(push.get("pushKeyValues") if isinstance(push, dict) else push)
        elif name in ("telematicData", "data"):
            yield from _entries(part)
        else:
            yield from walk(name, part, "timestamp")


def _entries(found: Any) -> Iterator[Leaf]:  # noqa: ANN401 - any JSON value
    if isinstance(found, dict):
        for name, entry in found.items():
            yield from walk(name, entry, "timestamp")
        return
    for entry in found if isinstance(found, list) else [found]:
        name = next((entry[key] for key in _NAME_KEYS if isinstance(entry.get(key), str)), None) if isinstance(
            entry, dict
        ) else None  # fmt: skip
        if name is None:
            yield Leaf("unnamed", entry)
            continue
        time_key = next((key for key in _TIME_KEYS if key in entry), "timestamp")
        rest = {
            key: value for key, value in entry.items() if key not in _NAME_KEYS and not (key == "info" and not value)
        }
        yield from walk(name, rest, time_key)


class Bmw:
    """Client. Options: url, auth_url, client_id, container_id (made and remembered if empty)."""

    name = NAME
    volatile = frozenset({"entityId"})
    whole_fleet = False

    def __init__(self, access: Access, quota: Quota) -> None:
        self._access, self._options, self._quota = access, access.options, quota
        self._bearer = Bearer(NAME, access, self._grant, seed="")

    def vehicles(self) -> list[Vehicle]:
        """Mapped vehicles; only PRIMARY ones may be read. Costs one request."""
        answer = self._send("GET", "/customers/vehicles/mappings")
        if answer.status != 200:
            raise state_error(answer)
        found = answer.json()
        rows = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
        return [_vehicle(row) for row in rows if isinstance(row, dict) and isinstance(row.get("vin"), str)]

    def fetch(self, vins: Sequence[str]) -> Iterator[Fetched]:
        """Telematic data of each vehicle: one request each, none repeated."""
        return one_by_one(vins, self._state)

    def quota_left(self) -> int | None:
        """Requests left of the last 24 hours."""
        return self._quota.left()

    def _state(self, vin: str) -> Answer:
        params = {"containerId": self._container()}
        answer = self._send("GET", f"/customers/vehicles/{quote(vin)}/telematicData", params=params)
        if answer.status != 200:
            raise state_error(answer)
        return answer

    def _container(self) -> str:
        """The container that names the wanted descriptors: configured, remembered, or made once."""
        if self._options.get("container_id"):
            return self._options["container_id"]
        held = self._access.tokens.load(f"{NAME}_container")
        wanted = descriptors()
        digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()
        if held.get("digest") == digest:
            return str(held["id"])
        body = {"name": CONTAINER, "purpose": "fleet analytics", "technicalDescriptors": wanted}
        answer = self._send("POST", "/customers/containers", json=body)
        found = answer.json() if answer.status in (200, 201) else {}
        if not isinstance(found, dict) or not isinstance(found.get("containerId"), str):
            raise VehicleError(f"no container (HTTP {answer.status}); an account may have 10", permanent=False)
        self._access.tokens.save(f"{NAME}_container", {"id": found["containerId"], "digest": digest})
        return str(found["containerId"])

    def _send(self, method: str, path: str, params: Mapping[str, str] | None = None, json: object = None) -> Answer:
        """One booked request. It is never repeated behind our back: each repetition would be a request more."""

        def send(token: str) -> Answer:
            self._quota.book()
            headers = {"Authorization": f"Bearer {token}", "x-version": "v1", "Accept": "application/json"}
            url = f"{self._options['url']}{path}"
            return self._access.http.request(
                method, url, headers=headers, params=params, json=json, retries=0, final=frozenset({429, 503})
            )

        answer = self._bearer.call(send)
        if answer.status == 429 or _error_id(answer) == OVER_QUOTA:
            self._quota.exhausted()
            raise BusyError(f"{NAME}: the day's requests are used up ({OVER_QUOTA})", DAY_MS)
        return answer

    def _grant(self, refresh: str | None) -> Mapping[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh or "", "client_id": self._options["client_id"]}
        answer = self._access.http.request("POST", f"{self._options['auth_url']}/gcdm/oauth/token", form=form)
        if answer.status != 200:
            raise AuthError(
                f"{NAME}: the refresh token is refused (HTTP {answer.status}): run `ev providers login bmw`"
            )
        found = answer.json()
        return found if isinstance(found, dict) else {}


def descriptors() -> list[str]:
    """The descriptors that the mapping knows; short keys of the fleet API have no dots."""
    known = {signal for provider, signal in catalogue().mapping if provider == NAME and "." in signal}
    return sorted(known - VARIANTS)


def _vehicle(row: Mapping[str, Any]) -> Vehicle:
    kind = row.get("mappingType")
    return Vehicle(row["vin"], "BMW", None, "active" if kind in ("PRIMARY", None) else f"mapping {kind}")


def _error_id(answer: Answer) -> str | None:
    if answer.status == 200:
        return None
    try:
        found = answer.json()
    except VehicleError:
        return None
    return found.get("exveErrorId") if isinstance(found, dict) else None


# -- login -------------------------------------------------------------------------------------------------------------


class DeviceLogin:
    """The device-code flow with PKCE: a code to type in a browser, then tokens. The verifier never leaves us."""

    def __init__(self, access: Access) -> None:
        self._access, self._options = access, access.options
        self._verifier = access.http.secret(secrets.token_urlsafe(64))

    def start(self) -> tuple[str, str]:
        """(address to open, code to type)."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        form = {
            "client_id": self._options["client_id"], "response_type": "device_code", "scope": SCOPES,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        answer = self._access.http.request("POST", f"{self._options['auth_url']}/gcdm/oauth/device/code", form=form)
        if answer.status != 200:
            raise AuthError(f"{NAME}: no device code (HTTP {answer.status}): check EV_BMW_CLIENT_ID")
        self._code = answer.json()
        self._access.http.secret(str(self._code["device_code"]))
        address = self._code.get("verification_uri_complete") or self._code["verification_uri"]
        return str(address), str(self._code["user_code"])

    def finish(self) -> None:
        """Wait until the code was typed, and keep the tokens.

        Raises:
            AuthError: refused, or too late.
        """
        interval = float(self._code.get("interval", 5))
        ends = self._access.clock.now_ms() + 1000 * int(self._code.get("expires_in", 600))
        form = {
            "client_id": self._options["client_id"], "device_code": self._code["device_code"],
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "code_verifier": self._verifier,
        }  # fmt: skip
        while self._access.clock.now_ms() < ends:
            answer = self._access.http.request("POST", f"{self._options['auth_url']}/gcdm/oauth/token", form=form)
            found = answer.json()
            if answer.status == 200:
                life = self._access.clock.now_ms() + 1000 * int(found.get("expires_in", 3600))
                kept = {name: found[name] for name in ("access_token", "refresh_token", "id_token") if name in found}
                self._access.tokens.save(NAME, {**kept, "ends_ms": life, "gcid": found.get("gcid")})
                return
            error = found.get("error") if isinstance(found, dict) else None
            if error == "slow_down":
                interval += 5
            elif error != "authorization_pending":
                raise AuthError(f"{NAME}: the login was refused (HTTP {answer.status})")
            self._access.clock.sleep(interval)
        raise AuthError(f"{NAME}: the code was not confirmed in time: start again")

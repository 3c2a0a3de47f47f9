"""Tesla Fleet API (REST): `vehicle_data` of cars that are awake. For the time before and after the stream.

Miles, mph, kWh, kW, °C whatever the display shows; the time is that of the block. Power is negative into the battery,
the other way round than in the stream. A sleeping car is never woken: only cars whose list entry says `online` are
asked, and asking keeps a car awake, so the default pace is slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ev_platform.providers.base import Access, Answer, AuthError, Fetched, Vehicle, one_by_one, state_error
from ev_platform.providers.leaves import Leaf, from_epoch, walk
from ev_platform.providers.oauth import Bearer

NAME = "tesla_rest"
ONLINE = "online"
ENDPOINTS = "charge_state;drive_state;climate_state;vehicle_state;vehicle_config;location_data"
ASLEEP = frozenset({405, 408})
"""408 unreachable; 405 was seen in one integration for a car that is offline."""
MOST_PAGES = 1000
_GPS = frozenset({"latitude", "longitude", "heading", "native_latitude", "native_longitude"})


def leaves(payload: Mapping[str, Any]) -> Iterator[Leaf]:
    """`charge_state.battery_level` …; positions carry the time of the fix (`gps_as_of`, in seconds)."""
    body = payload.get("response", payload)
    for leaf in walk("", body, "timestamp"):
        block, _, name = leaf.signal.rpartition(".")
        if name in _GPS and isinstance(body, dict) and isinstance(body.get(block), dict):
            fixed = from_epoch(body[block].get("gps_as_of"), 1000)
            yield leaf if fixed is None else leaf._replace(time=fixed)
        else:
            yield leaf


class TeslaRest:
    """Client. Options: url, auth_url, client_id, refresh_token (the first one; later ones are in the token store)."""

    name = NAME
    volatile: frozenset[str] = frozenset()
    whole_fleet = False

    def __init__(self, access: Access) -> None:
        self._access, self._options = access, access.options
        seed = self._options.get("refresh_token", "")
        access.http.secret(seed)
        self._bearer = Bearer(NAME, access, self._grant, seed=seed)

    def vehicles(self) -> list[Vehicle]:
        """The account's vehicles with their state; every page."""
        found: list[Vehicle] = []
        for page in range(1, MOST_PAGES):
            answer = self._get("/api/1/vehicles", {"page": str(page)} if page > 1 else {})
            if answer.status != 200:
                raise state_error(answer)
            body = answer.json()
            rows = body.get("response") if isinstance(body, dict) else None
            found += [_vehicle(row) for row in rows or [] if isinstance(row, dict) and isinstance(row.get("vin"), str)]
            pagination = body.get("pagination") if isinstance(body, dict) else None
            if not isinstance(pagination, dict) or not pagination.get("next"):
                break
        return found

    def fetch(self, vins: Sequence[str]) -> Iterator[Fetched]:
        """`vehicle_data` of each vehicle; call it for cars that are online."""
        return one_by_one(vins, self._state)

    def quota_left(self) -> int | None:
        """Limits are per minute, and kept by spacing."""
        return None

    def _state(self, vin: str) -> Answer:
        answer = self._get(f"/api/1/vehicles/{quote(vin)}/vehicle_data", {"endpoints": ENDPOINTS})
        if answer.status == 421:
            raise AuthError(f"{NAME}: the account lives in another region (HTTP 421): set EV_TESLA_REST_URL")
        if answer.status != 200:
            raise state_error(answer, ASLEEP)
        return answer

    def _get(self, path: str, params: Mapping[str, str]) -> Answer:
        url = f"{self._options['url']}{path}"
        return self._bearer.call(
            lambda token: self._access.http.request(
                "GET", url, headers={"Authorization": f"Bearer {token}"}, params=params, final=ASLEEP
            )
        )

    def _grant(self, refresh: str | None) -> Mapping[str, Any]:
        form = {"grant_type": "refresh_token", "client_id": self._options["client_id"], "refresh_token": refresh or ""}
        answer = self._access.http.request("POST", f"{self._options['auth_url']}/oauth2/v3/token", form=form)
        if answer.status != 200:
            raise AuthError(
                f"{NAME}: the refresh token is refused (HTTP {answer.status}): renew EV_TESLA_REST_REFRESH_TOKEN"
            )
        found = answer.json()
        return found if isinstance(found, dict) else {}


def _vehicle(row: Mapping[str, Any]) -> Vehicle:
    state = row.get("state")
    return Vehicle(row["vin"], "Tesla", None, "active" if state == ONLINE else str(state))

"""Stand-in of BMW CarData: device-code login with PKCE, 50 requests in 24 hours, everything as text."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ev_platform.simulate.standins.rules import rule
from ev_platform.simulate.standins.server import Known, Reply, Request, StandIn, as_json, iso

NAME = "bmw"
DAY_MS = 86_400_000
_STATUS = {
    "charging": "CHARGINGACTIVE", "complete": "CHARGINGENDED", "starting": "INITIALIZATION",
    "stopped": "CHARGINGPAUSED", "no_power": "CHARGINGERROR", "disconnected": "NOCHARGING",
}  # fmt: skip
_BATTERY = "vehicle.drivetrain.batteryManagement"
_ELECTRIC = "vehicle.drivetrain.electricEngine"


@dataclass
class BmwServer(StandIn):
    """`mapping`: VIN → mapping type other than PRIMARY. The user types the code at once when `confirmed`."""

    client_id: str = "bmw-client"
    mapping: dict[str, str] = field(default_factory=dict)
    confirmed: bool = True
    requests_ms: list[int] = field(default_factory=list)
    """When API requests were counted."""
    _access: dict[str, int] = field(default_factory=dict)
    _refresh: list[str] = field(default_factory=list)
    _challenge: dict[str, str] = field(default_factory=dict)
    _containers: dict[str, list[str]] = field(default_factory=dict)

    def log_in(self) -> str:
        """A refresh token, as if the device-code flow had been gone through."""
        return str(self._issue()["refresh_token"])

    def answer(self, request: Request) -> Reply:
        """Routes: the login host's and the API's."""
        if request.path == "/gcdm/oauth/device/code":
            return self._device_code(request.form)
        if request.path == "/gcdm/oauth/token":
            return self._token(request.form)
        if request.headers.get("x-version") != rule(NAME, "version_header"):
            return _error(400, "CU-402", "x-version is missing")
        if self._access.get(request.bearer, 0) <= self.clock.now_ms():
            return _error(401, "CU-100", "unauthenticated")
        now = self.clock.now_ms()
        self.requests_ms = [at for at in self.requests_ms if at > now - DAY_MS]
        if len(self.requests_ms) >= rule(NAME, "daily_requests"):
            return _error(403, "CU-429", "API rate limit reached")
        self.requests_ms.append(now)
        return self._api(request)

    def _api(self, request: Request) -> Reply:
        if request.path == "/customers/vehicles/mappings":
            since = "2026-01-01T00:00:00.000Z"
            rows = [
                {"vin": vin, "mappedSince": since, "mappingType": self.mapping.get(vin, "PRIMARY")} for vin in self.cars
            ]
            return as_json(200, rows)
        if request.path == "/customers/containers":
            if len(self._containers) >= rule(NAME, "most_containers"):
                return _error(400, "CU-402", "too many containers")
            body, name = request.json(), f"S{len(self._containers) + 1:06d}"
            self._containers[name] = body["technicalDescriptors"]
            return as_json(
                201, {"containerId": name, "name": body["name"], "purpose": body["purpose"], "state": "ACTIVE"}
            )
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or parts[3] != "telematicData" or parts[2] not in self.cars:
            return _error(404, "CU-120", "bad VIN")
        if self.mapping.get(parts[2], "PRIMARY") != "PRIMARY":
            return _error(rule(NAME, "primary_only"), "CU-104", "not the primary user")
        wanted = self._containers.get(request.query.get("containerId", ""))
        if wanted is None:
            return _error(404, "CU-123", "no such container")
        found = payload(self.cars[parts[2]](self.clock.now_ms()))
        return as_json(200, {"telematicData": {name: found[name] for name in wanted if name in found}})

    def _device_code(self, form: Mapping[str, str]) -> Reply:
        if form.get("client_id") != self.client_id or form.get("code_challenge_method") != "S256":
            return as_json(400, {"error": "invalid_request"})
        code = self.token("bmw-device")
        self._challenge[code] = form["code_challenge"]
        address = f"{self.url}/device"
        return as_json(
            200,
            {
                "device_code": code,
                "user_code": "ABCD-1234",
                "verification_uri": address,
                "interval": 5,
                "expires_in": 300,
            },
        )

    def _token(self, form: Mapping[str, str]) -> Reply:
        if form.get("client_id") != self.client_id:
            return as_json(401, {"error": "invalid_client"})
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self._refresh[-2:]:  # the last issued and the one before it
                return as_json(400, {"error": "invalid_grant", "error_description": form.get("refresh_token")})
            return as_json(200, self._issue())
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        wanted = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if self._challenge.get(form.get("device_code", "")) != wanted:
            return as_json(400, {"error": "invalid_grant"})
        return as_json(200, self._issue()) if self.confirmed else as_json(403, {"error": "authorization_pending"})

    def _issue(self) -> dict[str, Any]:
        access, refresh, life = self.token("bmw-access"), self.token("bmw-refresh"), rule(NAME, "token_life_s")
        self._access[access] = self.clock.now_ms() + life * 1000
        self._refresh.append(refresh)
        return {
            "access_token": access, "refresh_token": refresh, "id_token": self.token("bmw-id"), "expires_in": life,
            "gcid": "gcid-of-nobody", "token_type": "Bearer",
        }  # fmt: skip


def payload(known: Known) -> dict[str, dict[str, str | None]]:
    """Descriptor → value, unit, timestamp, all text; a descriptor that is not available says so."""
    found: dict[str, dict[str, str | None]] = {}

    def put(name: str, canonical: str, unit: str | None, form: Any) -> None:  # noqa: ANN401 - Callable
        if canonical in known:
            value, at = known[canonical]
            found[name] = {"value": str(form(value)), "unit": unit, "timestamp": iso(at)}

    put(f"{_BATTERY}.header", "soc_percent", "percent", round)
    put(f"{_ELECTRIC}.charging.status", "charge_state", None, _STATUS.__getitem__)
    put("vehicle.vehicle.travelledDistance", "odometer_km", "km", round)
    put(f"{_ELECTRIC}.kombiRemainingElectricRange", "estimated_range_km", "km", round)
    watts = rule(NAME, "power_in_watts")
    put("vehicle.powertrain.electric.battery.charging.power", "charger_power_kw", "W", lambda kw: round(kw * watts))
    put("vehicle.powertrain.electric.battery.stateOfCharge.target", "charge_limit_percent", "percent", round)
    put("vehicle.cabin.infotainment.navigation.currentLocation.latitude", "latitude", "degrees", lambda v: round(v, 5))
    put(
        "vehicle.cabin.infotainment.navigation.currentLocation.longitude", "longitude", "degrees", lambda v: round(v, 5)
    )
    if "soc_percent" in known:
        invalid, not_available = rule(NAME, "sentinels")
        at = iso(known["soc_percent"][1])
        found[f"{_ELECTRIC}.charging.timeRemaining"] = {"value": invalid, "unit": "min", "timestamp": at}
        found[f"{_BATTERY}.maxEnergy"] = {"value": not_available, "unit": "kWh", "timestamp": at}
    return found


def _error(status: int, code: str, message: str) -> Reply:
    return as_json(status, {"exveErrorId": code, "exveErrorRef": "ref", "exveErrorMsg": message, "exveNote": ""})

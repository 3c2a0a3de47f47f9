"""Stand-in of High Mobility: five-minute tokens, clearance list, vehicle data of Auto API level 13."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ev_platform.simulate.standins.rules import rule
from ev_platform.simulate.standins.server import Known, Reply, Request, StandIn, as_json, iso

NAME = "high_mobility"
_STATUS = {
    "charging": "charging", "complete": "charging_complete", "starting": "initialising", "stopped": "charging_paused",
    "no_power": "charging_error", "disconnected": "cable_unplugged",
}  # fmt: skip


@dataclass
class HighMobilityServer(StandIn):
    """`clearance`: VIN → status other than approved; `brands`: VIN → brand."""

    client_id: str = "hm-client"
    client_secret: str = "standin-secret-high-mobility"  # noqa: S105 - of nobody
    public_key: Any = None
    """Where set, assertions signed by its private key are taken, too."""
    clearance: dict[str, str] = field(default_factory=dict)
    brands: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, int] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        """Routes."""
        if request.path == "/v1/access_tokens" and request.method == "POST":
            return self._grant(request.json())
        if self._tokens.get(request.bearer, 0) <= self.clock.now_ms():
            return _error(401, "Unauthorized")
        if request.path == "/v1/fleets/vehicles":
            rows = [
                {"vin": vin, "brand": self._brand(vin), "status": self._status(vin), "tags": {}} for vin in self.cars
            ]
            return as_json(200, rows)
        vin = request.path.rsplit("/", 1)[-1]
        if not request.path.startswith("/v1/vehicle-data/autoapi-13/") or vin not in self.cars:
            return _error(404, "Not found")
        if self._status(vin) != "approved":
            return _error(rule(NAME, "approved_only"), "Forbidden")
        known = self.cars[vin](self.clock.now_ms())
        body = {"vin": vin, "brand": self._brand(vin), "request_id": self.number(vin), **payload(known)}
        return as_json(200, body)

    def _brand(self, vin: str) -> str:
        return self.brands.get(vin, "renault")

    def _status(self, vin: str) -> str:
        return self.clearance.get(vin, "approved")

    def _grant(self, body: Mapping[str, str]) -> Reply:
        sent = body.get("client_secret")
        proven = sent == self.client_secret or self._signed(body.get("client_assertion", ""))
        if body.get("client_id") != self.client_id or not proven:
            # The real one may quote what was sent; a client must not show it.
            return as_json(401, {"error": "invalid_client", "error_description": f"bad secret {sent}"})
        token, life = self.token("hm-access"), rule(NAME, "token_life_s")
        self._tokens[token] = self.clock.now_ms() + life * 1000
        scope = "fleet:clearance vehicle:eligibility-check vehicle:data"
        return as_json(201, {"access_token": token, "expires_in": life, "token_type": "bearer", "scope": scope})

    def _signed(self, assertion: str) -> bool:
        """Whether an RS256 assertion is ours, for this endpoint, and not over."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        if self.public_key is None or assertion.count(".") != 2:
            return False
        text, _, signature = assertion.rpartition(".")
        try:
            self.public_key.verify(_decode(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        claims = json.loads(_decode(text.split(".")[1]))
        return bool(
            claims["iss"] == self.client_id and claims["exp"] * 1000 > self.clock.now_ms() and claims.get("jti")
        )


def payload(known: Known) -> dict[str, Any]:
    """Capabilities of what is known: fractions, units in the payload, a time per property, one failure."""
    charging: dict[str, Any] = {}
    other: dict[str, dict[str, Any]] = {"diagnostics": {}, "climate": {}}

    def put(target: dict[str, Any], name: str, canonical: str, form: Any) -> None:  # noqa: ANN401 - Callable
        if canonical in known:
            value, at = known[canonical]
            target[name] = {"data": form(value), "timestamp": iso(at)}

    def quantity(unit: str, digits: int, factor: float = 1.0) -> Any:  # noqa: ANN401 - Callable
        return lambda value: {"unit": unit, "value": round(value * factor, digits)}

    part, unit = rule(NAME, "percent_is_fraction"), rule(NAME, "unit_in_payload")
    put(charging, "battery_level", "soc_percent", lambda value: round(value * part, 4))
    put(charging, "battery_energy", "battery_energy_kwh", quantity("kilowatt_hours", 2))
    put(charging, "status", "charge_state", lambda word: _STATUS[word])
    put(charging, "plugged_in", "plugged", lambda value: "plugged_in" if value else "disconnected")
    put(charging, "charging_rate", "charger_power_kw", quantity("kilowatts", 1))
    put(
        charging,
        "charge_limit",
        "charge_limit_percent",
        lambda value: round(value * part, 2),
    )
    put(charging, "estimated_range", "estimated_range_km", quantity("kilometers", 0))
    put(other["diagnostics"], "odometer", "odometer_km", quantity(unit, 3, 1 / 1.609344))
    put(
        other["climate"],
        "outside_temperature",
        "outside_temp_c",
        lambda c: {"unit": "fahrenheit", "value": round(c * 1.8 + 32, 2)},
    )
    other["diagnostics"]["battery_voltage"] = {
        "failure": {"reason": rule(NAME, "failure_object"), "description": "not available"}
    }
    return {"charging": charging, **other}


def _error(status: int, title: str) -> Reply:
    return as_json(status, {"errors": [{"title": title, "source": "standin"}]})


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""Stand-in of Mobilisights: login token, the whole fleet as a streamed array, one car a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ev_platform.simulate.standins.rules import rule
from ev_platform.simulate.standins.server import Known, Reply, Request, StandIn, as_json, iso

NAME = "mobilisights"
_STATUS = {
    "charging": "in-progress", "complete": "finished", "starting": "stopped", "stopped": "stopped",
    "no_power": "failure", "disconnected": "disconnected",
}  # fmt: skip


@dataclass
class MobilisightsServer(StandIn):
    """`fleets`: VIN → fleet id."""

    email: str = "fleet@example.org"
    password: str = "standin-secret-mobilisights"  # noqa: S105 - of nobody
    fleets: dict[str, str] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Reply:
        """Routes."""
        if request.path == "/api/auth/login" and request.method == "POST":
            if (request.form.get("email"), request.form.get("password")) != (self.email, self.password):
                return _error(401, "Unauthorized", f"wrong password {request.form.get('password')}")
            token = self.token("mobilisights")
            self._tokens.add(token)
            return as_json(200, {"authToken": token})
        if request.bearer not in self._tokens:
            return _error(rule(NAME, "token_needed"), "Unauthorized", "")
        if request.path != "/connected-fleet/api/exports/car-states.json":
            return _error(404, "NotFound", "")
        wanted = json.loads(request.query.get("conditions", "{}")).get("fleets")
        vins = [vin for vin in self.cars if wanted is None or self.fleets.get(vin) in wanted]
        now = self.clock.now_ms()
        lines = [json.dumps(payload(vin, self.cars[vin](now), now)) for vin in vins if self.cars[vin](now)]
        return Reply(200, ("[\n" + ",\n".join(lines) + "\n]\n").encode(), {"Content-Type": "application/json"})

    def revoke(self) -> None:
        """All tokens end: nobody knows when the real ones do."""
        self._tokens.clear()


def payload(vin: str, known: Known, now_ms: int) -> dict[str, Any]:
    """One car state: each leaf with its datetime, units in the payload, the percentage as text, `{}` for nothing."""

    def leaf(canonical: str, unit: str, digits: int, factor: float = 1.0) -> dict[str, Any]:
        value, at = known[canonical]
        return {"value": round(value * factor, digits), "unit": unit, "datetime": iso(at)}

    latest = max(at for _, at in known.values())
    state: dict[str, Any] = {
        "_id": f"{now_ms:x}", "vin": vin, "datetime": iso(latest), "datetimeSending": iso(now_ms),
    }  # fmt: skip
    electricity: dict[str, Any] = {}
    if "odometer_km" in known:
        state["odometer"] = leaf("odometer_km", rule(NAME, "unit_in_payload"), 3, 1 / 1.609344)
    if "outside_temp_c" in known:
        state["externalTemperature"] = leaf("outside_temp_c", "°C", 1)
    if "soc_percent" in known:
        value, at = known["soc_percent"]
        electricity["level"] = {"percentage": str(round(value)), "datetime": iso(at)}
    if "estimated_range_km" in known:
        electricity["residualAutonomy"] = leaf("estimated_range_km", "km", 0)
    if "charge_state" in known:
        word, at = known["charge_state"]
        electricity["charging"] = {
            "plugged": word != "disconnected", "status": _STATUS[word], "mode": "slow", "remainingTime": {},
            "datetime": iso(at),
        }  # fmt: skip
    state["electricity"] = electricity
    return state


def _error(status: int, name: str, message: str) -> Reply:
    return as_json(status, {"name": name, "message": message})

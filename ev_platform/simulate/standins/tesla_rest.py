"""Stand-in of Tesla's Fleet API: rotating refresh tokens, 60 requests a minute, cars that sleep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ev_platform.simulate.standins.rules import rule
from ev_platform.simulate.standins.server import Known, Reply, Request, StandIn, as_json

NAME = "tesla_rest"
_STATUS = {
    "charging": "Charging", "complete": "Complete", "starting": "Starting", "stopped": "Stopped", "no_power": "NoPower",
    "disconnected": "Disconnected",
}  # fmt: skip
PAGE = 100


@dataclass
class TeslaServer(StandIn):
    """`asleep`: VINs that sleep. The newest refresh token and the last used one are taken, no older one."""

    client_id: str = "tesla-client"
    asleep: set[str] = field(default_factory=set)
    wrong_region: bool = False
    woken: list[str] = field(default_factory=list)
    _access: dict[str, int] = field(default_factory=dict)
    _newest: str = ""
    _last_used: str = ""
    _last_used_ms: int = 0
    _minute: list[int] = field(default_factory=list)

    def log_in(self) -> str:
        """A first refresh token."""
        self._newest = self.token("tesla-refresh")
        return self._newest

    def answer(self, request: Request) -> Reply:
        """Routes: the token host's and the API's."""
        if request.path == "/oauth2/v3/token":
            return self._token(request.form)
        now = self.clock.now_ms()
        if self._access.get(request.bearer, 0) <= now:
            return as_json(401, {"response": None, "error": "token expired (401)", "error_description": request.bearer})
        if self.wrong_region:
            return as_json(rule(NAME, "wrong_region"), {"response": None, "error": "user out of region"})
        self._minute = [at for at in self._minute if at > now - 60_000]
        if len(self._minute) >= rule(NAME, "requests_per_minute"):
            wait = -(-(self._minute[0] + 60_000 - now) // 1000)
            return as_json(429, {"response": None, "error": "rate limited"}, **{"Retry-After": str(wait)})
        self._minute.append(now)
        return self._api(request)

    def _api(self, request: Request) -> Reply:
        if request.path == "/api/1/vehicles":
            return self._list(int(request.query.get("page", "1")))
        parts = request.path.strip("/").split("/")
        vin = parts[3] if len(parts) == 5 else ""
        if vin not in self.cars:
            return as_json(404, {"response": None, "error": "not_found"})
        if parts[4] == "wake_up":
            self.woken.append(vin)
            self.asleep.discard(vin)
            return as_json(200, {"response": {"vin": vin, "state": "online"}})
        if vin in self.asleep:
            return as_json(rule(NAME, "asleep"), {"response": None, "error": "vehicle unavailable"})
        location = "location_data" in request.query.get("endpoints", "")
        return as_json(200, {"response": payload(vin, self.cars[vin](self.clock.now_ms()), location)})

    def _list(self, page: int) -> Reply:
        vins = list(self.cars)
        rows = [
            {"id": at + 1, "vehicle_id": at + 1000, "vin": vin, "state": "asleep" if vin in self.asleep else "online"}
            for at, vin in enumerate(vins)
        ][(page - 1) * PAGE : page * PAGE]
        after = page + 1 if page * PAGE < len(vins) else None
        return as_json(200, {"response": rows, "count": len(rows), "pagination": {"current": page, "next": after}})

    def _token(self, form: Mapping[str, str]) -> Reply:
        sent, now = form.get("refresh_token"), self.clock.now_ms()
        recent = now - self._last_used_ms < rule(NAME, "last_used_hours") * 3_600_000
        good = sent == self._newest or (sent == self._last_used and recent)
        if form.get("client_id") != self.client_id or form.get("grant_type") != "refresh_token" or not sent or not good:
            text = f"refresh token {sent} was used before"
            return as_json(rule(NAME, "refresh_once"), {"error": "login_required", "error_description": text})
        self._last_used, self._last_used_ms = sent, now
        self._newest, life = self.token("tesla-refresh"), rule(NAME, "token_life_s")
        self._access.clear()  # a new refresh token ends the older access tokens
        access = self.token("tesla-access")
        self._access[access] = now + life * 1000
        return as_json(
            200, {"access_token": access, "refresh_token": self._newest, "expires_in": life, "token_type": "Bearer"}
        )


def payload(vin: str, known: Known, location: bool) -> dict[str, Any]:
    """vehicle_data: blocks with one time each in ms, miles, whole percents, "<invalid>" and null for nothing."""
    at = max((at for _, at in known.values()), default=0)
    time = at // rule(NAME, "block_time_ms")
    miles = rule(NAME, "miles")

    def value(canonical: str, form: Any = lambda found: found) -> Any:  # noqa: ANN401 - any JSON value
        return form(known[canonical][0]) if canonical in known else None

    speed = value("speed_kmh", lambda kmh: round(kmh / miles) or None)
    drive: dict[str, Any] = {
        "shift_state": "D" if speed else None, "speed": speed, "timestamp": time,
        "power": value("pack_power_kw", lambda kw: round(kw * rule(NAME, "power_sign"))),
    }  # fmt: skip
    if location and "latitude" in known:
        fixed = known["latitude"][1] // rule(NAME, "gps_time_s")
        drive |= {"latitude": value("latitude"), "longitude": value("longitude"), "heading": 90, "gps_as_of": fixed}
    return {
        "id": 1, "vin": vin, "state": "online",
        "charge_state": {
            "battery_level": value("soc_percent", round), "usable_battery_level": value("soc_percent", round),
            "est_battery_range": value("estimated_range_km", lambda km: round(km / miles, 2)),
            "charger_power": value("charger_power_kw", round), "charger_phases": None,
            "charging_state": value("charge_state", _STATUS.__getitem__),
            "charge_limit_soc": value("charge_limit_percent", round),
            "fast_charger_type": rule(NAME, "invalid_word"), "timestamp": time,
        },
        "drive_state": drive,
        "climate_state": {
            "inside_temp": value("inside_temp_c"), "outside_temp": value("outside_temp_c"), "timestamp": time,
        },
        "vehicle_state": {
            "odometer": value("odometer_km", lambda km: round(km / miles, 6)), "car_version": "2026.38.2 0a1b2c3d4e5f",
            "timestamp": time,
        },
    }  # fmt: skip

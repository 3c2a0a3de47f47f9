"""Stand-in servers on a clock of the test's own, cars with known values, clients connected to them."""

from __future__ import annotations

import pytest

from ev_platform.lake.store import ObjectStore
from ev_platform.providers.connect import connect
from ev_platform.settings import Settings
from ev_platform.simulate.standins.bmw import BmwServer
from ev_platform.simulate.standins.high_mobility import HighMobilityServer
from ev_platform.simulate.standins.mobilisights import MobilisightsServer
from ev_platform.simulate.standins.tesla_rest import TeslaServer

NOW = 1_793_620_800_000
"""2026-11-02T12:00:00Z in ms."""
HOUR = 3_600_000
DAY = "2026-11-02"
VINS = [f"EVPTESTXX000{number:05d}" for number in range(60)]
SERVERS = {
    "high_mobility": HighMobilityServer,
    "bmw": BmwServer,
    "mobilisights": MobilisightsServer,
    "tesla_rest": TeslaServer,
}


class FakeClock:
    """Stands still until somebody sleeps or advances it."""

    def __init__(self, now_ms: int = NOW) -> None:
        self.ms = now_ms
        self.slept: list[float] = []

    def now_ms(self) -> int:
        return self.ms

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ms += int(seconds * 1000)

    def advance(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


def known(number: int = 0):
    """A car that charges: SoC rises by a percent every ten minutes, the odometer stands since two hours."""

    def at(now_ms: int):
        tick = now_ms // 600_000 * 600_000
        soc = 40 + (tick // 600_000) % 50 + number % 3
        return {
            "soc_percent": (float(soc), tick),
            "battery_energy_kwh": (soc * 0.5, tick),
            "charge_state": ("charging", NOW - HOUR),
            "plugged": (True, NOW - HOUR),
            "charger_power_kw": (7.4, tick),
            "charge_limit_percent": (80.0, NOW - 2 * HOUR),
            "estimated_range_km": (soc * 4.0, tick),
            "odometer_km": (41203.5 + number, NOW - 2 * HOUR),
            "outside_temp_c": (7.5, NOW - HOUR),
            "inside_temp_c": (14.0, NOW - HOUR),
            "latitude": (48.85661, NOW - HOUR - 500),
            "longitude": (2.35222, NOW - HOUR - 500),
            "pack_power_kw": (7.0, tick),
        }

    return at


def cars(count: int):
    return {vin: known(number) for number, vin in enumerate(VINS[:count])}


class Bench:
    """One stand-in, its clock, settings that point to it, and a lake."""

    def __init__(self, name, server, clock, settings, store):
        self.name, self.server, self.clock, self.settings, self.store = name, server, clock, settings, store

    def client(self, per_minute=None, clock=None):
        return connect(self.settings, self.store, self.name, clock or self.clock, per_minute)


def settings_for(servers, folder):
    """Settings that point to running stand-ins, by provider."""
    values = {"lake_url": str(folder / "lake"), "state_dir": folder / "state", "start_day": "2026-10-01"}
    for name, server in servers.items():
        values[f"{name}_url"] = server.url
    if "high_mobility" in servers:
        hm = servers["high_mobility"]
        values |= {"high_mobility_client_id": hm.client_id, "high_mobility_client_secret": hm.client_secret}
    if "bmw" in servers:
        values |= {"bmw_auth_url": servers["bmw"].url, "bmw_client_id": servers["bmw"].client_id}
    if "mobilisights" in servers:
        ms = servers["mobilisights"]
        values |= {"mobilisights_email": ms.email, "mobilisights_password": ms.password}
    if "tesla_rest" in servers:
        tesla = servers["tesla_rest"]
        values |= {"tesla_rest_auth_url": tesla.url, "tesla_rest_client_id": tesla.client_id}
        values |= {"tesla_rest_refresh_token": tesla.log_in()}
    return Settings(_env_file=None, **values)


def log_in_bmw(server, folder):
    """As if somebody had run `ev providers login bmw`."""
    from ev_platform.providers.tokens import TokenFile

    TokenFile(folder / "state").save("bmw", {"refresh_token": server.log_in()})


@pytest.fixture
def bench(tmp_path):
    """Start a stand-in with some cars; stopped at the end."""
    running = []

    def start(name, count=3, **more):
        clock = FakeClock()
        server = SERVERS[name](cars(count), clock, **more)
        server.__enter__()
        running.append(server)
        if name == "bmw":
            log_in_bmw(server, tmp_path)
        return Bench(name, server, clock, settings_for({name: server}, tmp_path), ObjectStore(str(tmp_path / "lake")))

    yield start
    for server in running:
        server.__exit__(None, None, None)

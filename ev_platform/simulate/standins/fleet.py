"""A mixed fleet behind all four stand-ins, from the same physics; some cars are reported by two providers.

Belongs here: who reports which car, settings that point to the stand-ins. Not here: polling them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

from ev_platform.providers.base import Clock
from ev_platform.providers.tokens import TokenFile
from ev_platform.settings import Settings
from ev_platform.simulate.polled_state import LastKnown
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.standins.bmw import BmwServer
from ev_platform.simulate.standins.high_mobility import HighMobilityServer
from ev_platform.simulate.standins.mobilisights import MobilisightsServer
from ev_platform.simulate.standins.server import StandIn
from ev_platform.simulate.standins.tesla_rest import TeslaServer

SEED = 4
REPORTED_BY: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # VIN (invented), make, model, providers
    ("EVPHMREN000000001", "Renault", "Zoe", ("high_mobility",)),
    ("EVPSTEL0000000001", "Peugeot", "e-208", ("high_mobility", "mobilisights")),
    ("EVPSTEL0000000002", "Opel", "Corsa-e", ("mobilisights",)),
    ("EVPBMWXX000000001", "BMW", "i4 eDrive40", ("bmw", "high_mobility")),
    ("EVPBMWXX000000002", "BMW", "iX3", ("bmw",)),
    ("EVPTESLA000000001", "Tesla", "Model 3 LR", ("tesla_rest", "high_mobility")),
)


@contextmanager
def mixed_fleet(clock: Clock, first: date, days: int) -> Iterator[dict[str, StandIn]]:
    """All stand-ins, running, by provider."""
    scenario = Scenario(seed=SEED, vehicles=len(REPORTED_BY), first_day=first, faults=False)
    states = {vin: LastKnown(scenario, index, first, days) for index, (vin, *_) in enumerate(REPORTED_BY)}

    def cars(provider: str) -> dict[str, LastKnown]:
        return {vin: states[vin] for vin, _, _, providers in REPORTED_BY if provider in providers}

    brands = {vin: make.lower() for vin, make, _, _ in REPORTED_BY}
    servers: dict[str, StandIn] = {
        "high_mobility": HighMobilityServer(cars("high_mobility"), clock, brands=brands),
        "bmw": BmwServer(cars("bmw"), clock),
        "mobilisights": MobilisightsServer(cars("mobilisights"), clock),
        "tesla_rest": TeslaServer(cars("tesla_rest"), clock),
    }
    with ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(server)
        yield servers


def pointed_at(settings: Settings, servers: dict[str, StandIn], folder: Path) -> Settings:
    """Settings for these stand-ins; tokens go to a folder of their own, never to the operator's store."""
    hm, bmw = servers["high_mobility"], servers["bmw"]
    ms, tesla = servers["mobilisights"], servers["tesla_rest"]
    assert isinstance(hm, HighMobilityServer)
    assert isinstance(bmw, BmwServer)
    assert isinstance(ms, MobilisightsServer)
    assert isinstance(tesla, TeslaServer)
    TokenFile(folder).save("bmw", {"refresh_token": bmw.log_in()})
    return settings.with_changes(
        state_dir=folder,
        dagster_home_dir=settings.dagster_home,
        high_mobility_url=hm.url, high_mobility_client_id=hm.client_id, high_mobility_client_secret=hm.client_secret,
        bmw_url=bmw.url, bmw_auth_url=bmw.url, bmw_client_id=bmw.client_id, bmw_container_id="",
        mobilisights_url=ms.url, mobilisights_email=ms.email, mobilisights_password=ms.password, mobilisights_fleets="",
        tesla_rest_url=tesla.url, tesla_rest_auth_url=tesla.url, tesla_rest_client_id=tesla.client_id,
        tesla_rest_refresh_token=tesla.log_in(),
    )  # fmt: skip

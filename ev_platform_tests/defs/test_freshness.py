"""Freshness: what is late is told, what is not is left in peace; only where somebody fetches it."""

import time
from datetime import timedelta

import dagster as dg
import pytest

from ev_platform.defs.energy import freshness as energy
from ev_platform.defs.energy.assets import key
from ev_platform.defs.insights import freshness as insights
from ev_platform.defs.insights.assets import VEHICLE_360_KEY
from ev_platform.defs.market import freshness as market
from ev_platform.defs.market.assets import MARKET_RAW


def definitions_of(module):
    return module.freshness()


def evaluated(instance, asset, defs):
    """Result of the asset's freshness check, run as the sensor's run does it."""
    stub = dg.AssetSpec(asset)
    job = dg.define_asset_job("check", selection=dg.AssetSelection.checks_for_assets(asset))
    whole = dg.Definitions.merge(defs, dg.Definitions(assets=[stub], jobs=[job]))
    (found,) = whole.resolve_job_def("check").execute_in_process(instance=instance).get_asset_check_evaluations()
    return found.passed


def made(instance, asset, ago, monkeypatch):
    """A materialization of some time ago."""
    with monkeypatch.context() as past:
        now = time.time()
        past.setattr(time, "time", lambda: now - ago.total_seconds())
        instance.report_runless_asset_event(dg.AssetMaterialization(asset))


@pytest.mark.parametrize(
    ("module", "asset", "longest", "switches"),
    [
        (market, MARKET_RAW, market.LONGEST, {"EV_MARKET_CSV": "sales.csv"}),
        (insights, VEHICLE_360_KEY, insights.LONGEST, {}),
        (energy, key("live"), timedelta(hours=1), {"EV_ENERGY_SCHEDULES": "true"}),
    ],
)
def test_what_is_late_fails_and_what_is_in_time_passes(instance, monkeypatch, module, asset, longest, switches):
    for name, value in switches.items():
        monkeypatch.setenv(name, value)
    defs = definitions_of(module)
    kept = [check for check in defs.asset_checks if {one.asset_key for one in check.check_keys} == {asset}]
    defs = dg.Definitions(asset_checks=kept)
    assert evaluated(instance, asset, defs) is False  # never made
    made(instance, asset, longest + timedelta(minutes=5), monkeypatch)
    assert evaluated(instance, asset, defs) is False
    made(instance, asset, longest - timedelta(minutes=5), monkeypatch)
    assert evaluated(instance, asset, defs) is True


def test_nobody_waits_for_what_nobody_fetches(monkeypatch):
    for name in ("EV_MARKET_CSV", "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "EV_ENERGY_SCHEDULES"):
        monkeypatch.delenv(name, raising=False)
    assert not list(definitions_of(market).asset_checks or [])
    assert not list(definitions_of(energy).asset_checks or [])

"""Polls through Dagster, with faults: days re-opened, failures shown, schedules, and no secret anywhere."""

import logging
import re
from datetime import UTC, datetime

import dagster as dg
import pytest

from ev_platform.defs.components.provider_pull import ProviderPull
from ev_platform.defs.lake.assets import RAW_ASSETS, cleaned, compressed, segments
from ev_platform.defs.lake.checks import lake_checks
from ev_platform.defs.lake.gate import uncompacted_days
from ev_platform.defs.platform import Platform
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.resources import resources_for
from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.store import ObjectStore
from ev_platform.simulate.standins.server import Fault, Reply
from ev_platform_tests.providers.conftest import DAY, NOW, SERVERS, VINS, FakeClock, cars, log_in_bmw, settings_for

SECRET = re.compile(rb"standin-[a-z]")
"""How every secret of the stand-ins begins: client secrets, passwords, all kinds of tokens, device codes."""


@pytest.fixture
def fleet(tmp_path):
    """All stand-ins, one with 50 cars, and a platform that is configured for them."""
    clock = FakeClock()
    servers = {name: kind(cars(50 if name == "high_mobility" else 8), clock) for name, kind in SERVERS.items()}
    for server in servers.values():
        server.__enter__()
    log_in_bmw(servers["bmw"], tmp_path)
    settings = settings_for(servers, tmp_path)
    yield servers, clock, Platform(settings, ObjectStore(settings.lake_url), clock)
    for server in servers.values():
        server.__exit__(None, None, None)


def raw_assets():
    return [ProviderPull(provider=name).asset() for name in SERVERS]


def run(assets, platform, instance, day=DAY, **more):
    return dg.materialize(
        assets, instance=instance, resources=resources_for(platform), partition_key=day, raise_on_error=False, **more
    )


def test_a_mixed_fleet_with_faults_ends_in_one_cleaned_table_and_shows_no_secret(fleet, tmp_path, caplog, capfd):
    servers, clock, platform = fleet
    caplog.set_level(logging.DEBUG)
    broken = Fault(VINS[17], Reply(200, b'{"vin": "EV'), 10**6)
    servers["high_mobility"].faults += [Fault("vehicle-data", Reply(429, b"{}", {"Retry-After": "2"}), 7), broken]
    servers["mobilisights"].faults.append(Fault("exports", lambda reply: reply._replace(cut=len(reply.body) // 2), 1))
    servers["tesla_rest"].clock_error_ms = 90_000
    home = tmp_path / "dagster"
    home.mkdir()
    assets = raw_assets()
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        for _ in range(2):
            results = [run([asset], platform, instance) for asset in assets]
            assert all(result.success for result in results)
            clock.advance(1800)
        hm = results[0].asset_materializations_for_node("raw__high_mobility")[0].metadata
        assert hm["failed"].value == {VINS[17]: "not_json"}
        platform.store.put("ref/vehicles/part-0000.parquet", to_parquet_bytes())
        chain = run([*assets, compressed, cleaned, segments, *lake_checks], platform, instance, selection=CHAIN)
        assert chain.success
        assert all(check.passed for check in chain.get_asset_check_evaluations())
        # refused credentials: servers quote them in their answers
        wrong = platform.settings.with_changes(
            high_mobility_client_secret="standin-wrong-secret", mobilisights_password="standin-wrong-password"
        )
        for server in servers.values():
            server.clock.advance(10 * 3600)
        servers["mobilisights"].revoke()
        servers["tesla_rest"].log_in()
        servers["tesla_rest"]._last_used = ""
        servers["bmw"]._refresh.clear()
        refused = [run([asset], Platform(wrong, platform.store, clock), instance) for asset in assets]
        assert not any(result.success for result in refused)
        failures = [event.step_failure_data.error.message for r in refused for event in r.get_step_failure_events()]
        assert len(failures) == 4
        assert all("EV_" in text or "ev providers login" in text for text in failures), failures
    names = {row for key in platform.store.keys("cleaned") for row in providers_of(platform.store, key)}
    assert names == set(SERVERS)
    shown = capfd.readouterr()
    said = (caplog.text + shown.out + shown.err).encode()
    assert b"vehicles asked" in said
    assert not SECRET.search(said)
    files = [file for folder in (home, tmp_path / "lake") for file in folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in files)
    for file in files:
        assert not SECRET.search(file.read_bytes()), file
    assert SECRET.search((tmp_path / "state" / "tokens.json").read_bytes()), "the search finds secrets where they are"


CHAIN = dg.AssetSelection.assets(["lake", "compressed"], ["lake", "cleaned"], ["lake", "segments"])


def to_parquet_bytes():
    from ev_platform.lake.tables import to_parquet

    return to_parquet(VEHICLES.empty_table())


def providers_of(store, key):
    from ev_platform.lake.tables import from_parquet

    return from_parquet(store.get(key), ["provider"])["provider"].to_pylist()


def test_other_days_are_re_opened_before_the_poll_remembers_them(fleet, instance):
    _, clock, platform = fleet
    clock.ms = NOW + 12 * 3_600_000 + 60_000
    assert run([ProviderPull(provider="high_mobility").asset()], platform, instance, "2026-11-03").success
    assert uncompacted_days(instance, datetime(2026, 11, 3, tzinfo=UTC).date(), datetime(2026, 11, 3, tzinfo=UTC)) == [
        DAY
    ]


def test_a_poll_killed_after_storing_has_told_its_days(fleet, instance, monkeypatch):
    _, clock, platform = fleet
    clock.ms = NOW + 12 * 3_600_000 + 60_000

    def die(*_args, **_kw):
        raise KeyboardInterrupt

    monkeypatch.setattr("ev_platform.providers.pull.write_states", die)
    assert not run([ProviderPull(provider="mobilisights").asset()], platform, instance, "2026-11-03").success
    day = datetime(2026, 11, 3, tzinfo=UTC)
    assert uncompacted_days(instance, day.date(), day) == [DAY]


def test_every_polled_provider_feeds_compaction():
    assert {key.path[-1] for key in RAW_ASSETS} >= set(SERVERS)
    assert VEHICLES_KEY not in RAW_ASSETS


def test_the_schedule_asks_for_today_and_not_while_a_poll_runs(instance):
    from ev_platform_tests.defs.runs import add_run

    component = ProviderPull(provider="bmw", cron="*/15 * * * *")
    job = dg.define_asset_job("pull_bmw", selection=[dg.AssetKey(["raw", "bmw"])])
    schedule = component.schedule(job)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED, "not configured"
    at = datetime(2026, 11, 2, 12, 15, tzinfo=UTC)
    resources = {"platform": None}
    repository = dg.Definitions(assets=[component.asset()], jobs=[job], resources=resources).get_repository_def()
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at, repository_def=repository)
    (request,) = schedule.evaluate_tick(context).run_requests
    assert request.partition_key == DAY
    add_run(instance, dg.DagsterRunStatus.STARTED, 5, "pull_bmw")
    assert schedule.evaluate_tick(context).skip_message == "the poll before is still running"


def test_the_schedule_runs_where_the_provider_is_configured(monkeypatch):
    monkeypatch.setenv("EV_BMW_CLIENT_ID", "x")
    job = dg.define_asset_job("pull_bmw", selection=[dg.AssetKey(["raw", "bmw"])])
    assert ProviderPull(provider="bmw").schedule(job).default_status == dg.DefaultScheduleStatus.RUNNING

"""The daily chain through Dagster: any day twice, in any order, or as one range gives the same bytes."""

import hashlib
import shutil
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from ev_platform.defs.lake.assets import cleaned, compressed, segments
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import DrainConfig, raw_tesla
from ev_platform.defs.resources import resources_for
from ev_platform.defs.results.assets import sessions
from ev_platform.ingest.drain import drain
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform.ingest.lag import probe
from ev_platform.ingest.receipts import event_days
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import load_settings
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.scenario import Scenario

FIRST = date(2026, 11, 1)
DAYS = [(FIRST + timedelta(days=n)).isoformat() for n in range(3)]
RANGE = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}
CHAIN = [compressed, cleaned, segments, sessions]
ORDERS = {
    "forwards": [[day] for day in DAYS],
    "backwards": [[day] for day in reversed(DAYS)],
    "twice and crosswise": [[DAYS[1]], [DAYS[2]], [DAYS[1]], [DAYS[0]], [DAYS[0]], [DAYS[2]]],
    "one range": [DAYS],
    "a day, then the range": [[DAYS[1]], DAYS],
}


@pytest.fixture(scope="module")
def drained(tmp_path_factory):
    """A lake with three drained days of four vehicles, not compacted."""
    folder = tmp_path_factory.mktemp("drained")
    scenario = Scenario(seed=11, vehicles=4, first_day=FIRST)
    with EmbeddedBroker() as broker:
        settings = load_settings(
            lake_url=str(folder), kafka_bootstrap=broker.bootstrap, kafka_topics=(scenario.topic,), start_day=FIRST
        )
        feed = Feed(broker.bootstrap, scenario, settings.kafka_group, {})
        midnight = datetime.combine(FIRST, datetime.min.time(), UTC)
        for day in range(1, 4):
            feed.advance(midnight + timedelta(days=day))
            drain(settings, ObjectStore(str(folder)), None)
    return folder


def materialize(folder, instance, days):
    tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
    how = {"partition_key": days[0]} if len(days) == 1 else {"tags": tags}
    platform = Platform(load_settings(lake_url=str(folder)))
    return dg.materialize(CHAIN, instance=instance, resources=resources_for(platform), **how)


def contents(folder):
    store = ObjectStore(str(folder))
    prefixes = ("temp", "compressed", "cleaned", "segments", "results", "quarantine")
    return {key: hashlib.sha256(store.get(key)).hexdigest() for prefix in prefixes for key in store.keys(prefix)}


@pytest.fixture(scope="module")
def reference(drained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "lake"
    shutil.copytree(drained, folder)
    with dg.instance_for_test() as instance:
        for day in DAYS:
            materialize(folder, instance, [day])
    return contents(folder)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_any_order_gives_the_same_bytes(drained, reference, tmp_path, instance, order):
    shutil.copytree(drained, tmp_path / "lake")
    for days in order:
        materialize(tmp_path / "lake", instance, days)
    assert contents(tmp_path / "lake") == reference
    assert len([key for key in reference if key.startswith("results/sessions")]) >= 3


def test_sessions_cross_midnight_and_their_days_are_logged_as_materialized(drained, tmp_path, instance):
    shutil.copytree(drained, tmp_path / "lake")
    for day in DAYS:
        materialize(tmp_path / "lake", instance, [day])
    found = from_parquet(ObjectStore(str(tmp_path / "lake")).get("results/sessions/date=2026-11-01/part-0000.parquet"))
    assert max(found["n_pieces"].to_pylist()) > 1
    made = instance.fetch_materializations(dg.AssetKey(["results", "sessions"]), limit=50).records
    assert [record.partition_key for record in made].count(DAYS[0]) > 1  # re-filed by the night of the day after


def test_a_drain_under_todays_key_logs_every_other_day_it_wrote(tmp_path, instance):
    scenario = Scenario(seed=12, vehicles=2, first_day=FIRST)
    with EmbeddedBroker() as broker:
        settings = load_settings(
            lake_url=str(tmp_path / "lake"),
            kafka_bootstrap=broker.bootstrap,
            kafka_topics=(scenario.topic,),
            start_day=FIRST,
        )
        feed = Feed(broker.bootstrap, scenario, settings.kafka_group, {})
        while not feed.advance(datetime(2026, 11, 3, tzinfo=UTC)).reached:
            continue
        today = datetime.now(UTC).date().isoformat()
        ranges = {f"{lag.topic}:{lag.partition}": [lag.low, lag.high] for lag in probe(settings) if lag.high}

        def drain_run(config):
            return dg.materialize(
                [raw_tesla],
                instance=instance,
                partition_key=today,
                resources=resources_for(Platform(settings)),
                run_config=dg.RunConfig(ops={"raw__tesla": config}),
            )

        assert drain_run(DrainConfig(ranges=ranges)).success
        written = instance.get_materialized_partitions(raw_tesla.key)
        assert written == {DAYS[0], today} | set(event_days(ObjectStore(settings.lake)))
        assert DAYS[1] in written
        committed = [lag.committed for lag in probe(settings)]
        before = contents(tmp_path / "lake")
        assert drain_run(DrainConfig(ranges=ranges)).success  # re-executed from the UI: the same objects, no new commit
        assert contents(tmp_path / "lake") == before
        assert [lag.committed for lag in probe(settings)] == committed
        assert drain_run(DrainConfig()).success  # by hand, nothing waits: a run without a message is no failure

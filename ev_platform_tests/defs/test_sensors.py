"""The Kafka sensor looks and never consumes; bounded ranges, no run_key; a dead drain blocks nothing for long."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.defs.platform import Platform
from ev_platform.defs.raw import sensors
from ev_platform.defs.raw.assets import DrainConfig
from ev_platform.ingest.breaker import Breaker, PoisonedTopicError
from ev_platform.ingest.lag import PartitionLag
from ev_platform_tests.defs.runs import add_run

LAGS = [PartitionLag("tesla_V", 0, 100, 0, 250), PartitionLag("tesla_V", 1, None, 40, 60)]


@pytest.fixture
def broker(monkeypatch, platform):
    """A probe with the given answer, on a platform with a broker."""
    answer = list(LAGS)
    monkeypatch.setattr(sensors, "probe", lambda settings: answer)
    monkeypatch.setattr(sensors, "members", lambda settings: 0)
    platform.settings = platform.settings.with_changes(kafka_bootstrap="127.0.0.1:1")
    return answer


def tick(platform, instance):
    context = dg.build_sensor_context(instance=instance, resources={"platform": platform})
    return sensors.kafka_lag(context)


def test_requests_one_drain_with_explicit_ranges_and_no_run_key(broker, platform, instance):
    result = tick(platform, instance)
    (request,) = result.run_requests
    assert request.run_key is None
    assert request.partition_key == datetime.now(UTC).date().isoformat()
    ranges = request.run_config["ops"]["raw__tesla"]["config"]["ranges"]
    assert ranges == {"tesla_V:0": [100, 250], "tesla_V:1": [40, 60]}
    assert [(r.topic, r.partition, r.start, r.end) for r in DrainConfig(ranges=ranges).offset_ranges()] == [
        ("tesla_V", 0, 100, 250),
        ("tesla_V", 1, 40, 60),
    ]


def test_the_lag_is_observed_at_every_tick(broker, platform, instance):
    (event,) = tick(platform, instance).asset_events
    assert event.metadata["lag_messages"].value == 170
    assert event.metadata["high_watermarks"].value == {"tesla_V:0": 250, "tesla_V:1": 60}


def test_a_fleet_that_stands_still_is_observed_every_five_minutes():
    now = datetime(2026, 11, 6, tzinfo=UTC)
    events, cursor = sensors.observe(None, LAGS, now)
    assert len(events) == 1
    assert sensors.observe(cursor, LAGS, now + timedelta(seconds=299)) == ([], cursor)
    assert len(sensors.observe(cursor, LAGS, now + timedelta(seconds=301))[0]) == 1
    assert len(sensors.observe(cursor, LAGS[:1], now + timedelta(seconds=1))[0]) == 1


def test_skips_without_lag_and_without_broker(broker, platform, instance):
    broker[:] = [PartitionLag("tesla_V", 0, 250, 0, 250)]
    assert "lag 0" in tick(platform, instance).skip_reason.skip_message
    bare = Platform(platform.settings.with_changes(kafka_bootstrap=""))
    assert "EV_KAFKA_BOOTSTRAP" in tick(bare, instance).skip_reason.skip_message


def test_only_reports_the_lag_while_the_ingest_service_lives(broker, platform, instance, monkeypatch):
    monkeypatch.setattr(sensors, "members", lambda settings: 2)
    found = tick(platform, instance)
    assert not found.run_requests
    assert "the ingest service reads it (2 in the group)" in found.skip_reason.skip_message
    assert [event.metadata["lag_messages"].value > 0 for event in found.asset_events] == [True]
    monkeypatch.setattr(sensors, "members", lambda settings: 0)
    assert tick(platform, instance).run_requests


def test_waits_for_a_drain_under_way(broker, platform, instance):
    add_run(instance, dg.DagsterRunStatus.STARTED, 30)
    assert "under way" in tick(platform, instance).skip_reason.skip_message


def test_a_drain_older_than_its_max_runtime_is_dead_and_blocks_nothing(broker, platform, instance):
    add_run(instance, dg.DagsterRunStatus.STARTED, sensors.DRAIN_MAX_RUNTIME_SECONDS + 30)
    assert len(tick(platform, instance).run_requests) == 1


def test_a_queued_drain_is_waited_for_however_old(broker, platform, instance):
    add_run(instance, dg.DagsterRunStatus.QUEUED, 10 * sensors.DRAIN_MAX_RUNTIME_SECONDS)
    assert "under way" in tick(platform, instance).skip_reason.skip_message


def test_other_jobs_do_not_hold_a_drain_up(broker, platform, instance):
    add_run(instance, dg.DagsterRunStatus.STARTED, 1, job="nightly")
    assert len(tick(platform, instance).run_requests) == 1


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans()), max_size=12),
    st.integers(1, 10**6),
)
def test_ranges_are_bounded_fair_and_start_at_the_commit(rows, most):
    lags = [
        PartitionLag("t", n, None if new else low, low, low + backlog) for n, (low, backlog, new) in enumerate(rows)
    ]
    ranges = sensors.bounded_ranges(lags, most)
    lengths = {n: end - start for n, (start, end) in ((k.split(":")[1], v) for k, v in ranges.items())}
    lagging = [lag for lag in lags if lag.behind]
    assert len(ranges) == len(lagging)
    assert sum(lengths.values()) <= max(most, len(lagging))
    for lag in lagging:
        start, end = ranges[f"t:{lag.partition}"]
        assert start == lag.low
        assert start < end <= lag.high
    if sum(lag.behind for lag in lags) <= most:
        assert all(lengths[str(lag.partition)] == lag.behind for lag in lagging)


def test_an_expired_start_is_kept_so_that_the_drain_records_the_gap():
    assert sensors.bounded_ranges([PartitionLag("t", 0, 5, 100, 150)], 1000) == {"t:0": [5, 150]}


def test_a_topic_created_again_is_read_from_its_beginning():
    assert sensors.bounded_ranges([PartitionLag("t", 0, 900, 0, 50)], 1000) == {"t:0": [0, 50]}


def test_a_stopped_breaker_is_the_reason_to_skip(broker, platform, instance):
    error = PoisonedTopicError("501 of the last 1000 messages cannot be read")
    Breaker(platform.settings).trip(platform.store, error)
    result = tick(platform, instance)
    assert result.run_requests == []
    assert result.skip_reason.skip_message == "lag 170, 501 of the last 1000 messages cannot be read"
    assert len(result.asset_events) == 1  # the lag is seen all the same
    platform.store.delete(platform.store.keys("state"))
    assert len(tick(platform, instance).run_requests) == 1

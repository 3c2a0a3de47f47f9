"""The nightly schedule: each closed, uncompacted day, once drained; nothing stalls, nothing is repeated all night."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from ev_platform.defs.lake import gate, schedules
from ev_platform.defs.lake.assets import COMPRESSED_KEY, RAW_SEEN, newest_raw
from ev_platform.defs.raw.assets import KAFKA_TESLA, RAW_TESLA
from ev_platform.errors import UserError
from ev_platform.ingest.lag import PartitionLag
from ev_platform_tests.defs.runs import add_run

DAY, NEXT = "2026-11-05", "2026-11-06"
TICK = datetime(2026, 11, 6, 0, 10, tzinfo=UTC)


@pytest.fixture
def offsets(monkeypatch, platform):
    """What the broker answers: `lags` of the probe, `times` of the lookup (None: it cannot say), `down`."""
    answers = {"lags": [PartitionLag("t", 0, 50, 0, 50)], "times": {}, "down": False}

    def probe(settings):
        if answers["down"]:
            raise UserError("broker does not answer")
        return answers["lags"]

    monkeypatch.setattr(gate, "probe", probe)
    monkeypatch.setattr(gate, "offsets_for_time", lambda settings, ms: answers["times"])
    platform.settings = platform.settings.with_changes(kafka_bootstrap="127.0.0.1:1")
    return answers


def raw(instance, *days):
    for day in days:
        instance.report_runless_asset_event(dg.AssetMaterialization(RAW_TESLA, partition=day))


def compacted(instance, day, seen):
    event = dg.AssetMaterialization(COMPRESSED_KEY, partition=day, metadata={RAW_SEEN: seen})
    instance.report_runless_asset_event(event)


def night(platform, instance, tick=TICK):
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=tick, resources={"platform": platform}
    )
    answer = schedules.nightly(context)
    if isinstance(answer, dg.SkipReason):
        return [], answer.skip_message
    return [request.partition_key for request in answer], ""


def test_requests_every_closed_uncompacted_day_and_never_today(offsets, platform, instance):
    raw(instance, "2026-11-03", DAY, NEXT)
    assert night(platform, instance)[0] == ["2026-11-03", DAY]


def test_a_compacted_day_is_left_alone(offsets, platform, instance):
    raw(instance, DAY)
    compacted(instance, DAY, newest_raw(instance)[DAY])
    assert night(platform, instance) == ([], "every closed day with raw data is compacted")


def test_late_data_after_the_compaction_makes_the_day_uncompacted(offsets, platform, instance):
    raw(instance, DAY)
    compacted(instance, DAY, newest_raw(instance)[DAY])
    raw(instance, DAY)
    assert night(platform, instance)[0] == [DAY]


def test_a_drain_that_ended_while_the_compaction_ran_is_not_missed(offsets, platform, instance):
    """The compaction's event is the newest, but it had listed its files before the drain wrote."""
    raw(instance, DAY)
    known = newest_raw(instance)[DAY]
    raw(instance, DAY)
    compacted(instance, DAY, known)
    now = datetime.now(UTC)
    assert gate.uncompacted_days(instance, TICK.date(), now) == [DAY]
    # the proof that the event order alone would miss it
    done = instance.get_latest_storage_id_by_partition(COMPRESSED_KEY, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert done[DAY] > newest_raw(instance)[DAY]


def test_waits_until_drained_where_the_broker_looks_up_times(offsets, platform, instance):
    raw(instance, DAY)
    offsets["times"] = {("t", 0): 51}
    offsets["lags"] = [PartitionLag("t", 0, 50, 0, 400)]
    assert night(platform, instance) == ([], f"{DAY} is not drained yet")
    offsets["lags"] = [PartitionLag("t", 0, 51, 0, 400)]  # the day after may lag as it likes
    assert night(platform, instance)[0] == [DAY]


def test_without_time_lookup_the_high_watermark_of_the_tick_counts(offsets, platform, instance):
    raw(instance, DAY)
    offsets["lags"] = [PartitionLag("t", 0, 49, 0, 50)]
    assert night(platform, instance)[0] == []
    offsets["lags"] = [PartitionLag("t", 0, 50, 0, 50)]
    assert night(platform, instance)[0] == [DAY]


def test_a_stream_that_never_stands_still_is_drained_past_the_first_probe_after_midnight(offsets, platform, instance):
    raw(instance, DAY)
    probe = dg.AssetObservation(KAFKA_TESLA, metadata={"high_watermarks": dg.MetadataValue.json({"t:0": 40})})
    instance.report_runless_asset_event(probe)
    offsets["lags"] = [PartitionLag("t", 0, 49, 0, 50)]  # always a little behind
    assert night(platform, instance)[0] == [DAY]
    offsets["lags"] = [PartitionLag("t", 0, 39, 0, 50)]
    assert night(platform, instance)[0] == []


def test_a_partition_that_was_never_read_is_not_drained(offsets, platform, instance):
    raw(instance, DAY)
    offsets["lags"] = [PartitionLag("t", 0, None, 0, 50)]
    assert night(platform, instance)[0] == []
    offsets["lags"] = [PartitionLag("t", 0, None, 0, 0)]  # empty: nothing to read
    assert night(platform, instance)[0] == [DAY]


@pytest.mark.parametrize("down", [False, True])
def test_at_six_it_requests_anyway_and_alerts(offsets, platform, instance, monkeypatch, down):
    told = []
    monkeypatch.setattr(schedules.Alerts, "announce", lambda _, alert: told.append(alert.title))
    raw(instance, DAY)
    offsets["lags"] = [PartitionLag("t", 0, 1, 0, 50)]
    offsets["down"] = down
    assert night(platform, instance, TICK.replace(hour=5, minute=50))[0] == []
    assert told == []
    assert night(platform, instance, TICK.replace(hour=6, minute=0))[0] == [DAY]
    assert told == [f"{DAY} compacted before it was drained"]


def test_at_six_it_finds_what_a_dead_drain_never_reported(offsets, platform, instance):
    platform.store.put(f"temp/EVPTESLA000000001/{DAY}/x.json", b"")
    platform.store.put(f"temp/EVPTESLA000000001/{NEXT}/x.json", b"")  # today: still open
    assert night(platform, instance)[0] == []
    assert night(platform, instance, TICK.replace(hour=6, minute=0))[0] == [DAY]


def test_a_day_in_progress_is_not_requested_twice(offsets, platform, instance, monkeypatch):
    raw(instance, DAY)
    monkeypatch.setattr(schedules, "days_in_progress", lambda instance: {DAY})
    assert night(platform, instance) == ([], f"{DAY} is in progress")


def test_days_in_progress_knows_single_days_and_ranges(instance):
    run_id = add_run(instance, dg.DagsterRunStatus.STARTED, 5, job="nightly")
    instance.add_run_tags(run_id, {"dagster/partition": DAY})
    run_id = add_run(instance, dg.DagsterRunStatus.QUEUED, 5, job="__ASSET_JOB")
    instance.add_run_tags(run_id, {gate.START_TAG: "2026-11-01", gate.END_TAG: "2026-11-03"})
    drain = add_run(instance, dg.DagsterRunStatus.STARTED, 5, job="drain")
    instance.add_run_tags(drain, {"dagster/partition": "2026-11-20"})
    assert gate.days_in_progress(instance) == {DAY, "2026-11-01", "2026-11-02", "2026-11-03"}


def test_a_day_that_fails_again_and_again_is_given_up_for_the_night(offsets, platform, instance, monkeypatch):
    raw(instance, DAY)
    monkeypatch.setattr(schedules, "failures", lambda *_: schedules.MOST_FAILURES)
    requested, reason = night(platform, instance)
    assert requested == []
    assert "failed 3 times" in reason


def test_ticks_every_ten_minutes_of_the_night(platform):
    ticks = []
    start = datetime(2026, 11, 6, tzinfo=UTC)
    for tick in schedule_execution_time_iterator(start.timestamp(), schedules.nightly.cron_schedule, "UTC"):
        if tick >= start + timedelta(days=1):
            break
        ticks.append(tick.strftime("%H:%M"))
    assert ticks[0] == "00:10"
    assert ticks[-1] == "06:00"
    assert len(ticks) == 36
    assert "05:50" in ticks

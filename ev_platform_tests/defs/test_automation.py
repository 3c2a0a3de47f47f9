"""The late-data condition on the real graph: exactly the days that changed, their month, and nothing else."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData

from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY, SEGMENTS_KEY
from ev_platform.defs.partitions import DAYS
from ev_platform.defs.raw.assets import RAW_TESLA
from ev_platform.defs.ref.assets import VEHICLES_KEY
from ev_platform.defs.results.assets import BATTERY_HEALTH_KEY, SESSIONS_KEY
from ev_platform_tests.defs.runs import add_run

CHAIN = [COMPRESSED_KEY, CLEANED_KEY, SEGMENTS_KEY, SESSIONS_KEY]
TODAY = datetime(2026, 11, 6, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def definitions():
    return load_definitions()


class Daemon:
    """Evaluates as the daemon does: a cursor from tick to tick."""

    def __init__(self, definitions, instance):
        self.definitions, self.instance, self.cursor = definitions, instance, None
        self.tick()

    def tick(self, now=TODAY):
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=now
        )
        self.cursor = result.cursor
        keys = [*CHAIN, BATTERY_HEALTH_KEY, RAW_TESLA]
        return {k.to_user_string(): found for k in keys if (found := set(result.get_requested_partitions(k)))}


@pytest.fixture
def daemon(definitions, instance):
    return Daemon(definitions, instance)


def made(instance, key, *partitions):
    for partition in partitions:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def make_day(instance, day):
    """What a drain and the night leave behind."""
    for key in [RAW_TESLA, *CHAIN]:
        made(instance, key, day)


def test_late_data_re_open_exactly_their_day_and_its_month(daemon, instance):
    make_day(instance, "2026-11-03")
    make_day(instance, "2026-11-04")
    daemon.tick()
    made(instance, BATTERY_HEALTH_KEY, "2026-11")
    assert daemon.tick() == {}
    made(instance, RAW_TESLA, "2026-11-03", "2026-11-06")  # late, and today, which is open
    assert daemon.tick() == {key.to_user_string(): {"2026-11-03"} for key in CHAIN}
    assert daemon.tick() == {}  # handled: asked for once
    for key in CHAIN:
        made(instance, key, "2026-11-03")
    assert daemon.tick() == {"results/battery_health": {"2026-11"}}


def test_the_month_is_made_after_the_first_night_of_its_first_day(daemon, instance):
    make_day(instance, "2026-11-05")
    assert daemon.tick() == {"results/battery_health": {"2026-11"}}


def test_yesterday_waits_for_the_schedule_and_its_gate(daemon, instance):
    """The drain of the last minutes before midnight must not start the compaction: more is to come."""
    made(instance, RAW_TESLA, "2026-11-05")
    just_after_midnight = datetime(2026, 11, 6, 0, 0, 30, tzinfo=UTC)
    assert daemon.tick(just_after_midnight) == {}


def test_an_older_day_with_its_first_data_is_made_at_once(daemon, instance):
    made(instance, RAW_TESLA, "2026-11-02")
    assert daemon.tick()["lake/compressed"] == {"2026-11-02"}


def test_late_data_of_yesterday_after_the_night_are_repaired(daemon, instance):
    make_day(instance, "2026-11-05")
    daemon.tick()
    made(instance, RAW_TESLA, "2026-11-05")
    assert daemon.tick()["lake/compressed"] == {"2026-11-05"}


def test_a_provider_that_never_sent_anything_blocks_nothing(daemon, instance, definitions):
    """`eager()` would wait for it for ever through any_deps_missing; ref/vehicles was never made here."""
    assert instance.get_latest_materialization_event(VEHICLES_KEY) is None
    made(instance, RAW_TESLA, "2026-11-02")
    assert "lake/cleaned" in daemon.tick()


def test_a_new_registry_does_not_ask_for_every_day(daemon, instance):
    make_day(instance, "2026-11-03")
    daemon.tick()
    made(instance, VEHICLES_KEY, None)
    assert daemon.tick() == {}


def test_waits_while_the_night_works_on_the_day(daemon, instance):
    make_day(instance, "2026-11-03")
    daemon.tick()
    made(instance, RAW_TESLA, "2026-11-03")
    run_id = add_run(instance, dg.DagsterRunStatus.STARTED, 1, job="nightly")
    planned = AssetMaterializationPlannedData(COMPRESSED_KEY, partition="2026-11-03")
    instance.report_dagster_event(
        dg.DagsterEvent.build_asset_materialization_planned_event(
            job_name="nightly",
            step_key="lake__compressed",
            asset_materialization_planned_data=planned,
        ),
        run_id,
    )
    assert "lake/compressed" not in daemon.tick()
    instance.report_run_failed(instance.get_run_by_id(run_id))
    assert daemon.tick()["lake/compressed"] == {"2026-11-03"}  # not forgotten


def compress(instance, passed, **how):
    """A run of compressed alone whose blocking check passes or fails."""

    @dg.asset(key=COMPRESSED_KEY, partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.multi_run(30))
    def compressed() -> None:
        return None

    @dg.asset_check(asset=COMPRESSED_KEY, name="row_conservation", partitions_def=DAYS, blocking=True)
    def row_conservation():
        return dg.AssetCheckResult(passed=passed)

    dg.materialize([compressed, row_conservation], instance=instance, raise_on_error=False, **how)


def test_a_failed_blocking_check_is_not_bypassed_and_a_later_success_is_followed(daemon, instance):
    make_day(instance, "2026-11-03")
    daemon.tick()
    compress(instance, passed=False, partition_key="2026-11-03")
    assert "lake/cleaned" not in daemon.tick()
    compress(instance, passed=True, partition_key="2026-11-03")
    assert daemon.tick()["lake/cleaned"] == {"2026-11-03"}


def test_a_range_of_compressed_alone_is_followed_downstream(daemon, instance):
    for day in ("2026-11-02", "2026-11-03"):
        make_day(instance, day)
    daemon.tick()
    tags = {"dagster/asset_partition_range_start": "2026-11-02", "dagster/asset_partition_range_end": "2026-11-03"}
    compress(instance, passed=True, tags=tags)
    assert daemon.tick()["lake/cleaned"] == {"2026-11-02", "2026-11-03"}


def test_a_failed_day_repaired_by_a_range_run_is_followed(daemon, instance):
    make_day(instance, "2026-11-03")
    daemon.tick()
    compress(instance, passed=False, partition_key="2026-11-03")
    assert "lake/cleaned" not in daemon.tick()
    tags = {"dagster/asset_partition_range_start": "2026-11-02", "dagster/asset_partition_range_end": "2026-11-03"}
    compress(instance, passed=True, tags=tags)
    assert "2026-11-03" in daemon.tick()["lake/cleaned"]

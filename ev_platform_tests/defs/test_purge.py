"""Old drain runs go, but never the newest materialization of a raw day: deleting a run deletes its events."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from ev_platform.defs.ops.purge import purge_drain_runs
from ev_platform.defs.raw.assets import RAW_TESLA


def drain_runs(instance, *days_written):
    """One run of a job named `drain` per entry, each logging the given raw days."""
    for days in days_written:

        @dg.op
        def write(context, days=days):
            for day in days:
                context.log_event(dg.AssetMaterialization(RAW_TESLA, partition=day))

        @dg.job(name="drain")
        def drain():
            write()

        assert drain.execute_in_process(instance=instance).success


def test_superseded_runs_go_and_every_day_stays_materialized(instance):
    drain_runs(instance, ["2026-11-01"], ["2026-11-01", "2026-11-02"], ["2026-11-02"], ["2026-11-03"])
    before = instance.get_materialized_partitions(RAW_TESLA)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert purge_drain_runs(instance, soon) == 1  # only the first run holds no newest day
    assert instance.get_materialized_partitions(RAW_TESLA) == before
    assert instance.get_runs_count() == 3
    assert purge_drain_runs(instance, soon) == 0


def test_young_runs_stay(instance):
    drain_runs(instance, ["2026-11-01"], ["2026-11-01"])
    assert purge_drain_runs(instance, datetime.now(UTC) - timedelta(hours=1)) == 0


def test_kept_runs_do_not_hide_the_ones_behind_them(instance):
    drain_runs(instance, ["2026-11-01"], ["2026-11-02"], ["2026-11-03"], ["2026-11-03"], ["2026-11-03"])
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert purge_drain_runs(instance, soon, most=1) == 1
    assert purge_drain_runs(instance, soon, most=1) == 1
    assert purge_drain_runs(instance, soon, most=1) == 0

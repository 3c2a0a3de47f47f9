"""When assets repair themselves: late data re-open exactly the days they fall in, and everything downstream.

The nightly schedule makes a closed day the first time, after its drain gate; these conditions do all that comes later.
Not used, because each was seen to lose or stall: `eager()` (requests yesterday before it is drained, and one provider
that never sent anything blocks it through `any_deps_missing`), `newly_missing`, and the blocking-checks condition
(never true again after a run over a range of days).
See https://docs.dagster.io/guides/automate/declarative-automation.
"""

import dagster as dg

DATA_UPDATED = dg.AutomationCondition.any_deps_updated().ignore(dg.AssetSelection.groups("ref"))
"""The registry has no partitions: an update of it would ask for every day since the first. Backfill those by hand."""

FAILED_DEPS = dg.AutomationCondition.any_deps_match(
    dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
)
"""A blocking check of an upstream partition failed. Unlike "all passed", this is false again after the next success."""

UPDATED_DEPS = (
    DATA_UPDATED.since_last_handled()
    & ~FAILED_DEPS
    & ~dg.AutomationCondition.in_progress()
    & ~dg.AutomationCondition.any_deps_in_progress()
)
"""Some upstream partition changed since this one was made or asked for, and nobody works on either."""

LATE_DATA = UPDATED_DEPS & ~(dg.AutomationCondition.missing() & dg.AutomationCondition.in_latest_time_window())
"""As above, but the first compaction of yesterday belongs to the schedule, which waits until it is drained."""

NO_REGISTRY = dg.AutomationCondition.missing().newly_true().since_last_handled() & ~dg.AutomationCondition.in_progress()
"""The registry's file is read as soon as there is no registry; a schedule reads it again every night."""

late_data = dg.AutomationConditionSensorDefinition(
    "late_data",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,  # Dagster's own default sensor stays off until somebody toggles it
    minimum_interval_seconds=30,
    description="Repairs closed days that received late data, and re-opens their month.",
)

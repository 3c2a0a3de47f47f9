"""When assets repair themselves: late data re-open exactly the days they fall in, and everything downstream.

The nightly schedule makes a closed day the first time, after its drain gate; these conditions do all that comes later.
Not used, because each was seen to lose or stall: `eager()` (requests yesterday before it is drained, and one provider
that never sent anything blocks it through `any_deps_missing`), `newly_missing`, the blocking-checks condition (never
true again after a run over a range of days), `any_deps_updated` and `since_last_handled` (see `NEWER_DEPS`).
See https://docs.dagster.io/guides/automate/declarative-automation.
"""

import dagster as dg

_REF = dg.AssetSelection.groups("ref")
"""The registry has no partitions: an update of it would ask for every day since the first. Backfill those by hand."""

_WRITTEN = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated()).ignore(_REF)

NEWER_DEPS = _WRITTEN.since(dg.AutomationCondition.newly_updated()) & _WRITTEN.since(
    dg.AutomationCondition.newly_requested()
)
"""An upstream partition was written after this one, and after automation last asked for this one.

Two conditions, because only a plain one compares times when both happen between two looks; joined by "or", as in
`since_last_handled`, whatever is written between a request and the next look is lost. And not `any_deps_updated`: it
overlooks a neighbouring day that was written by a run that also made this table, of another day.
"""

ASKED_DEPS = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested()).ignore(_REF)
"""An upstream partition is asked for in this look: both go into one run."""

FAILED_DEPS = dg.AutomationCondition.any_deps_match(
    dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
)
"""A blocking check of an upstream partition failed. Unlike "all passed", this is false again after the next success."""

_AT_REST = ~FAILED_DEPS & ~dg.AutomationCondition.in_progress() & ~dg.AutomationCondition.any_deps_in_progress()

UPDATED_DEPS = (NEWER_DEPS | ASKED_DEPS) & _AT_REST
"""Some upstream partition changed since this one was made or asked for, and nobody works on either."""

_ANY_OF_ALL_DEPS = dg.AutomationCondition.all_deps_match(~dg.AutomationCondition.missing()).ignore(_REF)

SETTLED_DEPS = NEWER_DEPS & _ANY_OF_ALL_DEPS & _AT_REST
"""As above, for what also reads the days around its own: never in one run with them, only after all have been made;
and not for a day that has data only before or only after it."""

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

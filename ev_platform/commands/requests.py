"""Evaluates the real sensor, schedule and automation in this process, and runs what they request, one after another.

The daemon does the same with processes and waiting; here the order is fixed, so that a demo is reproducible.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from ev_platform.defs.platform import Platform
from ev_platform.providers.base import Clock
from ev_platform.settings import Settings

MOST_LOOKS = 10
"""Of the automation until it comes to rest: as many as tables can follow each other."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The event log has it all; on the terminal there is a progress bar."""


@dataclass
class Tally:
    """What ran: seconds and rows per asset, checks passed and failed, runs that failed."""

    runs: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    materialized: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    rows: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    checks_passed: int = 0
    checks_failed: list[str] = field(default_factory=list)
    failed_runs: list[str] = field(default_factory=list)


class Requests:
    """The definitions on one instance: `sensor`, `schedule` and `automation` evaluate, then execute what is asked."""

    def __init__(
        self, defs: dg.Definitions, instance: dg.DagsterInstance, platform: Platform, cursor_file: Path
    ) -> None:
        self._defs = defs
        self._repository = defs.get_repository_def()
        self._instance = instance
        self._resources = {"platform": platform}
        self._cursor_file = cursor_file
        self.tally = Tally()

    @contextmanager
    def acting_as(self, settings: Settings, clock: Clock | None = None) -> Iterator[None]:
        """Within it, sensors and assets see these settings (and this time), on the same lake and instance.

        The platform of the definitions is one object, made when they were loaded; a job refuses another one.
        """
        loaded = (self._defs.resources or {}).get("platform")
        platforms = [place for place in (self._resources["platform"], loaded) if isinstance(place, Platform)]
        kept = [(place.settings, place.clock) for place in platforms]
        for place in platforms:
            place.settings, place.clock = settings, clock or place.clock
        try:
            yield
        finally:
            for place, before in zip(platforms, kept, strict=True):
                place.settings, place.clock = before

    def sensor(self, name: str) -> int:
        """One tick of a sensor; returns the number of runs it requested, which have been executed."""
        with dg.build_sensor_context(
            instance=self._instance, repository_def=self._repository, resources=self._resources
        ) as context:
            tick = self._defs.resolve_sensor_def(name).evaluate_tick(context)
        for event in tick.asset_events:
            self._instance.report_runless_asset_event(event)
        sensor = self._defs.resolve_sensor_def(name)
        return self._run_all(None if sensor.asset_selection else sensor.job_name, tick.run_requests or [])

    def schedule(self, name: str, at: datetime) -> int:
        """One tick of a schedule at that time; returns the number of runs it requested, which have been executed."""
        context = dg.build_schedule_context(
            instance=self._instance,
            scheduled_execution_time=at,
            repository_def=self._repository,
            resources=self._resources,
        )
        schedule = self._defs.resolve_schedule_def(name)
        return self._run_all(schedule.job_name, schedule.evaluate_tick(context).run_requests or [])

    def automation(self, at: datetime) -> int:
        """One evaluation of every automation condition, with the partitions that exist at that time.

        Its cursor is kept in a file, as the daemon keeps it in the instance. Returns the number of runs.
        """
        cursor = self._load_cursor()
        result = dg.evaluate_automation_conditions(self._defs, self._instance, cursor=cursor, evaluation_time=at)
        wanted: dict[str, list[dg.AssetKey]] = defaultdict(list)
        for key in sorted(self._repository.asset_graph.materializable_asset_keys):
            for partition in result.get_requested_partitions(key):
                wanted[partition or ""].append(key)
        for keys, partitions in _runs(wanted):
            if len(partitions) == 1:
                self.materialize(keys, partitions[0] or None)
            else:
                self.materialize_range(keys, partitions[0], partitions[-1])
        self._save_cursor(result.cursor)  # after the runs: a kill in between asks for them again
        return len(wanted)

    def settle(self, at: datetime) -> None:
        """Automation again and again, since tables follow tables, until everything downstream has caught up."""
        for _ in range(MOST_LOOKS):
            if not self.automation(at):
                return

    def materialize(self, keys: Sequence[dg.AssetKey], partition: str | None = None) -> None:
        """One run of these assets and their checks."""
        self._execute(self._defs.resolve_implicit_global_asset_job_def(), partition, assets=keys)

    def materialize_range(self, keys: Sequence[dg.AssetKey], first: str, last: str) -> None:
        """One run of these assets and their checks over a range of partitions, as a backfill from the UI makes it."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        self._execute(self._defs.resolve_implicit_global_asset_job_def(), None, tags=tags, assets=keys)

    def _run_all(self, job_name: str | None, requests: Sequence[dg.RunRequest]) -> int:
        """Without a job's name the requests select assets themselves."""
        for request in requests:
            job = (
                self._defs.resolve_job_def(job_name) if job_name else self._defs.resolve_implicit_global_asset_job_def()
            )
            self._execute(job, request.partition_key, request.run_config, request.tags, request.asset_selection)
        return len(requests)

    def _execute(
        self,
        job: dg.JobDefinition,
        partition: str | None,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        assets: Sequence[dg.AssetKey] | None = None,
    ) -> None:
        result = job.execute_in_process(
            asset_selection=assets,
            instance=self._instance,
            partition_key=partition,
            run_config={**QUIET, **(run_config or {})},
            tags=dict(tags or {}),
            raise_on_error=False,
        )
        self._count(result, partition)

    def _count(self, result: dg.ExecuteInProcessResult, partition: str | None) -> None:
        tally = self.tally
        tally.runs += 1
        if not result.success:
            tally.failed_runs.append(f"{result.job_def.name} {partition or ''}: {_first_error(result)}")
        for event in result.get_step_success_events():
            tally.seconds[event.step_key.replace("__", "/")] += (event.step_success_data.duration_ms or 0) / 1000
        for event in result.filter_events(lambda e: e.is_step_materialization):
            made = event.materialization
            name = made.asset_key.to_user_string()
            tally.materialized[name] += 1
            if total := made.metadata.get("dagster/partition_row_count"):
                tally.rows[name][made.partition or ""] = int(total.value)
            elif added := made.metadata.get("records"):
                tally.rows[name][made.partition or ""] = tally.rows[name].get(made.partition or "", 0) + int(
                    added.value
                )
        for check in result.get_asset_check_evaluations():
            tally.checks_passed += check.passed
            if not check.passed:
                tally.checks_failed.append(f"{check.asset_key.to_user_string()}:{check.check_name} {partition or ''}")

    def _load_cursor(self) -> Any:  # noqa: ANN401 - Dagster does not export the type
        if not self._cursor_file.exists():
            return None
        return dg.deserialize_value(json.loads(self._cursor_file.read_text())["cursor"])

    def _save_cursor(self, cursor: Any) -> None:  # noqa: ANN401
        staged = self._cursor_file.with_suffix(".tmp")
        staged.write_text(json.dumps({"cursor": dg.serialize_value(cursor)}))
        staged.replace(self._cursor_file)


def _runs(wanted: Mapping[str, list[dg.AssetKey]]) -> list[tuple[list[dg.AssetKey], list[str]]]:
    """Keys and partitions of each run: consecutive days of the same assets go into one, as the daemon groups them."""
    found: list[tuple[list[dg.AssetKey], list[str]]] = []
    for partition, keys in sorted(wanted.items()):
        if found and found[-1][0] == keys and _follows(found[-1][1][-1], partition):
            found[-1][1].append(partition)
        else:
            found.append((keys, [partition]))
    return found


def _follows(day: str, other: str) -> bool:
    try:
        return date.fromisoformat(day) + timedelta(days=1) == date.fromisoformat(other)
    except ValueError:  # months, and assets without partitions
        return False


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return (error.message if error else "").strip().splitlines()[0]
    return "unknown"

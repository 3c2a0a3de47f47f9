"""Through Dagster: a 500-vehicle day from raw objects to sessions in one run; 30 days in one run and one by one."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from bench import fleet_day
from bench.harness import Section, Target, measure

VEHICLES = 500
RANGE_VEHICLES, RANGE_DAYS = 5, 30


def _settings(folder: Path):  # noqa: ANN202 - Settings
    from ev_platform.settings import load_settings

    return load_settings(lake_url=str(folder), start_day=fleet_day.FIRST, state_dir=folder.parent / "state", workers=2)


def _materialize(folder: str, groups: list[list[str]]) -> dict[str, int]:
    """Every group of consecutive days in a run of its own, all with their checks."""
    import dagster as dg

    from ev_platform.defs.lake.assets import cleaned, compressed, segments
    from ev_platform.defs.platform import Platform
    from ev_platform.defs.resources import resources_for
    from ev_platform.defs.results.assets import sessions
    from ev_platform.engine.pool import stop_pools

    resources = resources_for(Platform(_settings(Path(folder))))
    runs = 0
    with dg.DagsterInstance.ephemeral() as instance:
        for days in groups:
            tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
            how = {"partition_key": days[0]} if len(days) == 1 else {"tags": tags}
            done = dg.materialize(
                [compressed, cleaned, segments, sessions],
                instance=instance,
                resources=resources,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                **how,
            )
            runs += done.success
    stop_pools()
    return {"runs": runs}


def _direct(folder: str, days: list[str]) -> None:
    """The same days, each task called by itself."""
    from ev_platform.engine.pool import stop_pools
    from ev_platform.engine.tasks import clean_day, compact_day, segment_day, stitch_days
    from ev_platform.lake.store import ObjectStore

    settings, store = _settings(Path(folder)), ObjectStore(folder)
    for day in days:
        compact_day(settings, store, day)
        clean_day(settings, store, day)
        segment_day(settings, store, day)
        stitch_days(settings, store, [day])
    stop_pools()


def _warm(*_: object) -> None:
    import ev_platform.definitions
    import ev_platform.engine.tasks
    import ev_platform.transform.clean
    import ev_platform.transform.segment  # noqa: F401


def sections() -> list[Section]:
    """The bench."""
    days = [(fleet_day.FIRST + timedelta(days=n)).isoformat() for n in range(RANGE_DAYS)]
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "lake"
        _, messages, size = fleet_day.fill(whole, VEHICLES)
        day = measure(_materialize, str(whole), [[fleet_day.DAY]], warm=_warm)
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name) / "raw"
        fleet_day.fill(raw, RANGE_VEHICLES, days=RANGE_DAYS)
        lakes = [shutil.copytree(raw, Path(name) / f"lake{n}") for n in range(3)]
        ranged = measure(_materialize, str(lakes[0]), [days], warm=_warm)
        single = measure(_direct, str(lakes[1]), days, warm=_warm)
        apart = measure(_materialize, str(lakes[2]), [[d] for d in days], warm=_warm)
    rows = [
        {
            "work": label,
            "wall s": f"{run.wall_seconds:.1f}",
            "CPU-s": f"{run.cpu_seconds:.1f}",
            "peak MB of one process": f"{run.peak_mb:.0f}",
        }
        for label, run in (
            (f"{VEHICLES} vehicles, one day, {messages:,} messages, {size / 1e6:.0f} MB", day),
            (f"{RANGE_VEHICLES} vehicles, {RANGE_DAYS} days, one run", ranged),
            (f"{RANGE_VEHICLES} vehicles, {RANGE_DAYS} days, a run each", apart),
            (f"{RANGE_VEHICLES} vehicles, {RANGE_DAYS} days, tasks without Dagster", single),
        )
    ]
    over = ranged.cpu_seconds / single.cpu_seconds
    return [
        Section(
            "Through Dagster: compressed, cleaned, segments, sessions",
            "Real assets in this process, two workers. 30 days in one run against the tasks of 30 single days.",
            rows,
            [
                Target("a 500-vehicle day in one run", f"{day.wall_seconds:.0f} s", "< 60 s", day.wall_seconds < 60),
                Target("30 days in one run over 30 single days' compute", f"{over:.2f} x", "≤ 1.2 x", over <= 1.2),
            ],
        )
    ]

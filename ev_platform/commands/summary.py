"""The demo's last page: is it true (lost, doubled, checks), how long did it take, how good is the battery health."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from ev_platform.defs.platform import Platform
from ev_platform.ingest.audit import AuditReport, audit
from ev_platform.ingest.lag import probe
from ev_platform.ingest.receipts import event_days
from ev_platform.lake.layout import partition_prefix
from ev_platform.lake.schemas import BATTERY_HEALTH
from ev_platform.lake.tables import from_parquet
from ev_platform.simulate.truth import Truth

if TYPE_CHECKING:
    from ev_platform.commands.requests import Tally

MONTH = "2026-11"
NOTHING = "-"


def print_summary(
    console: Console, platform: Platform, known: Truth, expected: Counter[str], tally: Tally, seconds: float
) -> int:
    """Print the tables; 0 only if nothing was lost or doubled, every check passed and every run succeeded.

    `expected` counts messages on the broker: `produced`, and those of them that must become dead letters, by reason.
    """
    lags = probe(platform.settings)
    whole = audit(platform.store, {(lag.topic, lag.partition): lag.committed for lag in lags})
    report = AuditReport([part for part in whole.partitions if part.source in platform.settings.kafka_topics])
    days = event_days(platform.store)
    tally.materialized["raw/tesla"], tally.rows["raw/tesla"] = len(days), {"": report.stored}
    console.print(_health_table(platform, known))
    tally.rows["lake/compressed"] = compressed_rows(platform)
    console.print(_asset_table(tally))
    waiting = sum(lag.behind for lag in lags)
    dead = sum(part.dead for part in report.partitions)
    tombstones = sum(part.tombstones for part in report.partitions)
    produced = expected["produced"]
    lost = report.lost + max(produced - report.stored - dead - tombstones - report.lost, 0)
    console.print(
        f"messages   produced {produced}   stored {report.stored}   dead letters {dead}   tombstones {tombstones}"
        f"   not yet read {waiting}"
    )
    problems = [*tally.failed_runs, *tally.checks_failed, *_audit_problems(report)]
    if waiting:
        problems.append(f"{waiting} messages were not read")
    wrong = sum(count for reason, count in expected.items() if reason != "produced")
    if dead + tombstones != wrong:
        problems.append(f"{dead} dead letters and {tombstones} tombstones, the simulator made {wrong}")
    console.print(f"runs       {tally.runs}   checks passed {tally.checks_passed}, failed {len(tally.checks_failed)}")
    for problem in problems:
        console.print(f"[red]problem[/red]    {problem}", soft_wrap=True)
    console.print(f"[bold]{lost} lost, {report.doubled} doubled[/bold]   in {seconds:.0f} s")
    console.print(
        f"\nlook at it: `ev up` (the Dagster UI), {platform.settings.lake} (Parquet), README.md (what next)",
        soft_wrap=True,
    )
    return 1 if problems or lost or report.doubled else 0


def _audit_problems(report: AuditReport) -> list[str]:
    return [] if report.ok else str(report).splitlines()[1:]


def compressed_rows(platform: Platform) -> dict[str, int]:
    """Rows of each day's lossless files, from their footers (a late compaction reports only what it touched)."""
    rows: Counter[str] = Counter()
    for key, data in platform.store.get_many(platform.store.keys("compressed")):
        if data is not None:
            rows[key.rpartition("/")[0]] += pq.read_metadata(pa.BufferReader(data)).num_rows
    return dict(rows)


def _asset_table(tally: Tally) -> Table:
    table = Table(title="Assets", title_justify="left")
    for column in ("asset", "partitions made", "rows", "seconds"):
        table.add_column(column, justify="left" if column == "asset" else "right")
    for name in sorted(tally.materialized, key=lambda name: -tally.seconds.get(name, 0)):
        rows = sum(tally.rows[name].values())
        table.add_row(name, str(tally.materialized[name]), f"{rows:,}", f"{tally.seconds.get(name, 0):.1f}")
    return table


def health_frame(platform: Platform, known: Truth) -> pl.DataFrame:
    """Published battery health of the demo's month beside the truth of its last day, one row per vehicle."""
    keys = platform.store.keys(partition_prefix("results/battery_health", MONTH))
    parts = [from_parquet(data) for _, data in platform.store.get_many(keys) if data is not None]
    tables = [pl.from_arrow(part) for part in [BATTERY_HEALTH.empty_table(), *parts]]
    estimates = pl.concat(tables).filter(pl.col("method") == "pooled")
    truth = pl.from_arrow(known.health).sort("day").group_by("vin").last()
    models = pl.from_arrow(known.vehicles).select("vin", "model")
    joined = models.join(truth, on="vin").join(estimates, on="vin", how="left", suffix="_estimated")
    return joined.sort("vin")


def _health_table(platform: Platform, known: Truth) -> Table:
    table = Table(title=f"Battery health in {MONTH}: estimated against true", title_justify="left")
    for column in (
        "vin",
        "model",
        "true kWh",
        "estimated kWh",
        "true %",
        "estimated %",
        "± sd",
        "error",
        "ΣΔSoC",
        "note",
    ):
        table.add_column(column, justify="left" if column in ("vin", "model", "note") else "right")
    for row in health_frame(platform, known).iter_rows(named=True):
        cells = [row["vin"], row["model"], f"{row['usable_kwh']:.1f}"]
        if row["soh_percent_estimated"] is None:
            reasons = ", ".join(reason for reason in row["reasons"] or ["no_evidence"] if "." not in reason)
            covered = f"{row['sum_delta_soc'] or 0:.0f}"
            cells += [NOTHING, f"{row['soh_percent']:.1f}", NOTHING, NOTHING, NOTHING, covered, reasons]
        else:
            error = row["soh_percent_estimated"] - row["soh_percent"]
            cells += [f"{row['capacity_kwh']:.1f}", f"{row['soh_percent']:.1f}", f"{row['soh_percent_estimated']:.1f}"]
            cells += [f"{row['soh_sd']:.1f}", f"{error:+.1f}", f"{row['sum_delta_soc']:.0f}", ""]
        table.add_row(*cells)
    return table

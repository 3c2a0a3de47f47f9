"""The demo's mixed fleet: four manufacturers' APIs polled through Dagster, into the same table as the stream's cars.

The providers are stand-in servers on this machine that refuse what the real ones refuse; the cars come from the same
physics as the stream's. Two days, a poll of all providers every six hours; some cars are reported by two providers,
and must come out the same. A finished demo run again polls nothing.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.table import Table

from ev_platform.errors import UserError
from ev_platform.settings import Settings
from ev_platform.simulate.standins.fleet import REPORTED_BY, mixed_fleet, pointed_at

if TYPE_CHECKING:
    from ev_platform.commands.requests import Requests
    from ev_platform.lake.store import ObjectStore

DAYS = 2
POLL_HOURS = 6
TOLERANCES = {
    "soc_percent": 0.5001, "odometer_km": 0.5001, "estimated_range_km": 1.01, "outside_temp_c": 0.06,
    "charge_power_kw": 0.5001, "charge_limit_percent": 0.5001,
}  # fmt: skip
"""How coarsely the providers round: percents, kilometres and kilowatts to whole ones."""


class SteppedClock:
    """The demo's time: stands where it was put. Waiting moves nothing, or a run continued would tell other times."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.ms

    def sleep(self, seconds: float) -> None:
        """No wait: the stand-ins are on the same clock."""


def demo_providers(console: Console, settings: Settings, requests: Requests) -> list[str]:
    """Poll the mixed fleet, re-open its days, compare; returns what went wrong."""
    import dagster as dg

    from ev_platform.defs.ref.assets import VEHICLES_KEY
    from ev_platform.lake.store import ObjectStore

    first = settings.start_day
    folder = settings.state_dir.expanduser().resolve() / "demo" / "providers"
    clock, store = SteppedClock(), ObjectStore(settings.lake)
    polls = [first_poll(first) + timedelta(hours=POLL_HOURS * number) for number in range(DAYS * 24 // POLL_HOURS)]
    done = _done(folder)
    if done < len(polls):
        with mixed_fleet(clock, first, DAYS) as servers:
            raw = [dg.AssetKey(["raw", provider]) for provider in servers]
            own = pointed_at(settings, servers, folder)
            for number in range(done, len(polls)):
                clock.ms = int(polls[number].timestamp() * 1000)
                with requests.acting_as(own, clock):
                    requests.materialize(raw, f"{polls[number]:%Y-%m-%d}")
                if requests.tally.failed_runs:
                    raise UserError(f"a poll failed: {requests.tally.failed_runs[0]}")
                _remember(folder, number + 1)
        requests.materialize([VEHICLES_KEY])
    # Also after a kill: what polls re-opened and nobody made yet is asked for again.
    requests.settle(datetime.combine(datetime.now(UTC).date(), time(0, 10), UTC))
    return _compare(console, store, first)


def first_poll(first: date) -> datetime:
    """Twenty minutes into the first day: polls fall on odd times, as real ones do."""
    return datetime.combine(first, time(0, 20), UTC)


def _done(folder: Path) -> int:
    try:
        return int(json.loads((folder / "polls.json").read_text())["done"])
    except (OSError, ValueError, KeyError):
        return 0


def _remember(folder: Path, done: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / "polls.tmp"
    staged.write_text(json.dumps({"done": done}))
    staged.replace(folder / "polls.json")


def _compare(console: Console, store: ObjectStore, first: date) -> list[str]:
    from ev_platform.engine.leaf_audit import lost_leaves

    problems, frames = [], []
    for number in range(DAYS):
        day = (first + timedelta(days=number)).isoformat()
        problems += [f"{day} {vin}: {what}" for vin, what in lost_leaves(store, day).items()]
        frames += [_cleaned(data) for _, data in store.get_many(store.keys(f"cleaned/date={day}")) if data is not None]
    rows = pl.concat(frames).filter(pl.col("vin").is_in([vin for vin, *_ in REPORTED_BY]))
    pairs = differences(rows)
    console.print(_table(rows, pairs))
    for vin, _, _, providers in REPORTED_BY:
        missing = set(providers) - set(rows.filter(pl.col("vin") == vin)["provider"])
        problems += [f"{vin}: no cleaned row of {provider}" for provider in sorted(missing)]
        problems += [
            f"{vin}: nothing to compare between {a} and {b}"
            for a, b in combinations(sorted(providers), 2)
            if not pairs.filter((pl.col("vin") == vin) & (pl.col("a") == a) & (pl.col("b") == b)).height
        ]
    wrong = pairs.filter(pl.col("difference") > pl.col("tolerance"))
    problems += [
        f"{row['vin']} {row['signal']} at {row['time']}: {row['a']} and {row['b']} differ by {row['difference']:.3f}"
        for row in wrong.head(5).iter_rows(named=True)
    ]
    return problems


def _cleaned(data: bytes) -> pl.DataFrame:
    from ev_platform.lake.tables import from_parquet

    return pl.DataFrame(pl.from_arrow(from_parquet(data, ["vin", "time", "provider", *TOLERANCES])))


def differences(rows: pl.DataFrame) -> pl.DataFrame:
    """Values that two providers report of one car at one time: vin, signal, time, a, b, difference, tolerance.

    Args:
        rows: cleaned rows with the columns of `TOLERANCES`.
    """
    long = rows.unpivot(list(TOLERANCES), index=["vin", "time", "provider"], variable_name="signal").drop_nulls()
    both = long.join(long, on=["vin", "time", "signal"], suffix="_b").filter(pl.col("provider") < pl.col("provider_b"))
    return both.select(
        "vin", "signal", "time", a="provider", b="provider_b",
        difference=(pl.col("value") - pl.col("value_b")).abs(),
        tolerance=pl.col("signal").replace_strict(TOLERANCES, return_dtype=pl.Float64),
    )  # fmt: skip


def _table(rows: pl.DataFrame, pairs: pl.DataFrame) -> Table:
    table = Table(title="Mixed fleet: polled providers", title_justify="left")
    for column in ("provider", "vehicles", "cleaned rows", "values shared", "within rounding"):
        table.add_column(column, justify="left" if column == "provider" else "right")
    for provider in sorted(set(rows["provider"])):
        own = rows.filter(pl.col("provider") == provider)
        shared = pairs.filter((pl.col("a") == provider) | (pl.col("b") == provider))
        same = shared.filter(pl.col("difference") <= pl.col("tolerance"))
        table.add_row(provider, str(own["vin"].n_unique()), str(own.height), str(shared.height), str(same.height))
    return table

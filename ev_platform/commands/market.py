"""`ev market run`: the whole market in one command, on the laptop's Dagster instance or that of DAGSTER_HOME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ev_platform.errors import UserError
from ev_platform.lake.schemas_market import BRAND_PEERS, DEPRECIATION, DRIFT, QUARANTINE
from ev_platform.lake.store import ObjectStore
from ev_platform.market.drift import drifted
from ev_platform.market.tasks import all_sales, read_table
from ev_platform.settings import Settings

if TYPE_CHECKING:
    from ev_platform.commands.requests import Requests

TOP = 10


def run_market(settings: Settings) -> int:
    """Raw file → sales → marts, and what came of it; 0 if all runs succeeded and all checks passed (drift warns)."""
    from ev_platform.commands.instance import open_instance, shared_lake
    from ev_platform.commands.requests import Requests
    from ev_platform.definitions import defs as load_definitions
    from ev_platform.defs.platform import Platform

    shared_lake(settings)
    settings.activate()
    console = Console()
    platform = Platform(settings)
    with open_instance(settings) as instance:
        requests = Requests(load_definitions(), instance, platform, settings.dagster_home / "automation.json")
        with console.status("sales market"):
            requested = refresh(requests)
    problems = [*requests.tally.failed_runs, *(c for c in requests.tally.checks_failed if "no_drift" not in c)]
    for problem in problems:
        console.print(f"[red]failed[/red] {problem}", soft_wrap=True)
    if not problems:
        show(console, platform.store, "refined" if requested else "unchanged, nothing to do")
    return 1 if problems else 0


def refresh(requests: Requests) -> int:
    """One look at the source and one tick of the sensor; returns the number of refinements that it requested.

    Raises:
        UserError: the source could not be read; the message is that of the source.
    """
    from ev_platform.defs.market.assets import MARKET_RAW

    before = len(requests.tally.failed_runs)
    requests.materialize([MARKET_RAW])
    if len(requests.tally.failed_runs) > before:
        raise UserError(requests.tally.failed_runs.pop().partition(": ")[2])
    return requests.sensor("market_new_raw")


def show(console: Console, store: ObjectStore, what: str) -> None:
    """What is in the market: counts, the dearest makes, how well prices are predicted, what drifted."""
    sales = all_sales(store, ["sold_at"]).num_rows
    kept = read_table(store, "market/quarantine", QUARANTINE)
    repaired = sum(kept["repaired"].to_pylist())
    fits = {
        (r["make"], r["level"]): r for r in read_table(store, "market/depreciation_models", DEPRECIATION).to_pylist()
    }
    table = Table(title=f"Sales market: {sales:,} sales, {kept.num_rows} quarantined ({repaired} repaired); {what}")
    for column in ("make", "sales", "mean price $", "price less estimate $", "error of a price", "years of sale"):
        table.add_column(column, justify="left" if column == "make" else "right")
    peers = read_table(store, "market/brand_peers", BRAND_PEERS).to_pylist()
    for row in [row for row in peers if row["price_rank"] is not None and row["price_rank"] <= TOP]:
        fit = fits.get((row["make"], "make"))
        error = f"{fit['cv_median_error']:.0%}" if fit else "-"
        years = f"{fit['first_sale']:%Y} to {fit['last_sale']:%Y}" if fit else "-"
        gap = "-" if row["price_minus_mmr_usd"] is None else f"{row['price_minus_mmr_usd']:+,.0f}"
        table.add_row(row["make"], f"{row['n_sales']:,}", f"{row['mean_price_usd']:,.0f}", gap, error, years)
    console.print(table)
    for line in drifted(read_table(store, "market/drift", DRIFT)):
        console.print(f"[yellow]drift[/yellow] {line}", soft_wrap=True)

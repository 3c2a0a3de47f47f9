"""The market's part of `ev demo`: a stand-in of Kaggle publishes a file whose truth is known, and the market is made.

The real download, sensor, job and checks run; then every refined sale is compared with the truth, value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console

from ev_platform.lake.schemas_market import DEPRECIATION, QUARANTINE
from ev_platform.lake.store import ObjectStore
from ev_platform.market.depreciation import find_law, laws
from ev_platform.market.tasks import all_sales, read_table
from ev_platform.settings import Settings
from ev_platform.simulate.kaggle_server import TOKEN, Published, kaggle_server
from ev_platform.simulate.sales import NOISE_SD, Market
from ev_platform.simulate.sales_file import SalesFile, write_sales

if TYPE_CHECKING:
    from ev_platform.commands.requests import Requests

SALES = 4_000
SEED = 1


def demo_market(console: Console, settings: Settings, requests: Requests) -> list[str]:
    """Publish, download, refine, compare; returns one line per thing that is not as it should be."""
    from ev_platform.commands.market import refresh

    file = write_sales(Market(sales=SALES, seed=SEED))
    tally, before = requests.tally, len(requests.tally.failed_runs)
    checks = len(tally.checks_failed)
    with console.status("sales market"), kaggle_server(Published({1: file.data})) as address:
        source = settings.with_changes(
            market_csv="", kaggle_url=address, kaggle_api_token=type(settings.kaggle_api_token)(TOKEN)
        )
        with requests.acting_as(source):
            refresh(requests)
            again = refresh(requests)
    store = ObjectStore(settings.lake)
    problems = [*tally.failed_runs[before:], *tally.checks_failed[checks:], *compare(store, file)]
    if again:
        problems.append("market: an unchanged file was refined again")
    _show(console, store, file)
    return problems


def compare(store: ObjectStore, file: SalesFile) -> list[str]:
    """Differences between the lake and the truth of a file: rows, values, quarantined rows by reason."""
    refined = all_sales(store)
    problems = []
    if refined.num_rows != file.expected.num_rows:
        problems.append(f"market: {refined.num_rows} sales, the truth has {file.expected.num_rows}")
    elif refined.to_pylist() != file.expected.to_pylist():
        problems.append("market: refined sales are not the true ones")
    quarantined = reasons(store)
    if quarantined != file.quarantined:
        problems.append(f"market: quarantined {quarantined}, the file has {file.quarantined}")
    return problems


def reasons(store: ObjectStore) -> dict[str, int]:
    """Quarantined rows by reason."""
    table = pl.DataFrame(pl.from_arrow(read_table(store, "market/quarantine", QUARANTINE)))
    return dict(sorted(table.group_by("reason").len().iter_rows()))


def _show(console: Console, store: ObjectStore, file: SalesFile) -> None:
    sales, kept = all_sales(store, ["sold_at"]).num_rows, sum(reasons(store).values())
    console.print(
        f"sales      in the file {sales + kept}   refined {sales}, equal to the truth "
        f"{'yes' if not compare(store, file) else 'NO'}   quarantined {kept} with reasons"
    )
    law = find_law(laws(read_table(store, "market/depreciation_models", DEPRECIATION)), "Ford", "F-150")
    if law is not None:
        console.print(
            f"           F-150: {law.n_sales} sales, log price on sales left out ± {law.sd_log:.3f} "
            f"(put in: {NOISE_SD}, plus trims)"
        )

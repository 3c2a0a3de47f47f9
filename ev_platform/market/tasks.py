"""What the market assets do, one function each: read the lake, call a pure transform, hand back tables.

Not here: writing (the I/O manager), rules (refine.py, marts.py, depreciation.py, drift.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_market import DRIFT, QUARANTINE, SALES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.market import drift
from ev_platform.market.columns import months_dated
from ev_platform.market.csv_rows import read_rows
from ev_platform.market.names import known
from ev_platform.market.raw_zone import newest, snapshots
from ev_platform.market.refine import Refined, refine, refine_month

FIGURES = "market/figures"
SALES_TABLE = "market/sales"

_last: dict[str, Refined] = {}
"""The snapshot refined last, by its checksum: the assets of one run read the same one."""


def refined(store: ObjectStore, key: str | None = None) -> Refined:
    """The newest raw snapshot (or that of `key`), refined.

    Raises:
        UserError: there is none, or it is no sales file.
    """
    key = key or newest(store)
    data = store.get(key)
    digest = hashlib.sha256(data).hexdigest()
    if digest not in _last:
        _last.clear()
        _last[digest] = refine(data, key)
    return _last[digest]


def sales_of_months(store: ObjectStore, months: Sequence[str]) -> dict[str, pa.Table]:
    """The sales of each month; a month without any has an empty table."""
    whole = refined(store)
    return {month: refine_month(whole, month) for month in months}


def months_to_make(store: ObjectStore) -> list[str]:
    """Months dated in the newest snapshot, or with a file in the lake that may have to be emptied.

    Only the dates are looked at, so that a sensor can ask; a month whose rows are all quarantined gets an empty table.

    Raises:
        UserError: there is no snapshot, or it is no sales file.
    """
    key = newest(store)
    parts = (key.split("/") for key in store.keys(SALES_TABLE) if key.endswith(".parquet"))
    there = {f"{year.removeprefix('year=')}-{month.removeprefix('month=')}" for _, _, year, month, _ in parts}
    return sorted({*there, *months_dated(read_rows(store.get(key), key).table["saledate"])})


def all_sales(store: ObjectStore, columns: Sequence[str] | None = None) -> pa.Table:
    """All sales in the lake, oldest first."""
    keys = [key for key in store.keys(SALES_TABLE) if key.endswith(".parquet")]
    names = list(columns or SALES.names)
    empty = SALES.empty_table().select(names)
    tables = [from_parquet(data, names) for _, data in store.get_many(keys) if data is not None]
    return pa.concat_tables([empty, *tables])


def read_table(store: ObjectStore, table: str, schema: pa.Schema) -> pa.Table:
    """A whole table of the lake; no rows if it was never made."""
    keys = [key for key in store.keys(table) if key.endswith(".parquet")]
    tables = [from_parquet(data) for _, data in store.get_many(keys) if data is not None]
    return pa.concat_tables([schema.empty_table(), *tables])


def drift_of_newest(store: ObjectStore) -> pa.Table:
    """`DRIFT` rows of the newest snapshot against the one before it, whose figures the lake remembers."""
    key = newest(store)
    now = drift.figures(refined(store, key))
    store.put(_figures_key(key), drift.dump(now))
    earlier = [other for other in snapshots(store) if other != key and store.exists(_figures_key(other))]
    before = json.loads(store.get(_figures_key(earlier[-1]))) if earlier else None
    return drift.compare(key, now, before).cast(DRIFT)


def _figures_key(snapshot: str) -> str:
    return f"{FIGURES}/{snapshot.removeprefix('market/raw/').removesuffix('.csv')}.json"


# -- what checks look for ---------------------------------------------------------------------------------------------


def rows_unaccounted(store: ObjectStore) -> dict[str, int]:
    """Rows of the newest raw file that are neither sale nor quarantined, or more than it has; {} when all are there."""
    data = store.get(newest(store))
    whole = refined(store)
    received = whole.sales.num_rows + whole.quarantine.num_rows
    kept = all_sales(store, ["vin"]).num_rows + read_table(store, "market/quarantine", QUARANTINE).num_rows
    lines = sum(1 for line in data.splitlines()[1:] if line.strip())
    counts = {"lines": lines, "refined": received, "in_the_lake": kept}
    return {} if len(set(counts.values())) == 1 else counts


def broken_rules(store: ObjectStore) -> dict[str, int]:
    """Sales in the lake that break a rule, by rule: what refine.py promises, looked at from outside."""
    found: dict[str, int] = {}
    for key in store.keys(SALES_TABLE):
        _, _, year, month, _ = key.split("/")
        table = pl.DataFrame(pl.from_arrow(from_parquet(store.get(key))))
        filed = f"{year.removeprefix('year=')}-{month.removeprefix('month=')}"
        rules = {
            "month_of_sale": pl.col("sold_at").dt.strftime("%Y-%m") == filed,
            "grade_1_to_5": pl.col("grade").is_between(1, 5),
            "state_known": pl.col("state").is_in(sorted(known("states"))),
            "price_above_1": pl.col("selling_price_usd") > 1,
            "model_year": pl.col("release_year") <= pl.col("sold_at").dt.year() + 2,
        }
        for name, holds in rules.items():
            broken = table.select((~holds).fill_null(False).sum()).item()
            if broken:
                found[name] = found.get(name, 0) + int(broken)
    return found

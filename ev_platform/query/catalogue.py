"""The tables that can be asked: name in SQL, folder in the lake, schema, partitions. One list for every engine.

The schemas are those that the Parquet files are written with, so a table of Glue cannot differ from its files. A table
of another room is one line here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from ev_platform.lake import schemas, schemas_insights, schemas_market
from ev_platform.lake.layout import YEAR_AND_MONTH
from ev_platform.signals import cleaned_schema


class Filing(Enum):
    """How a table's folder is cut: its partition columns, each with type and the pattern of its part of the path."""

    WHOLE = ()
    DAY = (("date", pa.string(), r"date=(\d{4}-\d{2}-\d{2})"),)
    MONTH = (("month", pa.string(), r"month=(\d{4}-\d{2})"),)
    YEAR = (("year", pa.int32(), r"year=(\d{4})"),)
    YEAR_MONTH = (("year", pa.int32(), r"year=(\d{4})"), ("month", pa.int32(), r"month=(\d{2})"))
    DAY_PATH = (("date", pa.string(), r"(\d{4}/\d{2}/\d{2})"),)


@dataclass(frozen=True)
class TableSpec:
    """One table: `folder` under the lake's URL, `schema` of its files."""

    folder: str
    schema: pa.Schema
    filing: Filing = Filing.WHOLE

    @property
    def name(self) -> str:
        """Name in SQL: `market/sales` is `market_sales`."""
        return self.folder.replace("/", "_")

    @property
    def partitions(self) -> tuple[tuple[str, pa.DataType, str], ...]:
        """(column, type, pattern of the path) of each partition column.

        A file may have a column of the same name (battery health has its month inside, too): the partition column then
        is called `file_…`, because Athena refuses a name twice.
        """
        own = set(self.schema.names)
        return tuple((f"file_{name}" if name in own else name, kind, path) for name, kind, path in self.filing.value)

    @property
    def columns(self) -> pa.Schema:
        """Columns of the files, then partition columns: what a query sees."""
        return pa.schema([*self.schema, *(pa.field(name, kind) for name, kind, _ in self.partitions)])

    def values_of(self, key: str) -> dict[str, str | int] | None:
        """Values of the partition columns of a Parquet object; None for a key that does not belong to the table."""
        rest = key.removeprefix(f"{self.folder}/")
        if rest == key or not rest.endswith(".parquet"):
            return None
        pattern = "/".join([*(path for *_, path in self.partitions), r"[^/]+\.parquet"])
        match = re.fullmatch(pattern, rest)
        if match is None:
            return None
        pairs = zip(self.partitions, match.groups(), strict=True)
        return {n: int(v) if pa.types.is_integer(kind) else v.replace("/", "-") for (n, kind, _), v in pairs}


def tables() -> tuple[TableSpec, ...]:
    """Every table, in the order of the data flow."""
    return (
        TableSpec("compressed", schemas.COMPRESSED, Filing.DAY_PATH),
        TableSpec("cleaned", cleaned_schema(), Filing.DAY),
        TableSpec("segments", schemas.SEGMENTS, Filing.DAY),
        TableSpec("results/sessions", schemas.SESSIONS, Filing.DAY),
        TableSpec("results/battery_health", schemas.BATTERY_HEALTH, Filing.MONTH),
        TableSpec("ref/vehicles", schemas.VEHICLES),
        *(TableSpec(f"market/{name}", schema, _filing(f"market/{name}")) for name, schema in _MARKET.items()),
        *(TableSpec(f"insights/{name}", schema, filing) for name, (schema, filing) in _INSIGHTS.items()),
    )


_MARKET = {
    "sales": schemas_market.SALES,
    "quarantine": schemas_market.QUARANTINE,
    "brand_peers": schemas_market.BRAND_PEERS,
    "monthly_brand_trends": schemas_market.MONTHLY_TRENDS,
    "sales_by_state": schemas_market.BY_STATE,
    "price_by_model_year": schemas_market.BY_MODEL_YEAR,
    "depreciation_models": schemas_market.DEPRECIATION,
    "depreciation_curves": schemas_market.CURVES,
    "drift": schemas_market.DRIFT,
}
_INSIGHTS = {
    "charging_grid_load": (schemas_insights.CHARGING_GRID_LOAD, Filing.DAY),
    "charging_flexibility": (schemas_insights.CHARGING_FLEXIBILITY, Filing.MONTH),
    "charge_windows": (schemas_insights.CHARGE_WINDOWS, Filing.MONTH),
    "residual_value": (schemas_insights.RESIDUAL_VALUE, Filing.MONTH),
    "region_ev_pressure": (schemas_insights.REGION_EV_PRESSURE, Filing.WHOLE),
    "vehicle_360": (schemas_insights.VEHICLE_360, Filing.WHOLE),
}


def _filing(folder: str) -> Filing:
    return Filing.YEAR_MONTH if folder in YEAR_AND_MONTH else Filing.WHOLE


def find(name: str) -> TableSpec | None:
    """The table of that SQL name."""
    return next((table for table in tables() if table.name == name), None)

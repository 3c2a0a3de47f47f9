"""The tables that can be asked: name in SQL, folder in the lake, schema, partitions. One list for every engine.

The schemas are those that the Parquet files are written with, so a table of Glue cannot differ from its files. A table
of another room is one line here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from ev_platform.energy import star
from ev_platform.lake import (
    schemas,
    schemas_energy,
    schemas_insights,
    schemas_market,
    schemas_results,
    schemas_telematics,
)
from ev_platform.lake.layout import YEAR_AND_MONTH
from ev_platform.signals import cleaned_schema
from ev_platform.transform.clean_tables import COUNTS


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
        *(TableSpec(f"results/{name}", schema, filing) for name, (schema, filing) in _RESULTS.items()),
        TableSpec("ref/vehicles", schemas.VEHICLES),
        TableSpec("ref/tariffs", schemas_results.TARIFFS),
        *(TableSpec(f"telematics/{name}", schema, Filing.DAY) for name, schema in _TELEMATICS.items()),
        *(TableSpec(f"energy/{name}", schema, filing) for name, (schema, filing) in _ENERGY.items()),
        *(TableSpec(f"market/{name}", schema, _filing(f"market/{name}")) for name, schema in _MARKET.items()),
        *(TableSpec(f"insights/{name}", schema, filing) for name, (schema, filing) in _INSIGHTS.items()),
    )


_RESULTS = {
    "trips": (schemas_results.TRIPS, Filing.DAY),
    "charging": (schemas_results.CHARGING, Filing.DAY),
    "charge_curves": (schemas_results.CHARGE_CURVES, Filing.DAY),
    "vampire_drain": (schemas_results.VAMPIRE_DRAIN, Filing.DAY),
    "soc_histogram": (schemas_results.SOC_HISTOGRAM, Filing.DAY),
    "range_estimates": (schemas_results.RANGE_ESTIMATES, Filing.DAY),
    "data_quality": (schemas_results.DATA_QUALITY, Filing.DAY),
    "cell_imbalance": (schemas_results.CELL_IMBALANCE, Filing.DAY),
    "cleaning": (COUNTS, Filing.DAY),
    "consumption_by_temperature": (schemas_results.CONSUMPTION_BY_TEMPERATURE, Filing.WHOLE),
    "battery_health_filtered": (schemas_results.BATTERY_HEALTH_FILTERED, Filing.WHOLE),
    "battery_degradation": (schemas_results.BATTERY_DEGRADATION, Filing.WHOLE),
    "peer_percentiles": (schemas_results.PEER_PERCENTILES, Filing.WHOLE),
    "vehicle_battery": (schemas_results.VEHICLE_BATTERY, Filing.WHOLE),
}
_TELEMATICS = {
    "events": schemas_telematics.TELEMATICS_EVENTS,
    "alarms": schemas_telematics.TELEMATICS_ALARMS,
    "driving_style_daily": schemas_telematics.DRIVING_STYLE,
}
_ENERGY = {
    "annual_address": (schemas_energy.ANNUAL_ADDRESS, Filing.YEAR),
    "annual_commune": (schemas_energy.ANNUAL_PLACE, Filing.YEAR),
    "annual_department": (schemas_energy.ANNUAL_PLACE, Filing.YEAR),
    "annual_national": (schemas_energy.ANNUAL_ENERGY, Filing.YEAR),
    "annual_region": (schemas_energy.ANNUAL_ENERGY, Filing.YEAR),
    "vehicles_commune": (schemas_energy.VEHICLES_COMMUNE, Filing.YEAR),
    "half_hour_national": (schemas_energy.HALF_HOUR, Filing.MONTH),
    "half_hour_regional": (schemas_energy.HALF_HOUR, Filing.MONTH),
    "grid_load_regional": (schemas_energy.GRID_LOAD_REGIONAL, Filing.DAY),
    "grid_mix_national": (schemas_energy.GRID_MIX_NATIONAL, Filing.DAY),
    "consumption_total_mean": (schemas_energy.CONSUMPTION_TOTAL_MEAN, Filing.YEAR),
    "region": (star.REGION, Filing.MONTH),
    "consumption": (star.CONSUMPTION, Filing.MONTH),
    "coverage_rate": (star.COVERAGE_RATE, Filing.MONTH),
}
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

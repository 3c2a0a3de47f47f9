"""The SQL warehouse of the energy tables: the same tables with real keys, in a DuckDB file or in PostgreSQL.

Belongs here: which tables there are and what has changed since the last load. Not here: the two databases
(warehouse_duckdb.py, warehouse_postgres.py). The lake stays the truth; a warehouse can be thrown away and made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import polars as pl
import pyarrow as pa

from ev_platform.energy import star
from ev_platform.energy.marts import COUNTRY
from ev_platform.errors import SettingError
from ev_platform.lake import schemas_energy
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings

SCHEMA = "energy"


class ForeignKey(NamedTuple):
    """`column` names a row of another table."""

    column: str
    table: str
    other: str


@dataclass(frozen=True)
class WarehouseTable:
    """One table: its lake tables, columns and keys. `shared`: several partitions may name the same row."""

    name: str
    lake_tables: tuple[str, ...]
    schema: pa.Schema
    key: tuple[str, ...]
    foreign: tuple[ForeignKey, ...] = ()
    fill: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False

    def prepared(self, table: pa.Table) -> pa.Table:
        """Rows as they are stored: a key has no nulls."""
        frame = pl.from_arrow(table.select(self.schema.names))
        assert isinstance(frame, pl.DataFrame)
        frame = frame.with_columns(pl.col(name).fill_null(value) for name, value in self.fill.items())
        return frame.to_arrow().cast(self.schema)


_REGION = ForeignKey("code_insee_1", "region", "code_insee_region")
TABLES = (
    WarehouseTable("region", ("region",), star.REGION, ("code_insee_region",), shared=True),
    WarehouseTable("consumption", ("consumption",), star.CONSUMPTION, ("id_consommation",), (_REGION,)),
    WarehouseTable("coverage_rate", ("coverage_rate",), star.COVERAGE_RATE, ("id_couverture",), (_REGION,)),
    WarehouseTable("grid_mix_national", ("grid_mix_national",), schemas_energy.GRID_MIX_NATIONAL, ("instant",)),
    WarehouseTable(
        "annual_energy",
        ("annual_national", "annual_region"),
        schemas_energy.ANNUAL_ENERGY,
        ("year", "region_code"),
        fill={"region_code": COUNTRY},
    ),
    WarehouseTable(
        "consumption_total_mean",
        ("consumption_total_mean",),
        schemas_energy.CONSUMPTION_TOTAL_MEAN,
        ("year", "energy", "level", "code", "source"),
    ),
)
"""In an order in which foreign keys always find their row."""


class Part(NamedTuple):
    """One object of the lake that goes into a table; `digest` names its content."""

    table: WarehouseTable
    partition: str
    digest: str
    rows: pa.Table


@dataclass(frozen=True)
class WarehouseReceipt:
    """What is in the warehouse, and what this load changed."""

    kind: str
    rows_per_table: dict[str, int]
    partitions_loaded: int
    partitions_unchanged: int
    rows_deleted: int


class Warehouse(Protocol):
    """A database that takes parts."""

    kind: str

    def probe(self) -> None:
        """Return if it can be used, else raise the error that a load would."""
        ...

    def load(self, parts: Iterator[Part]) -> WarehouseReceipt:
        """Make the tables hold exactly these parts; a reader sees the state before or after, nothing in between."""
        ...


def lake_parts(store: ObjectStore) -> Iterator[Part]:
    """Every part of every table, in the order of `TABLES`."""
    for table in TABLES:
        for name in table.lake_tables:
            keys = [key for key in store.keys(f"energy/{name}") if key.endswith(".parquet")]
            for key, data in store.get_many(keys):
                if data is not None:
                    partition = f"{name}/{key.split('/')[2].partition('=')[2]}"
                    rows = table.prepared(from_parquet(data))
                    yield Part(table, partition, hashlib.sha256(data).hexdigest(), rows)


def open_warehouse(settings: Settings) -> Warehouse:
    """The database that `EV_WAREHOUSE` names.

    Raises:
        SettingError: there is no database of that kind.
    """
    if settings.warehouse == "duckdb":
        from ev_platform.energy.warehouse_duckdb import DuckDBWarehouse

        return DuckDBWarehouse(settings.state_dir.expanduser() / "warehouse.duckdb")
    if settings.warehouse.startswith(("postgresql://", "postgres://")):
        from ev_platform.energy.warehouse_postgres import PostgresWarehouse

        return PostgresWarehouse(settings.warehouse)
    raise SettingError("EV_WAREHOUSE cannot be used: write duckdb or postgresql://user:password@host:port/database")


def columns_sql(table: WarehouseTable, types: Mapping[pa.DataType, str]) -> list[str]:
    """`name type [NOT NULL]` of each column."""
    return [f'"{f.name}" {types[f.type]}{" NOT NULL" if f.name in table.key else ""}' for f in table.schema]


def keys_sql(table: WarehouseTable) -> list[str]:
    """Primary and foreign keys."""
    keys = ", ".join(f'"{name}"' for name in table.key)
    links = [f'FOREIGN KEY ("{k.column}") REFERENCES {SCHEMA}."{k.table}" ("{k.other}")' for k in table.foreign]
    return [f"PRIMARY KEY ({keys})", *links]

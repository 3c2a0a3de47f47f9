"""The partitioned Parquet I/O manager: one partition or a range of them in one run, to a folder or S3.

What it does with what an asset returns:

* receipts (`dict` of partition key → dataclass): the tasks wrote the table themselves, the figures become metadata of
  each partition; a day that the task touched beyond the run's own partitions is logged as materialized too;
* a table (Arrow, pandas or Polars) or a `dict` of partition key → table: written here, one atomic PUT per partition.

It loads any table of the lake for the partitions asked, as Arrow, pandas or Polars by the annotation of the argument.
See https://docs.dagster.io/guides/build/io-managers/defining-a-custom-io-manager.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa

from ev_platform.defs.metadata import plot_metadata, receipt_metadata, table_metadata
from ev_platform.defs.platform import Platform
from ev_platform.lake import layout
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet

AS_TYPE: dict[Any, Callable[[pa.Table], Any]] = {
    pa.Table: lambda table: table,
    pd.DataFrame: lambda table: table.to_pandas(),
    pl.DataFrame: pl.from_arrow,
}
"""How a loaded table is handed over, by the annotation of the asset's argument."""


def table_of(key: dg.AssetKey) -> str:
    """Folder of an asset's table: `lake/cleaned` lies in `cleaned`, everything else under its own key."""
    path = key.path[1:] if key.path[0] == "lake" else key.path
    return "/".join(path)


def partition_folder(table: str, partition: str | None) -> str:
    """Folder of one partition (None: the whole table), by the layout of that table."""
    if partition is None:
        return table
    return layout.compressed_prefix(partition) if table == "compressed" else layout.partition_prefix(table, partition)


def as_arrow(value: object) -> pa.Table:
    """An Arrow table of what an asset returned.

    Raises:
        TypeError: it is neither Arrow nor pandas nor Polars.
    """
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pl.DataFrame):
        return value.to_arrow()
    if isinstance(value, pd.DataFrame):
        return pa.Table.from_pandas(value, preserve_index=False)
    raise TypeError(f"an asset returns a table or receipts, not {type(value).__name__}")


class ParquetIOManager(dg.IOManager):
    """Writes and reads partitions of the lake's tables; see the module."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @property
    def _store(self) -> ObjectStore:
        return self._platform.store

    # -- writing ------------------------------------------------------------------------------------------------------

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """File what an asset returned under each of its partitions.

        Raises:
            ValueError: a table names a partition that the run does not own, or leaves one of its own out.
        """
        if obj is None:
            return
        own = list(context.asset_partition_keys) if context.has_asset_partitions else None
        if isinstance(obj, Mapping) and all(dataclasses.is_dataclass(value) for value in obj.values()):
            self._receipts(context, obj, own or [])
        elif own is None:
            table = as_arrow(obj)
            made = self._write(context.asset_key, None, table)
            context.add_output_metadata({**made, **plot_metadata(table, context.definition_metadata)})
        else:
            tables = obj if isinstance(obj, Mapping) else {own[0]: obj}
            if set(tables) != set(own):
                raise ValueError(f"{context.asset_key.to_user_string()}: got tables for {sorted(tables)}, owns {own}")
            for partition in own:
                table = as_arrow(tables[partition])
                made = self._write(context.asset_key, partition, table)
                _partition_metadata(context, partition, {**made, **plot_metadata(table, context.definition_metadata)})

    def _receipts(self, context: dg.OutputContext, receipts: Mapping[str, object], own: Sequence[str]) -> None:
        for partition, receipt in receipts.items():
            uri = f"{self._store.url}/{partition_folder(table_of(context.asset_key), partition)}"
            metadata = {"dagster/uri": uri, **receipt_metadata(receipt)}
            if partition in own:
                _partition_metadata(context, partition, metadata)
            else:
                context.log_event(dg.AssetMaterialization(context.asset_key, partition=partition, metadata=metadata))

    def _write(self, key: dg.AssetKey, partition: str | None, table: pa.Table) -> dict[str, Any]:
        name = table_of(key)
        target = layout.table_key(name) if partition is None else layout.part_key(name, partition)
        data = to_parquet(table)
        if self._store.read(target).data != data:  # the same result leaves the object alone
            self._store.put(target, data)
        stale = [old for old in self._store.keys(partition_folder(name, partition)) if old != target]
        self._store.delete(stale if partition is not None else [])
        return table_metadata(table, f"{self._store.url}/{target}")

    # -- reading ------------------------------------------------------------------------------------------------------

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ANN401 - the type that the asset asked for
        """The table of the upstream partitions (all of it, if it has none), as the annotated type.

        Raises:
            FileNotFoundError: none of the partitions has been written.
            TypeError: the annotation is not a table.
        """
        name = table_of(context.asset_key)
        partitions: list[str | None] = list(context.asset_partition_keys) if context.has_asset_partitions else [None]
        keys = [
            key for p in partitions for key in self._store.keys(partition_folder(name, p)) if key.endswith(".parquet")
        ]
        wanted = context.dagster_type.typing_type
        if wanted not in AS_TYPE and wanted is not Any:
            raise TypeError(f"annotate {name} as pyarrow.Table, pandas.DataFrame or polars.DataFrame, not {wanted}")
        if not keys:
            raise FileNotFoundError(f"{name} has no file for {partitions}: materialize it first")
        columns = (context.definition_metadata or {}).get("columns")
        tables = [from_parquet(data, columns) for _, data in self._store.get_many(keys) if data is not None]
        return AS_TYPE.get(wanted, AS_TYPE[pa.Table])(pa.concat_tables(tables))


def _partition_metadata(context: dg.OutputContext, partition: str, metadata: Mapping[str, Any]) -> None:
    """Metadata of one partition of a range run. `step_context` is not public: this is the only place that uses it."""
    context.step_context.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=partition)

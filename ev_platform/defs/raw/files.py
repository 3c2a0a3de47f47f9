"""raw/files: files of history in the raw zone, brought by `ev import` or by materializing with files in the config.

The command reports a materialization for each event day that waits for compaction, so that late data and the night see
the days; the same events come from a run of the asset. One partition per event day, as of all raw assets.
"""

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg
from pydantic import Field

from ev_platform.defs.metadata import receipt_metadata
from ev_platform.defs.partitions import BATCH, RAW_DAYS
from ev_platform.defs.platform import Platform
from ev_platform.ingest.import_mapping import load_mapping
from ev_platform.ingest.importer import import_files

RAW_FILES = dg.AssetKey(["raw", "files"])


class ImportConfig(dg.Config):
    """What a run imports; without files it only says that there is nothing to do."""

    files: list[str] = Field(default=[], description="paths that the run's machine can read")
    mapping: str = Field(default="generic", description="a ready mapping's name, or the path of a TOML file")
    vin: str = Field(default="", description="the one vehicle of the files, where they name none")


@dg.asset(
    key=RAW_FILES,
    partitions_def=RAW_DAYS,
    backfill_policy=BATCH,
    group_name="raw",
    kinds={"csv", "json"},
    owners=["team:data-engineering"],
)
def raw_files(context: dg.AssetExecutionContext, config: ImportConfig, platform: dg.ResourceParam[Platform]) -> None:
    """Rows of exported files, in per-vehicle buffers of their event day; usually brought by `ev import`."""
    mapping = load_mapping(config.mapping)
    mapping = mapping.with_vin(config.vin) if config.vin else mapping
    paths = [Path(file) for file in config.files]
    tell = partial(report_days, context.instance, mapping=mapping.name)
    report = import_files(platform.settings, platform.store, paths, mapping, datetime.now(UTC), stored=tell)
    for day in context.partition_keys:
        own = {"records": report.days.get(day, 0)}
        context.add_asset_metadata({**receipt_metadata(report), **own}, partition_key=day)


def report_days(instance: dg.DagsterInstance, days: Counter[str], mapping: str) -> None:
    """Log a materialization for every event day that has imported rows waiting for compaction."""
    for day in sorted(days):
        metadata = {"records": days[day], "mapping": mapping}
        instance.report_runless_asset_event(dg.AssetMaterialization(RAW_FILES, partition=day, metadata=metadata))

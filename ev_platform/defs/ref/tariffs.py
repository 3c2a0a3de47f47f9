"""ref/tariffs: what energy costs, from the CSV that `EV_TARIFFS_FILE` names; without one charges have no cost."""

import dagster as dg
import pyarrow as pa

from ev_platform.defs.automation import NO_REGISTRY
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.platform import Platform
from ev_platform.lake.schemas_results import TARIFFS
from ev_platform.lake.tariffs import read_tariffs_file

TARIFFS_KEY = dg.AssetKey(["ref", "tariffs"])


@dg.asset(
    key=TARIFFS_KEY,
    automation_condition=NO_REGISTRY,
    group_name="ref",
    kinds={"parquet", "csv"},
    owners=["team:data-engineering"],
    metadata={"dagster/column_schema": table_schema(TARIFFS)},
)
def tariffs(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Price per kWh and session fee by charge type, date and hour; empty without a file, and charges have no cost."""
    return read_tariffs_file(platform.settings.tariffs_file)

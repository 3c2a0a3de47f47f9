"""ref/vehicles: the vehicle registry, from the CSV that `EV_VEHICLES_FILE` names."""

import dagster as dg
import pyarrow as pa

from ev_platform.defs.automation import NO_REGISTRY
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.platform import Platform
from ev_platform.lake.registry import read_vehicles
from ev_platform.lake.schemas import VEHICLES

VEHICLES_KEY = dg.AssetKey(["ref", "vehicles"])


@dg.asset(
    key=VEHICLES_KEY,
    automation_condition=NO_REGISTRY,
    group_name="ref",
    kinds={"parquet", "csv"},
    owners=["team:data-engineering"],
    metadata={"dagster/column_schema": table_schema(VEHICLES)},
)
def vehicles(platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Make, model, chemistry and usable capacity when new, per VIN; without a file it is empty, and cars still flow."""
    return read_vehicles(platform.settings.vehicles_file)


registry_schedule = dg.ScheduleDefinition(
    name="vehicle_registry",
    job=dg.define_asset_job(
        "registry",
        selection=[VEHICLES_KEY, dg.AssetKey(["ref", "tariffs"])],
        description="Reads the registry's and the tariffs' file again.",
    ),
    cron_schedule="5 0 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
"""Every night before the chain: an unchanged file leaves the table alone."""

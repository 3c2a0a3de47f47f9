"""ref/vehicles: the vehicle registry, from the file that `EV_VEHICLES_FILE` names and from the providers' lists."""

import dagster as dg
import pyarrow as pa

from ev_platform.defs.automation import NO_REGISTRY
from ev_platform.defs.metadata import table_schema
from ev_platform.defs.platform import Platform
from ev_platform.lake.schemas import VEHICLES
from ev_platform.providers.registry import unknown_vehicles, vehicle_registry

VEHICLES_KEY = dg.AssetKey(["ref", "vehicles"])


@dg.asset(
    key=VEHICLES_KEY,
    automation_condition=NO_REGISTRY,
    group_name="ref",
    kinds={"parquet", "csv"},
    owners=["team:data-engineering"],
    metadata={"dagster/column_schema": table_schema(VEHICLES)},
)
def vehicles(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> pa.Table:
    """Make, model, chemistry, usable capacity when new, per VIN; cars that stand nowhere still flow, and are named."""
    table = vehicle_registry(platform.settings.vehicles_file, platform.store)
    unknown = unknown_vehicles(platform.store, set(table["vin"].to_pylist()))
    wrong = [row["vin"] for row in table.to_pylist() if row["vin_check"] == "wrong"]
    context.add_output_metadata({"unknown_vehicles": unknown, "wrong_check_digit": wrong})
    if unknown:
        context.log.warning(f"{len(unknown)} vehicles send data and are in no registry: {', '.join(unknown[:20])}")
    return table


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

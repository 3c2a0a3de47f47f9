"""Resources of the code location: the platform (settings and lake) and the I/O manager on it."""

import dagster as dg

from ev_platform.defs.io_manager import ParquetIOManager
from ev_platform.defs.platform import Platform, platform_from_environment


def resources_for(platform: Platform) -> dict[str, object]:
    """The resources of one platform: what the code location uses, and what tests override."""
    return {"platform": platform, "io_manager": ParquetIOManager(platform)}


@dg.definitions
def resources() -> dg.Definitions:
    """Resources from the environment.

    Steps run in the process of their run: the work itself is spread by the engine, and Dagster's default of a new
    process per step would cost more than most steps do.
    """
    return dg.Definitions(resources=resources_for(platform_from_environment()), executor=dg.in_process_executor)

"""All tests: no setting of the developer's shell or `.env` reaches them; the partitions begin on 2026-10-01."""

import os

for name in [name for name in os.environ if name.startswith(("EV_", "AWS_", "DAGSTER_"))]:
    del os.environ[name]
os.environ["EV_START_DAY"] = "2026-10-01"

from ev_platform.settings import Settings  # noqa: E402

Settings.model_config["env_file"] = None

"""Runs in any state, as a daemon or a killed process would have left them."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import sqlalchemy
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin


def add_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, age_seconds: float, job: str = "drain") -> str:
    """A run of that job and status whose last change is so old; returns its id."""
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("test"), "test"), job)
    run = instance.create_run(
        job_name=job, run_id=None, run_config={}, status=dg.DagsterRunStatus.STARTED, tags={}, root_run_id=None,
        parent_run_id=None, step_keys_to_execute=None, execution_plan_snapshot=None, job_snapshot=None,
        parent_job_snapshot=None, asset_selection=None, asset_check_selection=None, resolved_op_selection=None,
        op_selection=None, remote_job_origin=origin, job_code_origin=None, asset_graph=None,
    )  # fmt: skip
    changed = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=age_seconds)
    statement = "UPDATE runs SET create_timestamp=:t, update_timestamp=:t, status=:s WHERE run_id=:r"
    with instance.run_storage.connect() as connection:
        connection.execute(sqlalchemy.text(statement), {"t": changed, "s": status.value, "r": run.run_id})
    return run.run_id

"""The Dagster instance of a laptop: folder, dagster.yaml, one user at a time, what a killed one left behind."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import dagster as dg

from ev_platform.defs.raw.sensors import QUEUED, RUNNING
from ev_platform.errors import UserError
from ev_platform.settings import Settings


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Hold the state folder alone; the kernel lets go of it when we die.

    Raises:
        UserError: another demo or stack uses it.
    """
    folder = settings.state_dir.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "in_use.lock").open("w")
    except OSError as error:
        raise UserError(f"the state folder {folder} is not writable ({error.strerror}): set EV_STATE_DIR") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another `ev demo` or `ev up` uses {folder}: stop it, or set EV_STATE_DIR") from None
        yield


def shared_lake(settings: Settings) -> None:
    """Refuse a lake that only one process can see.

    Raises:
        UserError: the lake is memory://.
    """
    if settings.lake.startswith("memory:"):
        raise UserError("a memory:// lake lives in one process only: set EV_LAKE_URL to a folder or s3://bucket/prefix")


def prepare_home(settings: Settings) -> None:
    """Write dagster.yaml of the laptop instance, unless the folder has one: that is the operator's."""
    file = settings.dagster_home / "dagster.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(resources.files("ev_platform.commands").joinpath("dagster.yaml").read_text())


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME, else that in `EV_STATE_DIR`; others may be using it too."""
    prepare_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


@contextmanager
def laptop_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance in `EV_STATE_DIR`, with runs that a killed process left unfinished closed as failed.

    Call inside `exclusive`, and never for a DAGSTER_HOME of somebody else: only then is an unfinished run known dead.
    """
    assert settings.dagster_home_dir is None
    with open_instance(settings) as instance:
        for record in instance.get_run_records(dg.RunsFilter(statuses=[*QUEUED, *RUNNING])):
            instance.report_run_failed(
                record.dagster_run, "its process was killed; the next drain or night repeats the work"
            )
        yield instance

"""A platform on a folder of its own, and an instance that keeps nothing."""

import dagster as dg
import pytest

from ev_platform.defs.platform import Platform
from ev_platform.settings import load_settings


@pytest.fixture
def platform(tmp_path):
    return Platform(load_settings(lake_url=str(tmp_path / "lake"), state_dir=tmp_path / "state"))


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance

"""One world and lake for all tests that only read."""

import pytest

from ev_platform_tests.energy.worlds import place


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    with place(tmp_path_factory.mktemp("energy")) as found:
        yield found


@pytest.fixture
def own(tmp_path):
    with place(tmp_path) as found:
        yield found

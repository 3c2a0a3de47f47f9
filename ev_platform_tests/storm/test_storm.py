"""The short form of the storm, and the control that shows that it can see a loss. The long form is `make storm`."""

import pytest

from ev_platform_tests.storm.__main__ import ok, storm

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("seed", "front"), [(1, "CrashingService"), (2, "CrashingDrain")])
def test_every_message_once_whatever_is_killed(seed, front, tmp_path):
    """Seed 1 on an S3 server that fails, seed 2 on a folder."""
    found = storm(seed, 8, tmp_path, front)
    assert ok(found), found
    assert found["kills"] >= 8
    unreadable = sum(1 for number in range(found["messages"]) if number % 50 in (7, 19))
    assert found["stored"] == found["messages"] - unreadable


@pytest.mark.parametrize("front", ["CommitsWhatWasRead", "DrainsWhatWasRead"])
def test_committing_what_was_read_is_caught(front, tmp_path):
    found = storm(1000, 12, tmp_path, front, s3=False)
    assert found["lost"] > 0
    assert not ok(found)
    assert not found["audit"].startswith("0 lost")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 16))
def test_a_long_storm(seed, tmp_path):
    found = storm(seed, 40, tmp_path)
    assert ok(found), found

"""A mock broker with a telematics topic, and a lake that one drain has filled."""

import itertools
import json

import pytest

from ev_platform.ingest.telematics import drain_telematics
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.ingest.helpers import DAY_MS, Sent, filled
from ev_platform_tests.mock_control import MockCluster
from ev_platform_tests.telematics.cases import DEVICE, OTHER, T0, reading

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster():
    with MockCluster() as running:
        yield running


@pytest.fixture
def settings(cluster, tmp_path):
    topic = f"readings{next(_numbers)}"
    return Settings(
        _env_file=None,
        kafka_bootstrap=cluster.bootstrap,
        kafka_topics=("tesla_V",),
        telematics_topic=topic,
        kafka_group=f"group_{topic}",
        kafka_timeout_seconds=5,
        lake_url=str(tmp_path / "lake"),
        state_dir=tmp_path / "state",
    )


@pytest.fixture
def store(settings):
    return ObjectStore(settings.lake)


def sent(bodies, partition=0):
    return [
        Sent(body if isinstance(body, bytes) else json.dumps(body).encode(), partition, timestamp=T0 + 3 * DAY_MS)
        for body in bodies
    ]


@pytest.fixture
def drained(cluster, settings, store):
    """Ten readings of two devices, one of the next day, and a dead letter; returns the topic."""
    bodies = [reading(T0 + n * 1000, str(n), device=DEVICE if n % 2 else OTHER) for n in range(10)]
    bodies.insert(3, b"no json")
    bodies.append(reading(T0 + DAY_MS, "11"))
    filled(cluster, settings.telematics_topic, sent(bodies), 1)
    report = drain_telematics(settings, store, None)
    assert (report.messages, report.records, report.dead_letters) == (12, 11, {"not_json": 1})
    return settings.telematics_topic

"""One mock broker for the whole room; every test has its own topic and group on it."""

import itertools
import json
import os
from pathlib import Path

import hypothesis
import pytest

from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.mock_control import MockCluster
from ev_platform_tests.moto_server import moto_bucket

hypothesis.settings.register_profile("ingest", deadline=None)
hypothesis.settings.load_profile("ingest")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster():
    with MockCluster() as running:
        yield running


@pytest.fixture
def own_cluster():
    """A broker that a test may break."""
    with MockCluster() as running:
        yield running


@pytest.fixture
def s3_bucket():
    with moto_bucket() as url:
        yield url


@pytest.fixture(scope="session")
def real_kafka():
    """Bootstrap address of the Apache Kafka that `make services` has started; skips without one, except in CI."""
    state = Path(".cache/services/services.json")
    address = json.loads(state.read_text()).get("kafka") if state.exists() else None
    if address:
        return address
    if os.environ.get("CI"):
        pytest.fail("CI needs the real services: make services")
    pytest.skip("no real Kafka: make services")


@pytest.fixture
def topic():
    return f"tesla_V{next(_numbers)}"


@pytest.fixture
def settings(cluster, topic, tmp_path):
    return Settings(
        _env_file=None,
        kafka_bootstrap=cluster.bootstrap,
        kafka_topics=(topic,),
        kafka_group=f"group_{topic}",
        kafka_timeout_seconds=5,
        lake_url=str(tmp_path / "lake"),
    )


@pytest.fixture
def store(settings):
    return ObjectStore(settings.lake)

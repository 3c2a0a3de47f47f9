"""One mock broker for the whole room, and a real Kafka (`make services`); every test has its own topic and group."""

import itertools
import uuid

import hypothesis
import pytest

from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.mock_control import MockCluster
from ev_platform_tests.moto_server import moto_bucket
from ev_platform_tests.services import RealKafka

hypothesis.settings.register_profile("ingest", deadline=None)
hypothesis.settings.load_profile("ingest")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def mock():
    with MockCluster() as running:
        yield running


@pytest.fixture(scope="session")
def real_kafka():
    return RealKafka()


@pytest.fixture(params=["embedded", "kafka"])
def cluster(request):
    """Each kind of broker in turn: what the tests say is a contract, whoever keeps it."""
    return request.getfixturevalue("mock" if request.param == "embedded" else "real_kafka")


@pytest.fixture
def own_cluster():
    """A broker that a test may break."""
    with MockCluster() as running:
        yield running


@pytest.fixture
def s3_bucket():
    with moto_bucket() as url:
        yield url


@pytest.fixture
def topic():
    return f"tesla_V{uuid.uuid4().hex[:8]}{next(_numbers)}"


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

"""The same lake on every kind of store: a folder, memory, moto's S3 server, and a real one (`make services`)."""

import uuid

import hypothesis
import pytest

from ev_platform.lake.store import ObjectStore
from ev_platform_tests.moto_server import moto_bucket
from ev_platform_tests.services import s3_bucket

hypothesis.settings.register_profile("lake", deadline=None)
hypothesis.settings.load_profile("lake")


@pytest.fixture(scope="package")
def moto():
    with moto_bucket() as url:
        yield url


@pytest.fixture(params=["folder", "memory", "moto", "s3"])
def url(request, tmp_path):
    if request.param == "folder":
        yield str(tmp_path / "lake")
    elif request.param == "memory":
        yield "memory://"
    elif request.param == "moto":
        yield f"{request.getfixturevalue('moto')}/{uuid.uuid4().hex}"
    else:
        with s3_bucket() as bucket:
            yield f"{bucket}/lake"


@pytest.fixture
def store(url):
    return ObjectStore(url)

"""The same lake on every kind of store: a folder, memory, and moto's S3 server."""

import uuid

import hypothesis
import pytest

from ev_platform.lake.store import ObjectStore
from ev_platform_tests.moto_server import moto_bucket

hypothesis.settings.register_profile("lake", deadline=None)
hypothesis.settings.load_profile("lake")


@pytest.fixture(scope="package")
def s3_bucket():
    with moto_bucket() as url:
        yield url


@pytest.fixture(params=["folder", "memory", "s3"])
def url(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "lake")
    if request.param == "memory":
        return "memory://"
    return f"{request.getfixturevalue('s3_bucket')}/{uuid.uuid4().hex}"


@pytest.fixture
def store(url):
    return ObjectStore(url)

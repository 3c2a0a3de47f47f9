"""The kinds of lake: memory, a folder, moto's S3 server on loopback, and a real one (`make services`)."""

from __future__ import annotations

import itertools
import socket

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ev_platform.engine.pool import stop_pools
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.services import s3_bucket

_numbers = itertools.count()


@pytest.fixture(scope="session")
def moto():
    """Endpoint of an S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def moto_url(moto, monkeypatch):
    """URL of a fresh bucket, with the environment that leads to it."""
    bucket = f"lake-{next(_numbers)}"
    environment = {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=moto, region_name="us-east-1").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/lake"


@pytest.fixture
def s3_url():
    """URL of a fresh bucket on a real S3 server, with the environment that leads to it."""
    with s3_bucket() as url:
        yield f"{url}/lake"


@pytest.fixture(params=["memory", "folder", "moto", "s3"])
def lake_url(request, tmp_path):
    """Each kind of lake in turn."""
    if request.param in ("moto", "s3"):
        return request.getfixturevalue(f"{request.param}_url")
    return "memory://" if request.param == "memory" else str(tmp_path / "lake")


@pytest.fixture
def store(lake_url):
    return ObjectStore(lake_url)


@pytest.fixture(scope="session", autouse=True)
def _no_workers_left():
    yield
    stop_pools()

"""An S3 server in this process (moto), with the environment pointing to it as a user's would."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer


@contextmanager
def s3_environment(endpoint: str, access_key: str, secret_key: str) -> Iterator[None]:
    """The variables that a user would set for this server."""
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


@contextmanager
def moto_bucket() -> Iterator[str]:
    """URL of a new bucket."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with s3_environment(f"http://{host}:{port}", "test", "secret"):
            bucket = f"lake-{uuid4().hex}"  # moto keeps its buckets as long as the process lives
            boto3.client("s3").create_bucket(Bucket=bucket)
            yield f"s3://{bucket}"
    finally:
        server.stop()

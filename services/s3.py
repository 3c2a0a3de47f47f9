"""One S3 server (versitygw over a folder) built from the Go module proxy: needs Go."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from services.process import FOLDER, Absent, Failed, await_health, free_port, start

VERSION = "v1.8.0"
HOME = FOLDER / "s3"
LOG = HOME / "versitygw.log"
BINARY = HOME / f"bin-{VERSION}" / "versitygw"
START_SECONDS = 60.0
KEYS = {"access_key": "services", "secret_key": "services-secret"}


def fetch() -> None:
    """Build the server into the cache; nothing is built when it is there.

    Raises:
        Absent: Go is missing.
    """
    if BINARY.exists():
        return
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        raise Absent("no go: the S3 server needs Go 1.25 or newer (apt-get install golang)")
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    module = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
    answer = subprocess.run(
        [go, "install", module],
        env={**os.environ, "CGO_ENABLED": "0", "GOBIN": str(BINARY.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        said = answer.stderr.strip().splitlines() or ["no reason given"]
        raise Failed(f"Go could not build the S3 server: {said[-1][:300]}")


def launch() -> dict[str, Any]:
    """Start a fresh server (no buckets) on a free port and wait until it answers."""
    for name in ("data", "iam", "sidecar"):
        shutil.rmtree(HOME / name, ignore_errors=True)
        (HOME / name).mkdir(parents=True)
    LOG.unlink(missing_ok=True)
    port = free_port()
    command = [str(BINARY), "--port", f"127.0.0.1:{port}", "--iam-dir", str(HOME / "iam"), "--quiet"]
    # attributes beside the files, so that any file system will do
    command += ["posix", "--sidecar", str(HOME / "sidecar"), str(HOME / "data")]
    root = {"ROOT_ACCESS_KEY": KEYS["access_key"], "ROOT_SECRET_KEY": KEYS["secret_key"]}
    facts = start(command, HOME, LOG, root)
    facts |= {"endpoint": f"http://127.0.0.1:{port}", **KEYS}
    await_health("the S3 server", facts, healthy, START_SECONDS, LOG)
    return facts


def client(facts: dict[str, Any]) -> Any:  # noqa: ANN401
    """A boto3 client of the server."""
    return boto3.client(
        "s3",
        endpoint_url=facts["endpoint"],
        aws_access_key_id=facts["access_key"],
        aws_secret_access_key=facts["secret_key"],
        region_name="us-east-1",
        config=Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1}),
    )


def healthy(facts: dict[str, Any]) -> None:
    """Raises unless the server makes buckets and honours `If-None-Match`, on which the lake rests."""
    s3 = client(facts)
    if not any(bucket["Name"] == "services-probe" for bucket in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket="services-probe")
    key = uuid.uuid4().hex
    s3.put_object(Bucket="services-probe", Key=key, Body=b"1", IfNoneMatch="*")
    try:
        s3.put_object(Bucket="services-probe", Key=key, Body=b"2", IfNoneMatch="*")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
            s3.delete_object(Bucket="services-probe", Key=key)
            return
        raise
    raise RuntimeError("If-None-Match is not honoured")

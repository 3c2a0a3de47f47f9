"""One-shot of docker-compose.yaml: creates the buckets of the lake and of the step logs, if they do not exist.

Not part of the package: on Amazon S3 the bucket is made by whoever owns the account. Region, endpoint and keys are the
usual AWS_* variables.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ev_platform.errors import UserError
from ev_platform.settings import Settings, load_settings

REGION_WITHOUT_CONSTRAINT = "us-east-1"
"""S3 refuses a LocationConstraint that names this region, and wants one for every other."""


def buckets(settings: Settings) -> list[str]:
    """Buckets that the lake (`EV_LAKE_URL`) and the step logs (`BUCKET_NAME`) need, sorted.

    Raises:
        UserError: the lake is not on S3.
    """
    lake = urlsplit(settings.lake)
    if lake.scheme != "s3" or not lake.netloc:
        raise UserError(f"EV_LAKE_URL={settings.lake!r} is not s3://bucket/prefix: containers share no folder")
    return sorted({lake.netloc, settings.bucket_name or lake.netloc})


def create_bucket(name: str) -> bool:
    """Create one bucket.

    Returns:
        False when it was ours already.
    """
    client = boto3.client("s3")
    region = client.meta.region_name
    where = {} if region == REGION_WITHOUT_CONSTRAINT else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=name, **where)
    except ClientError as error:
        if error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou":
            return False
        raise
    return True


def main() -> int:
    """Create what is missing; exit code 0 when all buckets exist, 1 when one cannot be made."""
    try:
        for name in buckets(load_settings()):
            print(f"bucket {name}: {'created' if create_bucket(name) else 'exists'}")
    except (UserError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The one-shot that makes the buckets: does it once, again without harm, and refuses a lake that is no bucket."""

import importlib.util

import boto3
import pytest
from moto import mock_aws

from ev_platform.errors import UserError
from ev_platform.settings import Settings
from ev_platform_tests.docker.files import DOCKER


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("create_bucket", DOCKER / "create_bucket.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["us-east-1", "eu-central-1"])
def s3(request, monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", request.param)
    with mock_aws():
        yield boto3.client("s3")


def test_buckets_are_made_once_and_a_second_run_is_harmless(script, s3, monkeypatch, capsys):
    monkeypatch.setenv("EV_LAKE_URL", "s3://lake-of-tests/lake")
    monkeypatch.setenv("BUCKET_NAME", "logs-of-tests")
    assert script.main() == 0
    s3.put_object(Bucket="lake-of-tests", Key="lake/kept", Body=b"1")
    assert script.main() == 0
    assert sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]) == ["lake-of-tests", "logs-of-tests"]
    assert s3.get_object(Bucket="lake-of-tests", Key="lake/kept")["Body"].read() == b"1"
    assert "bucket lake-of-tests" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "why"), [("ab", "InvalidBucketName"), ("no such name", "Invalid bucket name")])
def test_a_name_that_s3_refuses_is_one_line_and_exit_code_1(script, s3, monkeypatch, capsys, name, why):
    monkeypatch.setenv("EV_LAKE_URL", f"s3://{name}/lake")
    assert script.main() == 1
    assert why in capsys.readouterr().err


def test_a_lake_in_a_folder_is_refused(script, monkeypatch, capsys):
    monkeypatch.setenv("EV_LAKE_URL", "./data/lake")
    assert script.main() == 1
    assert "EV_LAKE_URL" in capsys.readouterr().err
    with pytest.raises(UserError):
        script.buckets(Settings(lake_url="memory://"))

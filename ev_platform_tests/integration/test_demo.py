"""`ev demo` as a user runs it: truth, repetition, SIGKILL of any process at any moment, S3 by environment alone."""

import os
import signal
import subprocess
import sys
import time

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ev_platform_tests.integration.demo_runs import (
    CHAIN,
    LINE,
    contents,
    data_of,
    duration,
    finish,
    health_table,
    start,
)

pytestmark = pytest.mark.integration  # one file, one worker: --dist loadfile


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, finish(folder)


def test_the_demo_tells_the_truth(finished):
    folder, output = finished
    assert len(health_table(output)) == 5
    keys = contents(folder / "data/lake")
    assert not [key for key in keys if key.startswith("temp/")]  # originals are deleted
    assert [key for key in keys if key.startswith("dead_letter/")]  # what could not be read is kept
    for table in ("compressed", "cleaned", "segments", "results/sessions", "results/battery_health"):
        assert [key for key in keys if key.startswith(table)], table


def test_the_audit_of_the_whole_lake_agrees(finished):
    folder, _ = finished
    command = [sys.executable, "-m", "ev_platform.cli", "doctor", "--audit"]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stdout
    assert f"audit: {LINE}" in shown.stdout
    broken = next((folder / "data/lake/compressed").rglob("*.parquet"))
    hidden = broken.rename(folder / "hidden")
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    hidden.rename(broken)
    assert shown.returncode == 1
    assert "missing" in shown.stdout


def test_a_finished_demo_run_again_changes_no_byte_of_the_lake(finished):
    folder, output = finished
    before = contents(folder / "data/lake")
    again = finish(folder)
    assert contents(folder / "data/lake") == before
    assert health_table(again) == health_table(output)


@pytest.mark.parametrize("fraction", [0.35, 0.55, 0.75])
def test_killed_at_any_moment_and_run_again_it_ends_with_the_same_data(finished, tmp_path, fraction):
    folder, output = finished
    begin = time.monotonic()
    process = start(tmp_path)
    seconds = duration(folder)
    time.sleep(seconds * fraction)
    assert process.poll() is None, "the demo ended before it could be killed: kill it earlier"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert time.monotonic() - begin < seconds
    again = finish(tmp_path)
    assert health_table(again) == health_table(output)
    assert data_of(tmp_path / "data/lake") == data_of(folder / "data/lake")


def test_a_killed_broker_ends_the_demo_with_one_line_and_nothing_is_lost(finished, tmp_path):
    folder, output = finished
    process = start(tmp_path)
    broker = None
    while broker is None and process.poll() is None:
        found = subprocess.run(
            ["pgrep", "-P", str(process.pid), "-f", "embedded_broker"], capture_output=True, text=True
        )
        broker = int(found.stdout.split()[0]) if found.stdout.split() else None
        time.sleep(0.1)
    time.sleep(duration(folder) * 0.3)
    os.kill(broker, signal.SIGKILL)
    assert process.wait(120) == 1
    printed = (tmp_path / "output.txt").read_text()
    assert "Traceback" not in printed
    assert health_table(finish(tmp_path)) == health_table(output)
    assert data_of(tmp_path / "data/lake") == data_of(folder / "data/lake")


def test_two_demos_on_one_state_folder_are_refused(tmp_path):
    first = start(tmp_path)
    time.sleep(3)
    second = subprocess.run(
        [sys.executable, "-m", "ev_platform.cli", "demo", *CHAIN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert second.returncode == 1
    assert second.stderr.startswith("ev: another `ev demo` or `ev up` uses")
    assert second.stderr.count("\n") == 1


def test_on_s3_by_environment_alone_the_same_table(finished, tmp_path):
    folder, output = finished
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    aws = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket="fleet")
    try:
        on_s3 = finish(tmp_path, EV_LAKE_URL="s3://fleet/lake", **aws)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="fleet", Prefix="lake/")
        keys = {item["Key"].removeprefix("lake/") for page in pages for item in page["Contents"]}
    finally:
        server.stop()
    assert health_table(on_s3) == health_table(output)
    assert keys == set(contents(folder / "data/lake"))

"""A provider whose refresh token rotates, polled with its tokens in Secrets Manager: none is on disk or in the lake."""

import json
import uuid

import boto3
import pytest

from ev_platform.lake.store import ObjectStore
from ev_platform.providers.connect import connect
from ev_platform.providers.pull import pull
from ev_platform_tests.moto_server import moto_bucket
from ev_platform_tests.providers.conftest import FakeClock, TeslaServer, cars, settings_for

HOURS_9 = 9 * 3600


@pytest.fixture
def polled(tmp_path):
    """(poll, clock, name of the secret, server, folder)."""
    clock, name = FakeClock(), f"ev_platform/{uuid.uuid4().hex}"
    with moto_bucket(), TeslaServer(cars(2), clock) as server:
        settings = settings_for({"tesla_rest": server}, tmp_path).with_changes(token_secret=name)
        store = ObjectStore(settings.lake)

        def poll():
            client, access = connect(settings, store, "tesla_rest", clock)
            return pull(client, access, store, "2026-10-01")

        yield poll, clock, name, server, tmp_path


def test_tokens_rotate_in_the_secret_and_leave_no_trace_elsewhere(polled):
    poll, clock, name, server, folder = polled
    told = []
    for _ in range(3):
        assert poll().changed >= 0
        text = boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
        told.append(json.loads(text)["tesla_rest"]["refresh_token"])
        clock.advance(HOURS_9)
    assert server.requests("token") == 3
    assert len(set(told)) == 3, "each refresh gives another token, and each was kept"
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(token.encode() in content for token in told), path

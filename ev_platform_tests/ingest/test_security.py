"""Security settings reach librdkafka, secrets reach nobody, and no name from outside leaves its folder."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.errors import SettingError, UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.lag import probe
from ev_platform.lake.layout import (
    breaker_key,
    dead_letter_key,
    kafka_object_name,
    parse_temp_key,
    temp_key,
    valid_source,
    valid_vin,
)
from ev_platform.settings import Settings

CANARY = "hunter2-Canary"
OIDC = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanisms": "OAUTHBEARER",
    "sasl.oauthbearer.method": "oidc",
    "sasl.oauthbearer.client.id": "fleet-reader",
    "sasl.oauthbearer.client.secret": CANARY,
    "sasl.oauthbearer.scope": "kafka.read",
    "sasl.oauthbearer.extensions": "logicalCluster=lkc-1",
}


def with_options(**more):
    return Settings(_env_file=None, kafka_bootstrap="127.0.0.1:9", kafka_timeout_seconds=1, **more)


@pytest.mark.parametrize(
    "options",
    [
        {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": CANARY},
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "u",
            "sasl.password": CANARY,
        },
        {
            "security.protocol": "SSL",
            "enable.ssl.certificate.verification": "true",
            "ssl.endpoint.identification.algorithm": "https",
        },
        {"security.protocol": "SSL", "ssl.key.password": CANARY, "ssl.cipher.suites": "DEFAULT"},
        {**OIDC, "sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1:9/token"},
    ],
    ids=["plain", "scram", "tls", "tls key", "oidc"],
)
def test_the_client_takes_security_options(options):
    settings = with_options(kafka_options=options)
    config = kafka.client_config(settings)
    assert options.items() <= config.items()
    kafka.close(kafka.open_consumer(settings))
    with pytest.raises(UserError) as raised:  # nobody listens there: whatever is said holds no secret
        probe(settings)
    assert CANARY not in str(raised.value)


def test_options_that_correctness_needs_cannot_be_overridden():
    settings = with_options(kafka_options={"enable.auto.commit": "true", "auto.offset.reset": "latest"})
    config = kafka.client_config(settings)
    assert (config["enable.auto.commit"], config["auto.offset.reset"]) == (False, "error")


def test_oidc_asks_the_token_endpoint_with_the_client_s_credentials():
    """The whole way: librdkafka itself fetches a token from a real endpoint with what EV_KAFKA_OPTIONS says."""
    asked = []

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.headers["Authorization"], urllib.parse.parse_qs(body)))
            claims = json.dumps({"sub": "x", "exp": int(time.time()) + 3600, "iat": int(time.time())}).encode()
            token = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"none"}', claims, b"x"))
            answer = json.dumps({"access_token": token.decode(), "token_type": "bearer", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/token"
    client = kafka.open_consumer(with_options(kafka_options={**OIDC, "sasl.oauthbearer.token.endpoint.url": url}))
    deadline = time.monotonic() + 60
    while not asked and time.monotonic() < deadline:
        client.poll(0.1)
    kafka.close(client)
    server.shutdown()
    server.server_close()
    authorization, body = asked[0]
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == f"fleet-reader:{CANARY}"
    assert body["grant_type"] == ["client_credentials"]
    assert body["scope"] == ["kafka.read"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"security.protocol": CANARY}, "security.protocol"),
        ({"no.such.option": CANARY}, "no.such.option"),
        ({"session.timeout.ms": CANARY}, "session.timeout.ms"),
        ({"security.protocol": "SSL", "ssl.ca.location": f"/nowhere/{CANARY}"}, "ssl.ca.location"),
        ({"security.protocol": "SSL", "ssl.key.pem": CANARY}, "ssl.key.pem"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.password": CANARY}, "sasl.username"),
    ],
)
def test_a_refused_option_is_named_never_its_value(options, named):
    with pytest.raises(SettingError, match="EV_KAFKA_OPTIONS") as raised:
        kafka.open_consumer(with_options(kafka_options=options))
    assert f"({named})" in str(raised.value)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


# -- masking ----------------------------------------------------------------------------------------------------------

SECRETS = (
    "sasl.password",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.key.pem",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.assertion.private.key.passphrase",
)


@given(
    secret=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="*"), min_size=3, max_size=20),
    name=st.sampled_from(SECRETS),
    before=st.text(max_size=10),
    after=st.text(max_size=10),
)
def test_no_secret_survives_masking(secret, name, before, after):
    settings = with_options(kafka_options={name: secret, "client.rack": "a"})
    assert secret not in settings.masked(f"{before}{secret}{after}")
    assert settings.shown_kafka_options == {name: "***", "client.rack": settings.masked("a")}
    assert secret not in repr(settings) or secret in repr(with_options(kafka_options={}))


def test_masking_touches_nothing_else():
    settings = with_options(
        kafka_options={"sasl.username": "reader", "sasl.password": "pa", "security.protocol": "SSL"}
    )
    text = "Kafka at 127.0.0.1:9 (reader, SSL, pa) s3://bucket/prefix https://host/a@b"
    assert settings.masked(text) == text
    assert settings.masked("s3://key:secret@bucket/x and http://u@h") == "s3://***@bucket/x and http://***@h"


def test_overlapping_secrets_are_masked_whole():
    settings = with_options(kafka_options={"sasl.password": "abc", "ssl.key.password": "abcdef"})
    assert settings.masked("abcdef abc") == "*** ***"


# -- keys -------------------------------------------------------------------------------------------------------------

NASTY = st.text(st.sampled_from("./\\ab%\0\n\u2025 ~V-"), max_size=18) | st.sampled_from(
    ["..", ".", "", "../x", "temp/../../x", "%2e%2e%2f", "EVPTESLA00000000/", "a" * 300]
)


@given(source=NASTY | st.text(max_size=8), vin=NASTY)
def test_no_topic_or_vin_leaves_its_folder(source, vin):
    if not valid_source(source):
        with pytest.raises(ValueError, match="not the name of a topic"):
            kafka_object_name(source, 0, 0, 0, 1, 0)
        return
    name = kafka_object_name(source, 0, 0, 0, 1, 0)
    assert "/" not in name
    for key in (dead_letter_key("2026-11-01", name), temp_key("EVPTESLA000000001", "2026-11-01", name)):
        assert all(part not in ("", ".", "..") for part in key.split("/"))
    assert parse_temp_key(temp_key("V", "D", name))[2].source == source
    assert not valid_vin(vin) or all(letter not in vin for letter in "./\\%\0\n ~")


@given(group=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_group_makes_a_plain_key(group):
    key = breaker_key(group)
    assert key.startswith("state/breaker/")
    assert key.count("/") == 2
    assert ".." not in key

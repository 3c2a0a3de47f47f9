"""Tokens: a crash between refresh and save loses nothing, one process refreshes at a time, the file is private."""

import json
import os
import stat
import subprocess
import sys
import textwrap

import pytest

from ev_platform.errors import UserError
from ev_platform.providers.base import AuthError
from ev_platform.providers.pull import pull
from ev_platform.providers.tokens import TokenFile
from ev_platform_tests.providers.conftest import FakeClock

HOURS_9 = 9 * 3600


class KilledError(BaseException):
    """Stands for SIGKILL."""


def poll(bench):
    client, access = bench.client()
    return pull(client, access, bench.store, "2026-10-01")


KILL_POINTS = ["os.open", "json.dump", "os.fsync", "os.replace", "after replace"]


@pytest.mark.parametrize("point", KILL_POINTS)
@pytest.mark.parametrize("first", [True, False], ids=["first refresh", "later refresh"])
def test_killed_between_refresh_and_save_the_next_process_still_gets_in(bench, monkeypatch, point, first):
    b = bench("tesla_rest")
    if not first:
        poll(b)
        b.clock.advance(HOURS_9)
    with monkeypatch.context() as patch:
        if point == "after replace":
            real = os.replace

            def replace(*args):
                real(*args)
                raise KilledError

            patch.setattr("ev_platform.providers.tokens.os.replace", replace)
        else:

            def die(*_args, **_kw):
                raise KilledError

            patch.setattr(f"ev_platform.providers.tokens.{point}", die)
        with pytest.raises(KilledError):
            poll(b)
    assert b.server.requests("token") == (1 if first else 2), "the refresh had happened"
    b.clock.advance(3600)
    assert poll(b).changed == 3


def test_a_client_that_uses_a_token_before_it_is_saved_would_be_locked_out(bench):
    """The same crash twice in a row without the last-used rule is what the order protects from: the server refuses."""
    b = bench("tesla_rest")
    poll(b)
    tokens = TokenFile(b.settings.state_dir)
    old = tokens.load("tesla_rest")
    b.clock.advance(HOURS_9)
    poll(b)
    b.clock.advance(HOURS_9)
    poll(b)
    tokens.save("tesla_rest", old)  # what a client has that lost two refreshes
    b.clock.advance(HOURS_9)
    with pytest.raises(AuthError, match="EV_TESLA_REST_REFRESH_TOKEN"):
        poll(b)


def test_a_new_token_in_the_settings_wins_over_a_dead_one_in_the_store(bench):
    b = bench("tesla_rest")
    poll(b)
    fresh = b.server.log_in()
    b.server._access.clear()
    b.settings = b.settings.with_changes(tesla_rest_refresh_token=fresh)
    assert poll(b).stopped == ""


def test_a_store_of_another_process_is_used_instead_of_a_second_refresh(bench):
    b = bench("tesla_rest")
    (one, _), (other, _) = b.client(), b.client()
    one.vehicles()
    other.vehicles()
    assert b.server.requests("token") == 1


def test_the_file_is_private_and_whole(tmp_path):
    tokens = TokenFile(tmp_path / "state")
    old = os.umask(0)
    try:
        tokens.save("bmw", {"refresh_token": "a"})
        tokens.save("tesla_rest", {"refresh_token": "b"})
    finally:
        os.umask(old)
    file = tmp_path / "state" / "tokens.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {"bmw": {"refresh_token": "a"}, "tesla_rest": {"refresh_token": "b"}}
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        tokens.load("bmw")
    file.chmod(0o600)
    file.write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        tokens.load("bmw")


def test_writers_in_several_processes_lose_no_entry(tmp_path):
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from ev_platform.providers.tokens import TokenFile
        for n in range(20):
            TokenFile(Path(sys.argv[1])).save(sys.argv[2], {"n": n})
    """)
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in ("a", "b", "c")]
    assert [one.wait() for one in running] == [0, 0, 0]
    assert {name: TokenFile(tmp_path).load(name) for name in "abc"} == {name: {"n": 19} for name in "abc"}


def test_without_a_login_bmw_says_what_to_do(bench, tmp_path):
    b = bench("bmw")
    TokenFile(b.settings.state_dir).save("bmw", {})
    with pytest.raises(AuthError, match="ev providers login bmw"):
        poll(b)


def test_the_device_login_brings_tokens_that_work(bench):
    from ev_platform.providers.bmw import DeviceLogin
    from ev_platform.providers.connect import access_for

    b = bench("bmw", 2, confirmed=False)
    TokenFile(b.settings.state_dir).save("bmw", {})
    login = DeviceLogin(access_for(b.settings, "bmw", b.clock))
    address, code = login.start()
    assert address.startswith("http")
    assert code == "ABCD-1234"
    b.clock.sleep = lambda seconds: (FakeClock.sleep(b.clock, seconds), setattr(b.server, "confirmed", True))
    login.finish()
    assert poll(b).changed == 2


def test_a_code_that_nobody_types_ends(bench):
    from ev_platform.providers.bmw import DeviceLogin
    from ev_platform.providers.connect import access_for

    b = bench("bmw", 1, confirmed=False)
    login = DeviceLogin(access_for(b.settings, "bmw", b.clock))
    login.start()
    with pytest.raises(AuthError, match="in time"):
        login.finish()


def test_a_signed_assertion_is_taken_and_a_foreign_one_is_not(bench, tmp_path):
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    b = bench("high_mobility", public_key=key.public_key())
    for private, good in ((key, True), (other, False)):
        file = tmp_path / "key.pem"
        file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        b.settings = b.settings.with_changes(
            high_mobility_client_secret="", high_mobility_private_key_file=str(file), high_mobility_key_id="k1"
        )
        if good:
            assert poll(b).changed == 3
        else:
            with pytest.raises(AuthError):
                poll(b)


def test_an_es256_assertion_verifies(tmp_path):
    import base64

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from ev_platform.errors import SettingError
    from ev_platform.providers.assertion import signed_assertion

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    text, _, signature = signed_assertion({"iss": "x"}, pem, "k1").rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    numbers = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.public_key().verify(numbers, text.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(SettingError) as caught:
        signed_assertion({}, "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----")
    assert "secret" not in str(caught.value)

"""Settings by reference and rotating tokens, against moto's SSM and Secrets Manager; values are never shown."""

import json
import threading
import uuid

import boto3
import pytest

from ev_platform import references
from ev_platform.errors import SettingError, UserError
from ev_platform.providers.connect import token_store
from ev_platform.providers.token_secret import TokenSecret
from ev_platform.providers.tokens import TokenFile
from ev_platform.settings import Settings, load_settings
from ev_platform_tests.moto_server import moto_bucket

VALUE = "s3cr3t-value-of-a-test"


@pytest.fixture(scope="module")
def aws():
    with moto_bucket() as url:
        yield url


@pytest.fixture(autouse=True)
def fresh(aws, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # no .env
    references.resolve.cache_clear()
    yield
    references.resolve.cache_clear()


@pytest.fixture
def secret():
    """Makes a secret; returns its name."""

    def make(text):
        name = f"ev_platform/{uuid.uuid4().hex}"
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=text)
        return name

    return make


@pytest.fixture
def parameter():
    name = f"/ev_platform/{uuid.uuid4().hex}"
    boto3.client("ssm").put_parameter(Name=name, Value=VALUE, Type="SecureString")
    return name


# -- references -------------------------------------------------------------------------------------------------------


def test_a_parameter_and_the_key_of_a_secret(monkeypatch, parameter, secret):
    monkeypatch.setenv("EV_MOBILISIGHTS_PASSWORD", f"aws-ssm:{parameter}")
    monkeypatch.setenv("KAGGLE_KEY", f"aws-secret:{secret(json.dumps({'key': VALUE}))}#key")
    monkeypatch.setenv("EV_SLACK_WEBHOOK_URL", f"aws-secret:{secret('https://hooks.example/T1')}")
    settings = load_settings()
    assert settings.mobilisights_password == VALUE
    assert settings.kaggle_key.get_secret_value() == VALUE
    assert settings.slack_webhook_url == "https://hooks.example/T1"


def test_options_of_librdkafka_one_by_one_and_all_together(monkeypatch, secret):
    name = secret(json.dumps({"password": VALUE}))
    monkeypatch.setenv("EV_KAFKA_OPTIONS", f"sasl.username=me,sasl.password=aws-secret:{name}#password")
    assert load_settings().kafka_options == {"sasl.username": "me", "sasl.password": VALUE}
    whole = secret(json.dumps({"sasl.username": "me", "sasl.password": VALUE}))
    monkeypatch.setenv("EV_KAFKA_OPTIONS", f"aws-secret:{whole}")
    settings = load_settings()
    assert settings.kafka_options["sasl.password"] == VALUE
    assert settings.shown_kafka_options["sasl.password"] == "***"


def test_a_fetched_value_is_shown_nowhere_and_reaches_child_processes(monkeypatch, parameter):
    monkeypatch.setenv("EV_MOBILISIGHTS_PASSWORD", f"aws-ssm:{parameter}")
    settings = load_settings()
    assert VALUE not in repr(settings)
    assert settings.masked(f"refused: {VALUE}") == "refused: ***"
    assert settings.child_environment()["EV_MOBILISIGHTS_PASSWORD"] == VALUE


@pytest.mark.parametrize("variable", ["EV_LAKE_URL", "EV_MOBILISIGHTS_EMAIL", "EV_KAFKA_BOOTSTRAP"])
def test_a_setting_that_is_shown_cannot_be_a_reference(monkeypatch, parameter, variable):
    monkeypatch.setenv(variable, f"aws-ssm:{parameter}")
    with pytest.raises(SettingError, match=variable) as found:
        load_settings()
    assert VALUE not in str(found.value)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("aws-ssm:/no/such", "ParameterNotFound"),
        ("aws-secret:no/such", "ResourceNotFoundException"),
        ("aws-secret:{text}#key", "not a JSON object"),
        ("aws-secret:{json}#other", "no key 'other'"),
    ],
)
def test_what_cannot_be_resolved_is_named_without_its_content(monkeypatch, secret, reference, why):
    reference = reference.format(text=secret(VALUE), json=secret(json.dumps({"key": VALUE})))
    monkeypatch.setenv("EV_MOBILISIGHTS_PASSWORD", reference)
    with pytest.raises(SettingError, match=why) as found:
        load_settings()
    assert "EV_MOBILISIGHTS_PASSWORD" in str(found.value)
    assert VALUE not in str(found.value)


def test_an_unreachable_aws_is_one_line(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("EV_MOBILISIGHTS_PASSWORD", "aws-ssm:/x")
    with pytest.raises(SettingError, match="EndpointConnectionError"):
        load_settings()


def test_a_reference_is_fetched_once(monkeypatch, parameter):
    monkeypatch.setenv("EV_MOBILISIGHTS_PASSWORD", f"aws-ssm:{parameter}")
    load_settings()
    boto3.client("ssm").delete_parameter(Name=parameter)
    assert load_settings().mobilisights_password == VALUE


# -- tokens -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    settings = Settings(_env_file=None, state_dir=tmp_path, token_secret=f"ev_platform/{uuid.uuid4().hex}")
    return token_store(settings)


def test_the_setting_chooses_the_store(tmp_path, store):
    assert isinstance(store, TokenSecret)
    assert isinstance(token_store(Settings(_env_file=None, state_dir=tmp_path)), TokenFile)


def test_tokens_are_kept_per_provider_and_nothing_is_written_to_disk(store, tmp_path):
    assert store.load("bmw") == {}
    store.save("bmw", {"refresh_token": VALUE})
    store.save("tesla_rest", {"refresh_token": "other"})
    store.save("bmw", {"refresh_token": "newer"})
    assert store.load("bmw") == {"refresh_token": "newer"}
    assert store.load("tesla_rest") == {"refresh_token": "other"}
    assert all(path.read_bytes() == b"" for path in tmp_path.iterdir()), "locks only"


def test_savers_at_once_lose_nothing(store):
    names = [f"provider{n}" for n in range(8)]
    threads = [threading.Thread(target=store.save, args=(name, {"refresh_token": name})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.load(name) for name in names] == [{"refresh_token": name} for name in names]


def test_without_the_lock_savers_at_once_do_lose(tmp_path):
    """What the lock is for: the same eight threads without it."""
    from contextlib import nullcontext

    lost = 0
    for _ in range(5):
        store = TokenSecret(f"ev_platform/{uuid.uuid4().hex}", lambda _: nullcontext())
        store.save("first", {})
        threads = [threading.Thread(target=store.save, args=(f"p{n}", {"t": n})) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lost += sum(store.load(f"p{n}") == {} for n in range(8))
    assert lost > 0


def test_a_damaged_secret_is_said_without_its_content(store, secret, tmp_path):
    broken = TokenSecret(secret(VALUE), TokenFile(tmp_path).exclusive)
    with pytest.raises(UserError, match="no JSON object") as found:
        broken.load("bmw")
    assert VALUE not in str(found.value)
    with pytest.raises(UserError, match="no JSON object"):
        broken.save("bmw", {})

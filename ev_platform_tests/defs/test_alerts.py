"""What the platform tells of itself: failed runs and their repair, checks, lag, dead letters, a missing day."""

import json
import logging
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import boto3
import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from moto.server import ThreadedMotoServer

from ev_platform.alerts import Alert, Alerts
from ev_platform.defs.ops import alerts, health
from ev_platform.defs.platform import Platform
from ev_platform.errors import UserError
from ev_platform.ingest.lag import PartitionLag
from ev_platform.ingest.offsets import Gap
from ev_platform.lake.layout import provider_state_key
from ev_platform.providers.http import SystemClock
from ev_platform.settings import load_settings


@pytest.fixture
def inbox(monkeypatch):
    """An SNS topic with a queue behind it; calling it gives the messages that arrived."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    sns, sqs = boto3.client("sns", region_name="eu-west-3"), boto3.client("sqs", region_name="eu-west-3")
    name = f"operators-{uuid4().hex}"  # moto keeps its queues as long as the process lives
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def messages():
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]

    yield topic, messages
    server.stop()


def a_run(instance, works=False, job="nightly", **tags):
    @dg.op
    def clean():
        if not works:
            raise ValueError("the disk is full")

    @dg.job(name=job)
    def one():
        clean()

    tags = tags or {"dagster/partition": "2026-11-05"}
    return one.execute_in_process(instance=instance, raise_on_error=False, tags=tags)


def tell(instance, settings, result=None):
    result = result or a_run(instance)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        resources={"platform": Platform(settings)},
    ).for_run_failure()
    alerts.run_failure(context)
    return result.run_id


def test_a_failed_run_reaches_sns_and_the_log(inbox, instance, caplog, platform):
    topic, messages = inbox
    with caplog.at_level(logging.ERROR, "ev_platform.alerts"):
        run_id = tell(instance, platform.settings.with_changes(sns_topic_arn=topic))
    (message,) = messages()
    assert message["Subject"] == "run of nightly failed 2026-11-05"
    assert run_id in message["Message"]
    assert "the disk is full" in message["Message"]
    assert "run of nightly failed 2026-11-05" in caplog.text


def test_without_a_topic_only_the_log(inbox, instance, caplog, platform):
    _, messages = inbox
    tell(instance, platform.settings)
    assert "run of nightly failed" in caplog.text
    assert messages() == []


def test_the_alias_of_reference_systems(monkeypatch):
    monkeypatch.setenv("SNS_TOPIC_ARN", "arn:aws:sns:eu-west-3:1:x")
    assert load_settings().sns_topic_arn == "arn:aws:sns:eu-west-3:1:x"


def test_an_unreachable_sns_stops_nothing(instance, caplog, monkeypatch, platform):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    settings = platform.settings.with_changes(sns_topic_arn="arn:aws:sns:eu-west-3:1:operators")
    Alerts(settings, platform.store).tell(Alert("x", "Überlast: é", "text"))
    assert "SNS did not take the alert" in caplog.text


def succeed(instance, platform, **tags):
    """Another job, in which the same step works."""
    result = a_run(instance, works=True, job="repair", **tags)
    (event,) = [e for e in result.all_events if e.event_type_value == "PIPELINE_SUCCESS"]
    context = dg.build_run_status_sensor_context(
        sensor_name="run_recovery",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        resources={"platform": platform},
    )
    alerts.run_recovery(context)


def open_keys(platform):
    return Alerts(platform.settings, platform.store).open_keys()


def test_the_same_step_failing_again_is_one_trouble_with_one_link(instance, platform, caplog):
    first, _ = (tell(instance, platform.settings) for _ in range(2))
    assert open_keys(platform) == ["run:clean:2026-11-05"]
    assert caplog.text.count("run of nightly failed 2026-11-05: ") == 1
    assert f"http://127.0.0.1:3000/runs/{first}" in caplog.text


def test_a_range_that_fails_names_its_days(instance, platform, caplog):
    tags = {alerts.START_TAG: "2026-11-01", alerts.END_TAG: "2026-11-03"}
    tell(instance, platform.settings, a_run(instance, **tags))
    assert "run of nightly failed 2026-11-01 to 2026-11-03" in caplog.text


@pytest.mark.parametrize(
    ("tags", "left"),
    [
        ({"dagster/partition": "2026-11-05"}, []),
        ({alerts.START_TAG: "2026-11-01", alerts.END_TAG: "2026-11-07"}, []),
        ({"dagster/partition": "2026-11-06"}, ["run:clean:2026-11-05"]),
        ({alerts.START_TAG: "2026-11-06", alerts.END_TAG: "2026-11-07"}, ["run:clean:2026-11-05"]),
    ],
)
def test_it_is_over_when_any_run_makes_that_step_and_day(instance, platform, tags, left, caplog):
    tell(instance, platform.settings)
    succeed(instance, platform, **tags)
    assert open_keys(platform) == left
    assert ("recovered: run of nightly failed 2026-11-05" in caplog.text) == (not left)


NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)


def look(instance, platform):
    """One tick of the health sensor; gives the keys of what is open after it."""
    repository = dg.Definitions(assets=[watched], asset_checks=[is_good]).get_repository_def()
    with dg.build_sensor_context(
        instance=instance, repository_def=repository, resources={"platform": platform}
    ) as context:
        health.platform_health(context)
    return open_keys(platform)


@dg.asset
def watched():
    return 1


GOOD = {"value": True}


@dg.asset_check(asset=watched)
def is_good():
    return dg.AssetCheckResult(passed=GOOD["value"])


def test_a_failed_check_is_told_and_its_next_success_ends_it(instance, platform, monkeypatch):
    seen = []
    for good in (True, False, True):
        monkeypatch.setitem(GOOD, "value", good)
        dg.materialize([watched, is_good], instance=instance)
        seen.append(look(instance, platform))
    assert seen == [[], ["check:watched:is_good"], []]


def test_a_broker_that_does_not_answer_says_nothing_about_the_lag(instance, platform, monkeypatch):
    loud = Platform(
        platform.settings.with_changes(kafka_bootstrap="127.0.0.1:9", alert_lag_messages=10), platform.store
    )
    lag = PartitionLag("t", 0, 0, 0, 11)
    monkeypatch.setattr(health, "probe", lambda _: [lag])
    assert look(instance, loud) == ["lag"]
    monkeypatch.setattr(health, "probe", lambda _: (_ for _ in ()).throw(UserError("no answer")))
    assert look(instance, loud) == ["broker", "lag"]  # still open: nobody knows
    monkeypatch.setattr(health, "probe", lambda _: [])
    assert look(instance, loud) == []


def test_dead_letters_of_the_last_hour_are_counted_once_per_run(instance, platform):
    @dg.asset(key=health.RAW_TESLA, partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def raw(context) -> None:
        for day in context.partition_keys:  # a range run shows the figures of the run on each of its days
            context.add_asset_metadata({"dead": 40, "messages": 400}, partition_key=day)

    tags = {alerts.START_TAG: "a", alerts.END_TAG: "b"}
    dg.materialize([raw], instance=instance, tags=tags)
    settings = platform.settings
    now = datetime.now(UTC)
    assert "40 of the last hour's 400" in health.look_at_dead_letters(instance, settings, now).message
    assert health.look_at_dead_letters(instance, settings, now + timedelta(hours=2)) is None


def test_yesterday(instance, platform):
    made = dg.AssetMaterialization(health.COMPRESSED_KEY, partition="2026-11-03")
    assert health.look_at_yesterday(instance, NOON) is None
    instance.report_runless_asset_event(made)
    assert health.look_at_yesterday(instance, NOON).key == "yesterday"
    instance.report_runless_asset_event(made._replace(partition="2026-11-04"))
    assert health.look_at_yesterday(instance, NOON) is None


def test_a_sensor_that_stands_still(instance, platform):
    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__"), "kafka_lag"
    )
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData())
    instance.add_instigator_state(state)
    assert health.look_at_sensor(instance, platform.settings, NOON) is None
    tick = TickData(origin.get_id(), "kafka_lag", InstigatorType.SENSOR, TickStatus.SKIPPED, NOON.timestamp() - 601)
    instance.create_tick(tick._replace(selector_id=state.selector_id))
    assert health.look_at_sensor(instance, platform.settings, NOON).key == "sensor"
    assert health.look_at_sensor(instance, platform.settings, NOON - timedelta(minutes=5)) is None
    instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    assert health.look_at_sensor(instance, platform.settings, NOON) is None  # switched off on purpose


def test_messages_that_expired_unread_are_told(inbox, caplog, platform):
    topic, messages = inbox
    gaps = [
        Gap("tesla_V", 3, 10, 39, "expired before it was read"),
        Gap("tesla_V", 4, 7, 7, "expired while it was read"),
    ]
    alerts.alert_lost(Platform(platform.settings.with_changes(sns_topic_arn=topic), platform.store), gaps)
    (message,) = messages()
    assert message["Subject"] == "31 messages lost: expired in Kafka"
    assert "tesla_V-3 offsets 10 to 39: expired before it was read" in message["Message"]
    assert "tesla_V-4 offsets 7 to 7" in caplog.text


def test_a_quota_that_somebody_else_uses_up_is_told_until_it_is_free_again(instance, tmp_path):
    settings = load_settings(
        lake_url=str(tmp_path / "lake"), state_dir=tmp_path, bmw_url="http://127.0.0.1:1",
        bmw_auth_url="http://127.0.0.1:1", bmw_client_id="x",
    )  # fmt: skip
    platform = Platform(settings)
    now = SystemClock().now_ms()
    for booked, key in ((46, []), (47, ["quota:bmw"])):
        times = [now - 1000 * n for n in range(booked)]
        platform.store.put(provider_state_key("bmw", "quota"), json.dumps({"booked_ms": times}).encode())
        assert look(instance, platform) == key
    platform.store.put(provider_state_key("bmw", "quota"), json.dumps({"booked_ms": [now - 2 * 86_400_000]}).encode())
    assert look(instance, platform) == []
    assert health.look_at_quotas(load_settings(lake_url=str(tmp_path / "lake")), platform.store) == {}

"""Failed runs are told: to the log always, to SNS (a real SNS-shaped server) when a topic is set."""

import json
import logging

import boto3
import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from ev_platform.defs.ops import alerts
from ev_platform.defs.platform import Platform
from ev_platform.ingest.offsets import Gap
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
    topic = sns.create_topic(Name="operators")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def messages():
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]

    yield topic, messages
    server.stop()


def failed_run(instance):
    @dg.op
    def broken():
        raise ValueError("the disk is full")

    @dg.job
    def nightly():
        broken()

    return nightly.execute_in_process(instance=instance, raise_on_error=False, tags={"dagster/partition": "2026-11-05"})


def tell(instance, settings):
    result = failed_run(instance)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        resources={"platform": Platform(settings)},
    ).for_run_failure()
    alerts.run_failure(context)
    return result.run_id


def test_a_failed_run_reaches_sns_and_the_log(inbox, instance, caplog):
    topic, messages = inbox
    with caplog.at_level(logging.ERROR, "ev_platform.alerts"):
        run_id = tell(instance, load_settings(sns_topic_arn=topic))
    (message,) = messages()
    assert message["Subject"] == "run of nightly failed 2026-11-05"
    assert run_id in message["Message"]
    assert "the disk is full" in message["Message"]
    assert "run of nightly failed 2026-11-05" in caplog.text


def test_without_a_topic_only_the_log(inbox, instance, caplog):
    _, messages = inbox
    tell(instance, load_settings())
    assert "run of nightly failed" in caplog.text
    assert messages() == []


def test_the_alias_of_reference_systems(monkeypatch):
    monkeypatch.setenv("SNS_TOPIC_ARN", "arn:aws:sns:eu-west-3:1:x")
    assert load_settings().sns_topic_arn == "arn:aws:sns:eu-west-3:1:x"


def test_an_unreachable_sns_stops_nothing(instance, caplog, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    alerts.alert(load_settings(sns_topic_arn="arn:aws:sns:eu-west-3:1:operators"), "Überlast: é", "text")
    assert "SNS did not take the alert" in caplog.text


def test_messages_that_expired_unread_are_told(inbox, caplog):
    topic, messages = inbox
    gaps = [
        Gap("tesla_V", 3, 10, 39, "expired before it was read"),
        Gap("tesla_V", 4, 7, 7, "expired while it was read"),
    ]
    alerts.alert_lost(load_settings(sns_topic_arn=topic), gaps)
    (message,) = messages()
    assert message["Subject"] == "31 messages lost: expired in Kafka"
    assert "tesla_V-3 offsets 10 to 39: expired before it was read" in message["Message"]
    assert "tesla_V-4 offsets 7 to 7" in caplog.text

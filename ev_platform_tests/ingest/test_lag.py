"""The sensor's questions: bounded, harmless, and one clear line when the broker does not answer."""

import socket

import pytest

from ev_platform.errors import SettingError, UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.lag import PartitionLag, offsets_for_time, probe
from ev_platform_tests.ingest.helpers import Sent, commit, fleet, send
from ev_platform_tests.mock_control import DROP_CONNECTION, LIST_OFFSETS, OFFSET_COMMIT


def test_lag_per_partition(cluster, settings, topic):
    cluster.create_topic(topic, 3)
    send(cluster.bootstrap, topic, fleet(30))
    commit(cluster.bootstrap, settings.kafka_group, {(topic, 1): 4})
    cluster.delete_records(topic, 2, 3)
    found = probe(settings)
    high = [lag.high for lag in found]
    assert sum(high) == 30
    assert found == [
        PartitionLag(topic, 0, None, 0, high[0]),
        PartitionLag(topic, 1, 4, 0, high[1]),
        PartitionLag(topic, 2, None, 3, high[2]),
    ]
    assert [lag.behind for lag in found] == [high[0], high[1] - 4, high[2] - 3]


OFFSET_FETCH, NOT_COORDINATOR = 9, 16


def test_a_coordinator_that_is_still_moving_is_asked_again(own_cluster, settings, topic):
    own_cluster.create_topic(topic, 1)
    send(own_cluster.bootstrap, topic, fleet(5, partitions=1))
    here = settings.with_changes(kafka_bootstrap=own_cluster.bootstrap, kafka_timeout_seconds=5)
    own_cluster.push_errors(OFFSET_FETCH, *[NOT_COORDINATOR] * 4)
    assert [lag.behind for lag in probe(here)] == [5]
    own_cluster.push_errors(OFFSET_FETCH, *[NOT_COORDINATOR] * 200)
    with pytest.raises(UserError, match="does not answer as expected"):
        probe(here.with_changes(kafka_timeout_seconds=1))


def test_a_topic_that_does_not_exist_has_no_partitions_and_is_not_created(cluster, settings, topic):
    assert probe(settings) == []
    assert offsets_for_time(settings, 0) == {}
    assert probe(settings) == []


def test_a_broker_that_cannot_look_up_times_says_so(cluster, settings, topic):
    cluster.create_topic(topic, 2)
    assert offsets_for_time(settings, 0) == {(topic, 0): None, (topic, 1): None}


@pytest.mark.parametrize(
    ("lag", "start", "behind", "expired", "restarted"),
    [
        (PartitionLag("t", 0, None, 0, 9), 0, 9, None, False),
        (PartitionLag("t", 0, 4, 0, 9), 4, 5, None, False),
        (PartitionLag("t", 0, 9, 9, 9), 9, 0, None, False),
        (PartitionLag("t", 0, None, 5, 9), 5, 4, (0, 5), False),
        (PartitionLag("t", 0, 2, 5, 9), 5, 4, (2, 5), False),
        (PartitionLag("t", 0, 100, 0, 9), 0, 9, None, True),
    ],
)
def test_where_reading_goes_on(lag, start, behind, expired, restarted):
    assert (lag.start, lag.behind, lag.expired, lag.restarted) == (start, behind, expired, restarted)


def test_broker_down_is_one_clear_line(settings):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gone = settings.with_changes(kafka_bootstrap=f"127.0.0.1:{port}", kafka_timeout_seconds=1)
    for ask in (probe, lambda s: offsets_for_time(s, 0)):
        with pytest.raises(
            UserError, match=rf"Kafka at 127.0.0.1:{port} does not answer.*EV_KAFKA_BOOTSTRAP"
        ) as raised:
            ask(gone)
        assert "\n" not in str(raised.value)


def test_a_broker_that_accepts_and_never_answers(settings):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with pytest.raises(UserError, match="does not answer"):
            probe(settings.with_changes(kafka_bootstrap=f"127.0.0.1:{port}", kafka_timeout_seconds=1))


def test_no_broker_set(settings):
    with pytest.raises(UserError, match="EV_KAFKA_BOOTSTRAP"):
        probe(settings.with_changes(kafka_bootstrap=""))


@pytest.mark.parametrize(
    "options", [{"no.such": "s3cret"}, {"security.protocol": "s3cret"}, {"fetch.wait.max.ms": "s3cret"}]
)
def test_a_refused_option_is_named_and_its_value_never_shown(settings, options):
    with pytest.raises(SettingError, match=next(iter(options)).replace(".", r"\.")) as raised:
        probe(settings.with_changes(kafka_options=options))
    assert "s3cret" not in str(raised.value)


def test_options_cannot_switch_off_what_correctness_needs(settings):
    unsafe = {"enable.auto.commit": "true", "auto.offset.reset": "earliest", "isolation.level": "read_uncommitted"}
    config = kafka.client_config(settings.with_changes(kafka_options=unsafe | {"fetch.wait.max.ms": "7"}))
    assert config["enable.auto.commit"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["isolation.level"] == "read_committed"
    assert config["fetch.wait.max.ms"] == "7"


def test_a_failing_answer_is_retried_inside_the_deadline(own_cluster, settings, topic):
    own_cluster.create_topic(topic, 1)
    send(own_cluster.bootstrap, topic, [Sent(b"x")])
    own_cluster.push_errors(LIST_OFFSETS, 7)  # REQUEST_TIMED_OUT
    assert [lag.high for lag in probe(settings.with_changes(kafka_bootstrap=own_cluster.bootstrap))] == [1]


def test_a_commit_that_nobody_answers_ends_in_time(own_cluster, settings, topic):
    here = settings.with_changes(kafka_bootstrap=own_cluster.bootstrap, kafka_timeout_seconds=1)
    own_cluster.create_topic(topic, 1)
    client = kafka.open_consumer(here)
    assert kafka.commit(client, here, {(topic, 0): 0}) is None
    own_cluster.push_errors(OFFSET_COMMIT, 22)
    assert "generation" in kafka.commit(client, here, {(topic, 0): 0})
    own_cluster.push_errors(OFFSET_COMMIT, DROP_CONNECTION)
    assert kafka.commit(client, here, {(topic, 0): 0}) is None  # asked again by itself
    own_cluster.down()
    assert kafka.commit(client, here, {(topic, 0): 0}) == "the broker did not answer in time"
    kafka.close(client)

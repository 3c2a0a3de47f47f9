"""The reader ends every range: at a message, at the end of the log, at transaction markers, at expired offsets."""

import threading
import time

import pytest
from confluent_kafka import Producer

from ev_platform.errors import UserError
from ev_platform.ingest import kafka
from ev_platform.ingest.offsets import Gap, OffsetRange
from ev_platform.ingest.reader import ConfluentReader
from ev_platform_tests.ingest.helpers import Sent, send


@pytest.fixture
def reader(settings):
    client = kafka.open_consumer(settings)
    yield ConfluentReader(client, settings)
    kafka.close(client)


def read_all(reader, ranges, limit=20):
    reader.assign(ranges)
    found = []
    deadline = time.monotonic() + limit
    while not reader.done:
        assert time.monotonic() < deadline, "the reader hangs"
        found += [(message.topic(), message.partition(), message.offset()) for message in reader.read()]
    return found


def test_exactly_the_range(cluster, reader, topic):
    cluster.create_topic(topic, 2)
    send(cluster.bootstrap, topic, [Sent(b"x", n % 2) for n in range(3000)])
    ranges = [OffsetRange(topic, 0, 10, 1200), OffsetRange(topic, 1, 1499, 1500)]
    found = read_all(reader, ranges)
    assert sorted(found) == [(topic, 0, n) for n in range(10, 1200)] + [(topic, 1, 1499)]
    assert [offset for _, partition, offset in found if partition == 0] == list(range(10, 1200))
    assert (reader.position((topic, 0)), reader.position((topic, 1))) == (1200, 1500)


def test_an_empty_range_is_done_at_once(cluster, reader, topic):
    cluster.create_topic(topic, 1)
    assert read_all(reader, [OffsetRange(topic, 0, 0, 0)]) == []
    assert read_all(reader, []) == []


def test_range_after_range_with_one_reader(cluster, reader, topic):
    """Rounds of a drain: what ended a partition in one round must not hold it back in the next."""
    cluster.create_topic(topic, 3)
    send(cluster.bootstrap, topic, [Sent(b"x", n % 3) for n in range(300)])
    for start in (0, 30, 60):
        found = read_all(reader, [OffsetRange(topic, partition, start, start + 30) for partition in range(3)])
        assert sorted(found) == [(topic, partition, n) for partition in range(3) for n in range(start, start + 30)]


def test_a_range_beyond_the_log_ends_with_the_log(cluster, reader, topic):
    cluster.create_topic(topic, 1)
    send(cluster.bootstrap, topic, [Sent(b"x")] * 5)
    assert len(read_all(reader, [OffsetRange(topic, 0, 2, 1000)])) == 3
    assert reader.position((topic, 0)) == 5


@pytest.mark.parametrize("end", [12, 8, 7, 4])
def test_a_range_that_ends_in_a_transaction_marker_does_not_hang(cluster, reader, topic, end):
    """Three transactions of three messages: offsets 3, 7 and 11 are markers, which no consumer is ever handed."""
    cluster.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": f"t{topic}", "log_level": 0})
    producer.init_transactions(10)
    for _ in range(3):
        producer.begin_transaction()
        for _ in range(3):
            producer.produce(topic, b"x", partition=0)
        producer.commit_transaction(10)
    found = read_all(reader, [OffsetRange(topic, 0, 0, end)])
    assert [offset for _, _, offset in found] == [offset for offset in range(end) if offset not in (3, 7, 11)]
    assert reader.position((topic, 0)) == end


def test_expired_before_the_first_fetch(cluster, reader, topic):
    cluster.create_topic(topic, 1)
    send(cluster.bootstrap, topic, [Sent(b"x")] * 20)
    cluster.delete_records(topic, 0, 8)
    assert read_all(reader, [OffsetRange(topic, 0, 3, 20)]) == [(topic, 0, n) for n in range(8, 20)]
    assert reader.expired == [Gap(topic, 0, 3, 7, "expired while it was read")]


def test_the_whole_range_expired(cluster, reader, topic):
    cluster.create_topic(topic, 1)
    send(cluster.bootstrap, topic, [Sent(b"x")] * 20)
    cluster.delete_records(topic, 0, 15)
    assert read_all(reader, [OffsetRange(topic, 0, 3, 10)]) == []
    assert reader.expired == [Gap(topic, 0, 3, 9, "expired while it was read")]
    assert reader.position((topic, 0)) == 10


def test_expired_in_the_middle(cluster, settings, topic):
    """Retention overtakes a slow reader: what is still there is read, what is gone is named, nothing is read twice."""
    cluster.create_topic(topic, 1)
    send(cluster.bootstrap, topic, [Sent(b"x" * 2000)] * 2000)
    slow = settings.with_changes(kafka_options={"queued.max.messages.kbytes": "64", "fetch.message.max.bytes": "16384"})
    client = kafka.open_consumer(slow)
    try:
        reader = ConfluentReader(client, slow)
        reader.assign([OffsetRange(topic, 0, 0, 2000)])
        found = [message.offset() for message in reader.read()]
        cluster.delete_records(topic, 0, 1500)
        deadline = time.monotonic() + 20
        while not reader.done:
            assert time.monotonic() < deadline
            found += [message.offset() for message in reader.read()]
    finally:
        kafka.close(client)
    gone = [offset for gap in reader.expired for offset in range(gap.first, gap.last + 1)]
    assert gone
    assert found + gone == sorted(found) + gone
    assert sorted(found + gone) == list(range(2000))


def test_start_beyond_a_log_that_was_created_again(cluster, reader, topic):
    cluster.create_topic(topic, 1)
    send(cluster.bootstrap, topic, [Sent(b"x")] * 5)
    assert read_all(reader, [OffsetRange(topic, 0, 50, 60)]) == []
    assert reader.expired == []


def test_a_broker_that_stops_answering(own_cluster, settings, topic):
    own_cluster.create_topic(topic, 1)
    send(own_cluster.bootstrap, topic, [Sent(b"x")] * 5)
    here = settings.with_changes(kafka_bootstrap=own_cluster.bootstrap, kafka_timeout_seconds=1)
    client = kafka.open_consumer(here)
    try:
        reader = ConfluentReader(client, here)
        own_cluster.down()
        with pytest.raises(UserError, match="nothing more was committed"):
            read_all(reader, [OffsetRange(topic, 0, 0, 5)])
    finally:
        kafka.close(client)


def test_a_broker_that_comes_back(own_cluster, settings, topic):
    own_cluster.create_topic(topic, 1)
    send(own_cluster.bootstrap, topic, [Sent(b"x")] * 5)
    here = settings.with_changes(kafka_bootstrap=own_cluster.bootstrap, kafka_timeout_seconds=10)
    client = kafka.open_consumer(here)
    back = threading.Timer(0.7, own_cluster.up)
    try:
        own_cluster.down()
        back.start()
        assert len(read_all(ConfluentReader(client, here), [OffsetRange(topic, 0, 0, 5)])) == 5
    finally:
        back.join()
        kafka.close(client)

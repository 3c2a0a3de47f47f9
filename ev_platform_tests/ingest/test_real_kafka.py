"""What only a real broker has: looking up times, living groups, real retention. Needs `make services`."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import dagster as dg
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ev_platform.commands.offsets import run_reset, run_set
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import raw_tesla
from ev_platform.engine.compaction import compact_day
from ev_platform.errors import UserError
from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import drain
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.lag import offsets_for_time, probe
from ev_platform.ingest.offsets import Gap
from ev_platform.ingest.positions import EXPIRED
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.ingest.helpers import (
    DAY_MS,
    T0,
    Sent,
    committed,
    fleet,
    identities,
    lake_objects,
    payload,
    send,
    vin,
)
from ev_platform_tests.services import service


@pytest.fixture
def real_topic(real_kafka):
    """A topic of its own with three partitions, deleted afterwards."""
    name = f"tesla_{uuid4().hex[:12]}_V"
    admin = AdminClient({"bootstrap.servers": real_kafka.bootstrap})
    config = {"retention.ms": "-1", "message.timestamp.type": "CreateTime"}
    admin.create_topics([NewTopic(name, 3, 1, config=config)])[name].result(30)
    yield name
    admin.delete_topics([name])[name].result(30)


@pytest.fixture
def real(real_kafka, real_topic, tmp_path):
    return Settings(
        _env_file=None,
        kafka_bootstrap=real_kafka.bootstrap,
        kafka_topics=(real_topic,),
        kafka_group=f"group_{real_topic}",
        lake_url=str(tmp_path / "lake"),
        state_dir=tmp_path / "state",
    )


def three_days(count=300):
    """A vehicle's messages arrive on their day, but some of the first day a day later."""
    messages = fleet(count, days=3)
    late = [Sent(payload(n % 5, "2026-11-01", n=1000 + n), n % 3, timestamp=T0 + DAY_MS + 3_600_000) for n in range(6)]
    return sorted([*messages, *late], key=lambda one: one.timestamp)


def materialize(settings, day):
    with dg.instance_for_test() as instance:
        platform = Platform(settings)
        result = dg.materialize([raw_tesla], partition_key=day, instance=instance, resources={"platform": platform})
        (event,) = result.asset_materializations_for_node("raw__tesla")
        return event.metadata["replayed"].value


def test_a_raw_day_is_read_again_by_materializing_its_partition(real, real_topic, real_kafka):
    send(real_kafka.bootstrap, real_topic, three_days())
    store = ObjectStore(real.lake)
    drain(real, store, None)
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        compact_day(real, store, day)
    before = {key: store.get(key) for key in store.keys("compressed")}
    stood = committed(real)
    lost = [key for key in before if "/2026/11/01/" in key]
    store.delete(lost)  # an accident
    assert not audit(store, stood).ok
    assert materialize(real, "2026-11-01") == 106  # the late ones too: everything from that midnight on is looked at
    assert committed(real) == stood
    assert {key.split("/")[2] for key in store.keys("temp")} == {"2026-11-01"}
    compact_day(real, store, "2026-11-01")
    assert {key: store.get(key) for key in store.keys("compressed")} == before
    assert audit(store, committed(real)).ok


def test_times_are_looked_up_per_partition(real, real_topic, real_kafka):
    send(real_kafka.bootstrap, real_topic, three_days())
    found = offsets_for_time(real, T0 + DAY_MS)
    on_first_day = [0, 0, 0]
    for one in three_days():
        on_first_day[one.partition] += one.timestamp < T0 + DAY_MS
    assert found == {(real_topic, p): n for p, n in enumerate(on_first_day)}
    assert set(offsets_for_time(real, T0 + 10 * DAY_MS).values()) == {None}
    run_reset(real, "2026-11-02", None, yes=True, why="")
    assert committed(real) == found
    assert {(g.topic, g.partition): g.last + 1 for g in known_gaps(ObjectStore(real.lake))} == found
    drain(real, ObjectStore(real.lake), None)
    assert audit(ObjectStore(real.lake), committed(real)).ok


def test_a_living_group_cannot_be_moved_and_an_empty_one_can(real, real_topic, real_kafka):
    send(real_kafka.bootstrap, real_topic, fleet(300))
    member = Consumer(
        {"bootstrap.servers": real_kafka.bootstrap, "group.id": real.kafka_group, "enable.auto.commit": False}
    )
    member.subscribe([real_topic])
    while not member.assignment():
        member.poll(0.2)
    with pytest.raises(UserError, match="refused to move"):
        run_set(real, {(real_topic, 0): 50}, yes=True, why="")
    assert known_gaps(ObjectStore(real.lake)) == []
    member.close()
    deadline = time.monotonic() + 60
    while committed(real)[real_topic, 0] != 50:
        try:
            run_set(real, {(real_topic, 0): 50}, yes=True, why="")
        except UserError:
            assert time.monotonic() < deadline
    assert [gap.last for gap in known_gaps(ObjectStore(real.lake))] == [49]


def test_what_the_broker_deleted_is_a_known_gap_and_told(real, real_topic, real_kafka):
    send(real_kafka.bootstrap, real_topic, fleet(300))
    store = ObjectStore(real.lake)
    admin = AdminClient({"bootstrap.servers": real_kafka.bootstrap})
    for future in admin.delete_records([TopicPartition(real_topic, 1, 40)]).values():
        future.result(30)
    told = []
    drain(real, store, None, lost=told.extend)
    assert told == known_gaps(store) == [Gap(real_topic, 1, 0, 39, EXPIRED)]
    assert audit(store, committed(real)).ok
    assert len(identities(store)) == 260
    assert all(lag.behind == 0 for lag in probe(real))


def test_headers_of_a_real_broker(real, real_topic, real_kafka):
    headers = [("txid", b"a-000000001"), ("receivedat", b"1793527200123"), ("odd", b"\xff")]
    send(real_kafka.bootstrap, real_topic, [Sent(payload(1), 0, vin(1).encode(), headers=headers)])
    store = ObjectStore(real.lake)
    drain(real, store, None)
    (line,) = [line for data in lake_objects(store).values() for line in data.splitlines() if line.startswith(b'{"_p"')]
    assert json.loads(line)["h"] == {"odd;base64": "/w==", "receivedat": "1793527200123", "txid": "a-000000001"}


@pytest.fixture
def secured(real, real_kafka):
    """The same broker over TLS with user and password; the topic is the same one."""
    facts = service("kafka")["secure"]
    options = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": facts["certificate"],
        "sasl.mechanism": "PLAIN",
        "sasl.username": facts["user"],
        "sasl.password": facts["password"],
    }
    return real.with_changes(kafka_bootstrap=facts["bootstrap"], kafka_options=options, kafka_timeout_seconds=5)


def test_a_broker_that_asks_for_tls_and_a_password_is_read_and_committed(secured, real_topic, real_kafka):
    send(real_kafka.bootstrap, real_topic, fleet(60))
    store = ObjectStore(secured.lake)
    report = drain(secured, store, None)
    assert report.records == 60
    assert sum(lag.behind for lag in probe(secured)) == 0
    assert audit(store, report.committed).ok


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sasl.password": "not-the-one"}, "Authentication failed"),
        ({"ssl.ca.location": ""}, "certificate verify failed"),
    ],
)
def test_a_refused_password_or_certificate_is_named_and_never_shown(secured, changed, said):
    wrong = secured.with_changes(kafka_options={k: v for k, v in (secured.kafka_options | changed).items() if v})
    with pytest.raises(UserError, match=said) as raised:
        probe(wrong)
    for secret in (secured.kafka_options["sasl.password"], "not-the-one"):
        assert secret not in str(raised.value)

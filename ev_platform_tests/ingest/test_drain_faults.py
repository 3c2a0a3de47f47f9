"""A drain whose lake or broker fails: nothing is committed, one clear line, and the next drain completes it."""

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from ev_platform.errors import UserError
from ev_platform.ingest import uploads as uploads_module
from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import Drain, drain
from ev_platform_tests.ingest.helpers import (
    committed,
    filled,
    fleet,
    identities,
    lake_objects,
    vin,
)


@pytest.fixture(autouse=True)
def fast_retries(monkeypatch):
    monkeypatch.setattr(uploads_module, "_FIRST_PAUSE_SECONDS", 0.001)


class FailingPuts(Drain):
    failures = 10**9
    error: Exception = GenericError("503 Service Unavailable\nwith a second line")

    def put(self, key, data):
        if key.startswith("temp/") and vin(3) in key and self.failures > 0:
            self.failures -= 1
            raise self.error
        super().put(key, data)


@pytest.mark.parametrize(
    "error", [GenericError("503 Slow\nmore"), PermissionDeniedError("403"), OSError(28, "No space")]
)
def test_a_lake_that_cannot_be_written(cluster, settings, store, topic, error):
    filled(cluster, topic, fleet(300))
    failing = FailingPuts(settings, store)
    failing.error = error
    with pytest.raises(UserError, match=r"cannot be written .*EV_LAKE_URL.*nothing more was committed") as raised:
        failing.run(None)
    assert "\n" not in str(raised.value)
    assert committed(settings) == dict.fromkeys(committed(settings))
    assert store.keys("ops") == []
    drain(settings, store, None)
    assert audit(store, committed(settings)).ok
    assert len(set(identities(store))) == 300


def test_hopeless_errors_are_not_repeated(cluster, settings, store, topic):
    filled(cluster, topic, fleet(30))
    failing = FailingPuts(settings, store)
    failing.error, failing.failures = PermissionDeniedError("403"), 1
    with pytest.raises(UserError):
        failing.run(None)


def test_passing_errors_are_repeated(cluster, settings, store, topic):
    filled(cluster, topic, fleet(300))
    failing = FailingPuts(settings, store)
    failing.failures = 4
    report = failing.run(None)
    assert (report.records, report.retries) == (300, 4)
    assert audit(store, committed(settings)).ok


@pytest.mark.parametrize("what", ["ops/offsets", "ops/gaps"])
def test_a_receipt_that_cannot_be_written(cluster, settings, store, topic, what):
    filled(cluster, topic, fleet(300))
    cluster.delete_records(topic, 0, 5)

    class NoReceipt(Drain):
        def put(self, key, data):
            if key.startswith(what):
                raise OSError(28, "No space left on device")
            super().put(key, data)

    with pytest.raises(UserError, match="cannot be written"):
        NoReceipt(settings, store).run(None)
    assert committed(settings) == dict.fromkeys(committed(settings))


def test_a_broker_that_goes_down_while_reading(own_cluster, settings, store, topic):
    here = settings.with_changes(kafka_bootstrap=own_cluster.bootstrap, kafka_timeout_seconds=1)
    filled(own_cluster, topic, fleet(3000, 12), 12)

    class Down(Drain):
        def read(self, reader, *more):
            reader.read()
            own_cluster.down()
            super().read(reader, *more)

    slow = here.with_changes(kafka_options={"queued.min.messages": "1", "fetch.message.max.bytes": "1024"})
    with pytest.raises(UserError, match="does not answer"):
        Down(slow, store).run(None)
    own_cluster.up()
    again = here.with_changes(kafka_timeout_seconds=10)
    assert committed(again) == dict.fromkeys(committed(again))
    assert drain(again, store, None).records == 3000
    assert audit(store, committed(again)).ok


def test_a_broker_that_goes_down_before_the_commit(own_cluster, settings, store, topic):
    here = settings.with_changes(kafka_bootstrap=own_cluster.bootstrap, kafka_timeout_seconds=1)
    filled(own_cluster, topic, fleet(300))

    class Down(Drain):
        def write_receipt(self, ledger):
            super().write_receipt(ledger)
            own_cluster.down()

    with pytest.raises(UserError, match="does not answer"):
        Down(here, store).run(None)
    before = lake_objects(store)
    own_cluster.up()
    again = here.with_changes(kafka_timeout_seconds=10)
    assert drain(again, store, None).records == 300
    assert lake_objects(store) == before
    assert audit(store, committed(again)).ok

"""The Prometheus endpoint of a running service, read as Prometheus reads it."""

import socket
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ev_platform.errors import UserError
from ev_platform.ingest.metrics import serve_metrics
from ev_platform.ingest.report import LATENCY_SECONDS, DrainReport, latency_bucket
from ev_platform.lake.requests import MONTH_SECONDS, Requests, cost_usd, month_usd
from ev_platform_tests.ingest.helpers import commit, filled, fleet
from ev_platform_tests.ingest.test_service import all_committed, eventually, quick, running  # noqa: F401
from services.process import free_port


def scrape(port):
    text = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def lag(found):
    return sum(value for (name, *_), value in found.items() if name == "ev_ingest_lag_messages")


def test_the_figures_of_a_running_service(cluster, quick, store, topic):  # noqa: F811
    messages = fleet(300)
    messages[7].value, messages[8].value = b"bad", None
    filled(cluster, topic, messages)
    commit(cluster.bootstrap, quick.kafka_group, {(topic, 0): 5})
    port = free_port()
    with running(quick, store) as one:
        close = serve_metrics(one.service, "127.0.0.1", port)
        eventually(all_committed(quick, 300), one)
        eventually(lambda: lag(scrape(port)) == 0, one)
        found = scrape(port)
        close()
    total = {name: value for (name, *labels), value in found.items() if not labels}
    assert total["ev_ingest_messages_total"] == 295
    assert total["ev_ingest_tombstones_total"] == 1
    assert found["ev_ingest_dead_letters_total", ("reason", "not_json")] == 1
    flushes = sum(value for (name, *_), value in found.items() if name == "ev_ingest_flushes_total")
    assert flushes == total["ev_ingest_objects_total"]
    assert total["ev_ingest_first_message_to_durable_seconds_count"] == total["ev_ingest_objects_total"]
    assert found["ev_ingest_requests_total", ("kind", "PUT")] > total["ev_ingest_objects_total"]
    assert total["ev_ingest_requests_usd"] > 0
    assert total["ev_ingest_requests_usd_per_month"] > total["ev_ingest_requests_usd"]
    assert total["ev_ingest_commit_errors_total"] == total["ev_ingest_paused"] == 0
    assert found["ev_ingest_committed_offset", ("partition", "1"), ("topic", topic)] == 90


def test_a_port_in_use_is_one_clear_line():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(UserError, match=f"EV_METRICS_PORT={port}"):
            serve_metrics(None, "127.0.0.1", port)


def test_latency_buckets():
    report = DrainReport()
    for seconds in (0.05, 0.1, 0.2, 29, 10_000):
        report.stored_after(seconds)
    assert report.latency == {"≤ 0.1 s": 2, "≤ 0.5 s": 1, "≤ 30 s": 1, "> 600 s": 1}
    assert [latency_bucket(bound) for bound in LATENCY_SECONDS] == [f"≤ {bound:g} s" for bound in LATENCY_SECONDS]


def test_the_bill():
    requests = Requests()
    requests.add("PUT", 1_000_000)
    requests.add("GET", 1_000_000)
    assert cost_usd(requests.counts()) == pytest.approx(5.4)
    assert month_usd(requests.counts(), MONTH_SECONDS / 2) == pytest.approx(10.8)

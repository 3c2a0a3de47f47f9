"""The figures of the service for Prometheus, http://EV_METRICS_HOST:EV_METRICS_PORT/metrics: shows, counts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ev_platform.errors import UserError
from ev_platform.ingest.report import LATENCY_SECONDS, latency_bucket
from ev_platform.ingest.service import Service
from ev_platform.lake.requests import cost_usd, month_usd


def serve_metrics(service: Service, host: str, port: int) -> Callable[[], None]:
    """Open the endpoint; returns what closes it.

    Raises:
        UserError: the port cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(ServiceCollector(service))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UserError(f"EV_METRICS_PORT={port} on {host} cannot be used: {error.strerror}") from error

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return close


class ServiceCollector(Collector):
    """All metrics of one service, read when somebody asks."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Every metric family."""
        yield from self._counters()
        yield from self._partitions()
        yield from self._gauges()
        yield self._latency()

    def _counters(self) -> Iterator[Metric]:
        report, figures = self._service.report, self._service.figures
        for name, text, value in (
            ("messages", "messages read", report.messages),
            ("records", "messages stored under a vehicle and day", report.records),
            ("tombstones", "messages without a value", report.tombstones),
            ("replayed_messages", "messages read again because they were not committed", report.replayed),
            ("objects", "objects written to temp/ and dead_letter/", report.objects),
            ("object_bytes", "their bytes", report.bytes),
            ("upload_retries", "uploads that had to be repeated", report.retries),
            ("commit_errors", "checkpoints that could not be written, told or committed", report.commit_errors),
            ("expired_messages", "offsets that expired before they were read", _expired(self._service)),
            ("rebalances", "partitions assigned or revoked", figures.rebalances),
            ("lost_assignments", "times the group went on without this member", figures.lost_assignments),
            ("broker_errors", "unexpected errors of the broker", figures.errors),
            ("pauses", "times reading paused at the memory limit", figures.pauses),
            ("paused_seconds", "seconds that reading was paused", figures.paused_seconds),
        ):
            yield CounterMetricFamily(f"ev_ingest_{name}", text, value=value)
        yield _labelled("flushes", "objects by what asked for them", "reason", report.flushes)
        yield _labelled("dead_letters", "messages that could not be read", "reason", report.dead_letters)
        yield _labelled("requests", "requests to the object store", "kind", self._service.store.requests.counts())

    def _partitions(self) -> Iterator[Metric]:
        figures = self._service.figures
        labels = ["topic", "partition"]
        for name, text, values in (
            ("lag_messages", "messages not committed", figures.lag_messages),
            ("lag_seconds", "age of the oldest message not committed", figures.lag_seconds),
            ("committed_offset", "next offset of the group", figures.committed),
        ):
            family = GaugeMetricFamily(f"ev_ingest_{name}", text, labels=labels)
            for (topic, partition), value in list(values.items()):
                family.add_metric([topic, str(partition)], value)
            yield family

    def _gauges(self) -> Iterator[Metric]:
        figures, report = self._service.figures, self._service.report
        counts = self._service.store.requests.counts()
        for name, text, value in (
            ("open_buffers", "buffers that hold lines", figures.open_buffers),
            ("buffered_bytes", "bytes of lines in open buffers", figures.buffered_bytes),
            ("in_flight_bytes", "bytes being written", figures.in_flight_bytes),
            ("oldest_buffer_seconds", "age of the oldest line that is in memory only", figures.oldest_seconds),
            ("paused", "1 while reading is paused at the memory limit", float(figures.paused)),
            ("requests_usd", "cost of the requests so far, S3 list price", cost_usd(counts)),
            ("requests_usd_per_month", "a month of such requests, S3 list price", month_usd(counts, report.seconds)),
        ):
            yield GaugeMetricFamily(f"ev_ingest_{name}", text, value=value)

    def _latency(self) -> Metric:
        counts, total = self._service.report.latency, 0
        buckets: list[tuple[str, float]] = []
        for bound in LATENCY_SECONDS:
            total += counts[latency_bucket(bound)]
            buckets.append((str(bound), total))
        total += counts[latency_bucket(LATENCY_SECONDS[-1] + 1)]
        family = HistogramMetricFamily(
            "ev_ingest_first_message_to_durable_seconds", "age of an object's first message when it became durable"
        )
        family.add_metric([], [*buckets, ("+Inf", total)], sum_value=self._service.report.latency_seconds)
        return family


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"ev_ingest_{name}", text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family


def _expired(service: Service) -> int:
    return sum(gap.last - gap.first + 1 for gap in service.report.gaps)

"""`ev doctor`: what is configured, whether it answers, and how far behind it is; one line each, no secret shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

from rich.console import Console

from ev_platform.energy.sources import load_sources
from ev_platform.energy.warehouse import open_warehouse
from ev_platform.errors import UserError
from ev_platform.ingest.audit import audit
from ev_platform.ingest.breaker import stopped
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.group import members
from ev_platform.ingest.lag import probe
from ev_platform.lake.live_store import open_live_store
from ev_platform.lake.registry import read_vehicles
from ev_platform.lake.store import ObjectStore
from ev_platform.providers.connect import PROVIDERS
from ev_platform.providers.doctor import provider_lines
from ev_platform.settings import Settings


def check_lake(settings: Settings) -> Iterator[str]:
    """Write, compare-and-swap, read, list and delete one small object."""
    store = ObjectStore(settings.lake)
    probe_key = f"ops/doctor-{uuid4().hex}.probe"  # two doctors at once must not meet
    store.put(probe_key, b"1")
    version = store.read(probe_key).version
    swapped, refused = store.swap(probe_key, b"2", version), not store.swap(probe_key, b"3", version)
    listed = probe_key in store.keys("ops")
    store.delete([probe_key])
    if not (swapped and refused and listed):
        raise UserError("the store does not honour conditional writes (If-Match): compaction would not be safe on it")
    yield f"lake {settings.lake}: read, write, list, delete and compare-and-swap work"


def check_kafka(settings: Settings) -> Iterator[str]:
    """Lag per topic of the consumer group."""
    if not settings.kafka_bootstrap:
        yield "kafka: EV_KAFKA_BOOTSTRAP is not set; `ev demo` and `ev up` bring an embedded broker"
        return
    if settings.kafka_options:
        yield "kafka options: " + ", ".join(f"{name}={value}" for name, value in settings.shown_kafka_options.items())
    lags = probe(settings)
    if alive := members(settings):
        yield f"kafka: the ingest service runs, {alive} in the group {settings.kafka_group}; drains wait"
    found = {lag.topic for lag in lags}
    for topic in settings.kafka_topics:
        mine = [lag for lag in lags if lag.topic == topic]
        behind = sum(lag.behind for lag in mine)
        yield (
            f"kafka {topic}: {len(mine)} partitions, lag {behind}"
            if topic in found
            else f"kafka {topic}: no such topic yet"
        )


def check_reading(settings: Settings) -> Iterator[str]:
    """Whether the circuit breaker holds reading back, and what was lost for good."""
    store = ObjectStore(settings.lake)
    why = stopped(store, settings, time.time())
    if why is not None:
        raise UserError(why)
    gaps = known_gaps(store)
    offsets = sum(gap.last - gap.first + 1 for gap in gaps)
    yield "circuit breaker: closed" + (f"; {offsets} offsets in known gaps (`ev offsets show`)" if gaps else "")


def check_registry(settings: Settings) -> Iterator[str]:
    """The vehicle registry file."""
    vehicles = read_vehicles(settings.vehicles_file)
    yield f"registry: {vehicles.num_rows} vehicles" + (
        "" if settings.vehicles_file else " (EV_VEHICLES_FILE is not set)"
    )


def check_providers(settings: Settings) -> Iterator[str]:
    """Each polled provider: configured, reachable, quota left; one that fails does not hide the others."""
    store, wrong = ObjectStore(settings.lake), []
    for name in PROVIDERS:
        try:
            yield from provider_lines(settings, store, name, ask=True)
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("; ".join(wrong))


def check_audit(settings: Settings) -> Iterator[str]:
    """Count every offset below the committed one in the whole lake: stored, dead letter, tombstone or known gap."""
    committed = {}
    if settings.kafka_bootstrap:
        committed = {(lag.topic, lag.partition): lag.committed for lag in probe(settings)}
    report = audit(ObjectStore(settings.lake), committed)
    if not report.ok:
        raise UserError(str(report).replace("\n", "; "))
    yield f"audit: {report}, {report.stored} messages stored"


def check_live_store(settings: Settings) -> Iterator[str]:
    """The live store answers."""
    store = open_live_store(settings)
    store.position("doctor", "probe")
    store.close()
    yield f"live store: {urlsplit(settings.live_store).scheme or settings.live_store}"


def check_energy(settings: Settings) -> Iterator[str]:
    """The energy sources can be read, the warehouse answers; portals are not asked."""
    sources = load_sources(settings.energy_sources)
    hosts = sorted({urlsplit(source.base_url).hostname or "" for source in sources.values()})
    yield f"energy: {len(sources)} sources on {', '.join(hosts)}"
    warehouse = open_warehouse(settings)
    warehouse.probe()
    yield f"warehouse: {warehouse.kind}"


CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (
    check_lake,
    check_kafka,
    check_reading,
    check_registry,
    check_providers,
    check_live_store,
    check_energy,
)


def run_doctor(settings: Settings, *, whole_lake: bool) -> int:
    """Print one line per finding; 1 if any check failed. `whole_lake`: audit all of it too (reads every object)."""
    console = Console(soft_wrap=True)
    console.print(f"days from {settings.start_day}, state in {settings.state_dir}, engine {settings.engine}")
    failed = 0
    for check in (*CHECKS, check_audit) if whole_lake else CHECKS:
        try:
            for line in check(settings):
                console.print(f"[green]ok[/green]    {settings.masked(line)}")
        except Exception as error:  # whatever a client library raises: the doctor's answer is a line
            failed += 1
            console.print(f"[red]wrong[/red] {settings.masked(str(error).splitlines()[0])}", markup=True)
    return 1 if failed else 0

"""`ev doctor`: what is configured, whether it answers, and how far behind it is; one line each, no secret shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console

from ev_platform.errors import UserError
from ev_platform.ingest.lag import probe
from ev_platform.lake.registry import read_vehicles
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

PROBE_KEY = "ops/doctor.probe"


def check_lake(settings: Settings) -> Iterator[str]:
    """Write, compare-and-swap, read, list and delete one small object."""
    store = ObjectStore(settings.lake)
    store.put(PROBE_KEY, b"1")
    version = store.read(PROBE_KEY).version
    swapped, refused = store.swap(PROBE_KEY, b"2", version), not store.swap(PROBE_KEY, b"3", version)
    listed = PROBE_KEY in store.keys("ops")
    store.delete([PROBE_KEY])
    if not (swapped and refused and listed):
        raise UserError("the store does not honour conditional writes (If-Match): compaction would not be safe on it")
    yield f"lake {settings.lake}: read, write, list, delete and compare-and-swap work"


def check_kafka(settings: Settings) -> Iterator[str]:
    """Lag per topic of the consumer group."""
    if not settings.kafka_bootstrap:
        yield "kafka: EV_KAFKA_BOOTSTRAP is not set; `ev demo` and `ev up` bring an embedded broker"
        return
    lags = probe(settings)
    found = {lag.topic for lag in lags}
    for topic in settings.kafka_topics:
        mine = [lag for lag in lags if lag.topic == topic]
        behind = sum(lag.behind for lag in mine)
        yield (
            f"kafka {topic}: {len(mine)} partitions, lag {behind}"
            if topic in found
            else f"kafka {topic}: no such topic yet"
        )


def check_registry(settings: Settings) -> Iterator[str]:
    """The vehicle registry file."""
    vehicles = read_vehicles(settings.vehicles_file)
    yield f"registry: {vehicles.num_rows} vehicles" + (
        "" if settings.vehicles_file else " (EV_VEHICLES_FILE is not set)"
    )


CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (check_lake, check_kafka, check_registry)


def run_doctor(settings: Settings) -> int:
    """Print one line per finding; 1 if any check failed."""
    console = Console(soft_wrap=True)
    console.print(f"days from {settings.start_day}, state in {settings.state_dir}, engine {settings.engine}")
    failed = 0
    for check in CHECKS:
        try:
            for line in check(settings):
                console.print(f"[green]ok[/green]    {line}")
        except (UserError, OSError, RuntimeError) as error:
            failed += 1
            console.print(f"[red]wrong[/red] {str(error).splitlines()[0]}", markup=True)
    return 1 if failed else 0

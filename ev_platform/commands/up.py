"""`ev up`: the live stack on this machine, each part a child that cannot outlive it; Ctrl-C stops all of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic

import pyarrow as pa
import pyarrow.csv as pacsv
from rich.console import Console

from ev_platform.commands.child import start_child, stop_child
from ev_platform.commands.dashboard import dashboard_command, installed
from ev_platform.commands.demo import FIRST_DAY, demo_scenario
from ev_platform.commands.instance import exclusive, laptop_instance, open_instance, shared_lake
from ev_platform.errors import UserError
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform.settings import Settings
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.truth import registry

LIVE_SEED = 2
LIVE_VEHICLES = 12
LIVE_HISTORY = timedelta(days=2)
"""How long the live fleet has driven before its first start: a day older than yesterday is made at once."""

READY_SECONDS = 120.0


def run_up(settings: Settings) -> int:
    """Start everything, print the URLs, wait for Ctrl-C or SIGTERM; 1 if a part ended by itself."""
    console = Console()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with exclusive(settings), ExitStack() as stack:
        if not settings.kafka_bootstrap:
            settings, scenario = _embedded(settings, stack)
        else:
            scenario = None
        settings.activate()
        _prepare(settings)
        children: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(lambda: [stop_child(child) for child in children.values()])
        for name, command in _commands(settings, scenario).items():
            children[name] = start_child(command, _log(settings, name), settings.child_environment())
        url = f"http://127.0.0.1:{settings.ui_port}"
        if not _wait_until_ready(url, children, stop):
            dead = [name for name, child in children.items() if child.poll() is not None] or ["webserver"]
            raise UserError(f"{dead[0]} did not start, see {_log(settings, dead[0])}")
        _print_addresses(console, settings, scenario)
        console.print("Ctrl-C stops all of it")
        while not stop.wait(1.0):
            for name, child in children.items():
                if child.poll() is not None:
                    raise UserError(f"{name} ended by itself, see {_log(settings, name)}")
    return 0


def _prepare(settings: Settings) -> None:
    """Make the instance's databases, which several processes at once cannot, and the vehicle registry."""
    from ev_platform.commands.requests import Requests
    from ev_platform.definitions import defs as load_definitions
    from ev_platform.defs.platform import Platform
    from ev_platform.defs.ref.assets import VEHICLES_KEY

    shared_lake(settings)
    opened = open_instance if settings.dagster_home_dir else laptop_instance
    with opened(settings) as instance:
        requests = Requests(load_definitions(), instance, Platform(settings), settings.dagster_home / "automation.json")
        requests.materialize([VEHICLES_KEY])


def _print_addresses(console: Console, settings: Settings, scenario: Scenario | None) -> None:
    rows = {"Dagster UI (Dagit)": f"http://127.0.0.1:{settings.ui_port}"}
    without = "not installed: pip install --require-hashes -r requirements-dashboard.lock"
    rows["dashboard"] = f"http://127.0.0.1:{settings.dashboard_port}" if installed() else without
    rows["lake"] = settings.lake
    rows |= {"logs": f"{settings.state_dir}/logs", "Kafka": settings.kafka_bootstrap}
    if scenario is not None:
        rows["simulated fleet"] = f"{scenario.vehicles} vehicles on topic {scenario.topic}"
    for name, value in rows.items():
        console.print(f"{name:20}{value}", soft_wrap=True)


def _embedded(settings: Settings, stack: ExitStack) -> tuple[Settings, Scenario]:
    """A broker and a simulated fleet of its own, whose first day is kept: a new broker gets the same sequence again."""
    folder = settings.state_dir.expanduser().resolve() / "fleet"
    folder.mkdir(parents=True, exist_ok=True)
    memory = folder / "fleet.json"
    if not memory.exists():
        memory.write_text(json.dumps({"first_day": (datetime.now(UTC).date() - LIVE_HISTORY).isoformat()}))
    first_day = date.fromisoformat(json.loads(memory.read_text())["first_day"])
    scenario = Scenario(seed=LIVE_SEED, vehicles=LIVE_VEHICLES, first_day=first_day)
    file = folder / "vehicles.csv"
    pacsv.write_csv(pa.concat_tables([registry(demo_scenario().fleet), registry(scenario.fleet)]), file)
    live = settings.with_changes(
        kafka_bootstrap=stack.enter_context(EmbeddedBroker()).bootstrap,
        kafka_topics=(scenario.topic,),
        start_day=FIRST_DAY,
        vehicles_file=str(file),
        dagster_home_dir=None,
    )
    return live, scenario


def _commands(settings: Settings, scenario: Scenario | None) -> dict[str, list[str]]:
    module = ["-m", "ev_platform.definitions"]
    python = [sys.executable, "-m"]
    commands = {
        "webserver": [*python, "dagster_webserver", "-h", "127.0.0.1", "-p", str(settings.ui_port), *module],
        "daemon": [*python, "dagster._daemon", "run", *module],
    }
    commands["telematics"] = [*python, "ev_platform.cli", "telematics", "live", "--every", "2"]
    if installed():
        commands["dashboard"] = dashboard_command(settings)
    if scenario is not None:
        day = scenario.first_day.isoformat()
        fleet = ["--from", day, "--seed", str(scenario.seed), "--vehicles", str(scenario.vehicles), "--real-time"]
        commands["simulate"] = [*python, "ev_platform.cli", "simulate", *fleet]
    return commands


def _log(settings: Settings, name: str) -> Path:
    return settings.state_dir.expanduser().resolve() / "logs" / f"{name}.log"


def _wait_until_ready(url: str, children: dict[str, subprocess.Popen[bytes]], stop: threading.Event) -> bool:
    deadline = monotonic() + READY_SECONDS
    while monotonic() < deadline and not stop.wait(0.5):
        if any(child.poll() is not None for child in children.values()):
            return False
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=2):  # noqa: S310 - our own loopback address
                return True
        except (urllib.error.URLError, OSError):
            continue
    return stop.is_set()

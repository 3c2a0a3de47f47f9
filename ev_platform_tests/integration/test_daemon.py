"""A real daemon, webserver and code location: sensor → run → materialization, a schedule tick, a backfill, a kill."""

import json
import os
import signal
import socket
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from ev_platform.commands.child import start_child, stop_child
from ev_platform.commands.instance import laptop_instance
from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY
from ev_platform.defs.raw.assets import RAW_TESLA
from ev_platform.defs.results.assets import SESSIONS_KEY
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform.ingest.lag import probe
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import load_settings
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.scenario import Scenario
from ev_platform_tests.integration.fast_definitions import HELD, HOLD

pytestmark = pytest.mark.integration  # one file, one worker: --dist loadfile

FIRST = datetime.now(UTC).date() - timedelta(days=2)
DAYS = [(FIRST + timedelta(days=n)).isoformat() for n in range(2)]
MIDNIGHTS = [datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=n + 1) for n in range(2)]
PATIENCE_SECONDS = 150
MODULE = "ev_platform_tests.integration.fast_definitions"


class Stack:
    """Broker, daemon and webserver on a state folder of their own."""

    def __init__(self, folder: Path, broker: EmbeddedBroker) -> None:
        scenario = Scenario(seed=5, vehicles=3, first_day=FIRST)
        self.settings = load_settings(
            lake_url=str(folder / "lake"),
            state_dir=folder / "state",
            start_day=FIRST,
            kafka_bootstrap=broker.bootstrap,
            kafka_topics=(scenario.topic,),
        )
        self.feed = Feed(broker.bootstrap, scenario, self.settings.kafka_group, {})
        with laptop_instance(self.settings):
            pass  # makes the databases, which several processes at once cannot
        self.logs = folder / "logs"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = self.settings.child_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])}
        self.children = [
            start_child([sys.executable, "-m", *command, "-m", MODULE], self.logs / f"{command[0]}.log", environment)
            for command in (
                ["dagster._daemon", "run"],
                ["dagster_webserver", "-h", "127.0.0.1", "-p", str(self.port)],
            )
        ]

    def produce(self, until: datetime) -> int:
        messages = 0
        while not (step := self.feed.advance(until)).reached:
            messages += step.messages
        return messages + step.messages

    def wait(self, what, condition):
        """Poll until the condition gives a true value; a daemon that died or took too long fails with its log."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if value := condition():
                return value
            if any(child.poll() is not None for child in self.children):
                break
            time.sleep(0.5)
        logs = "\n".join(path.read_text()[-4000:] for path in self.logs.glob("*.log"))
        pytest.fail(f"waited in vain for {what}\n{self.story()}\n{logs}")

    def story(self):
        """Every run with its day, what asked for it, and the checks and steps of it that failed."""
        lines = []
        with dg.DagsterInstance.from_config(str(self.settings.dagster_home)) as instance:
            for record in reversed(instance.get_run_records()):
                run = record.dagster_run
                tags = {k.removeprefix("dagster/"): v for k, v in run.tags.items() if "grpc" not in k}
                lines.append(f"{record.create_timestamp:%H:%M:%S} {run.job_name} {run.status.value} {tags}")
                for entry in instance.all_logs(run.run_id):
                    event = entry.dagster_event
                    if event and ("FAIL" in event.event_type_value or " did not pass" in (event.message or "")):
                        lines.append(f"    {event.event_type_value} {event.message} {event.event_specific_data}"[:600])
        return "\n".join(lines)

    def graphql(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())["data"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with EmbeddedBroker() as broker:
        stack = Stack(tmp_path_factory.mktemp("daemon"), broker)
        yield stack
        for child in stack.children:
            stop_child(child)


@pytest.fixture(scope="module")
def instance(stack):
    with dg.DagsterInstance.from_config(str(stack.settings.dagster_home)) as instance:
        yield instance


def made(instance, key):
    return instance.get_materialized_partitions(key)


def instigators_that_requested(instance):
    """Names of the sensors and schedules whose ticks asked for runs, after checking that no tick failed."""
    states = instance.all_instigator_state()
    ticks = [tick for state in states for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)]
    assert not [tick.error for tick in ticks if tick.error]
    return {tick.instigator_name for tick in ticks if tick.run_ids}


def test_sensor_run_materialization_and_an_older_day_is_made_at_once(stack, instance):
    assert stack.produce(MIDNIGHTS[0]) > 0
    stack.wait("raw/tesla", lambda: DAYS[0] in made(instance, RAW_TESLA))
    stack.wait("the drain to commit everything", lambda: all(lag.behind == 0 for lag in probe(stack.settings)))
    stack.wait("the automation", lambda: DAYS[0] in made(instance, SESSIONS_KEY))
    assert ObjectStore(stack.settings.lake).keys(f"compressed/{DAYS[0].replace('-', '/')}")
    asked = instigators_that_requested(instance)
    assert "kafka_lag" in asked
    assert asked & {"late_data", "nightly"}  # whichever ticked first


def test_a_killed_drain_is_followed_by_another_that_loses_nothing(stack, instance):
    hold, held = (stack.settings.state_dir / name for name in (HOLD, HELD))
    hold.touch()
    assert stack.produce(MIDNIGHTS[1]) > 0
    pid = int(stack.wait("a drain that stored its messages", lambda: held.exists() and held.read_text()))
    (killed,) = instance.get_runs(dg.RunsFilter(job_name="drain", statuses=[dg.DagsterRunStatus.STARTED]))
    os.kill(pid, signal.SIGKILL)
    hold.unlink()
    stack.wait("the killed run to be seen", lambda: instance.get_run_by_id(killed.run_id).is_finished)
    assert not instance.get_run_by_id(killed.run_id).is_success
    stack.wait("the next drain", lambda: all(lag.behind == 0 for lag in probe(stack.settings)))
    stack.wait("its materialization", lambda: DAYS[1] in made(instance, RAW_TESLA))


def test_a_schedule_tick_makes_yesterday(stack, instance):
    stack.wait("the night", lambda: DAYS[1] in made(instance, SESSIONS_KEY))
    assert "nightly" in instigators_that_requested(instance)


def test_a_backfill_from_the_graph_over_a_range_is_one_run(stack, instance):
    assets = [{"path": list(key.path)} for key in (COMPRESSED_KEY, CLEANED_KEY)]
    answer = stack.graphql(
        "mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p)"
        " { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
        p={"assetSelection": assets, "partitionNames": DAYS},
    )["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    backfill = answer["backfillId"]

    def finished():
        found = instance.get_backfill(backfill)
        return found if found.status == BulkActionStatus.COMPLETED_SUCCESS else None

    stack.wait("the backfill", finished)
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))
    assert len(runs) == 1
    assert runs[0].tags["dagster/asset_partition_range_end"] == DAYS[1]
    assert runs[0].is_success

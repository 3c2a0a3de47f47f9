"""Scenarios that several tests read; made once. And mock brokers."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.wire import Message
from ev_platform_tests.simulate.cases import DAYS, FIRST, SEED, VEHICLES, Seen, read


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return Scenario(SEED, VEHICLES, FIRST)


@pytest.fixture(scope="session")
def messages(scenario: Scenario) -> list[Message]:
    return [message for day in DAYS for message in scenario.day_messages(day)]


@pytest.fixture(scope="session")
def seen(messages: list[Message]) -> list[Seen]:
    return read(messages)


@pytest.fixture(scope="session")
def clean_scenario() -> Scenario:
    return Scenario(SEED, VEHICLES, FIRST, faults=False)


@pytest.fixture(scope="session")
def clean_messages(clean_scenario: Scenario) -> list[Message]:
    return [message for day in DAYS for message in clean_scenario.day_messages(day)]


@pytest.fixture(scope="session")
def clean_seen(clean_messages: list[Message]) -> list[Seen]:
    return read(clean_messages)


@pytest.fixture
def new_broker() -> Iterator[Callable[[], str]]:
    """Starts a mock broker and returns its bootstrap; each call is a new, empty one."""
    hosts = []

    def start() -> str:
        host = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        hosts.append(host)
        brokers = host.list_topics(timeout=10).brokers.values()
        return ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    yield start
    hosts.clear()

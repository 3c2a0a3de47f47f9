"""The deployment files under test, read once, and what they are compared with."""

import copy
import re
import tomllib
from pathlib import Path

import yaml

from ev_platform.settings import FOREIGN, Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

_COMPOSE = yaml.safe_load((DOCKER / "docker-compose.yaml").read_text())


def compose():
    """A copy of the compose file that a test may break."""
    return copy.deepcopy(_COMPOSE)


def own_services(document):
    """The services that run this project's image."""
    return {name: service for name, service in document["services"].items() if "build" in service}


def settings_variables():
    """Environment variable of every setting, as `.env.example` shows it: EV_ and the name of the field."""
    return {f"EV_{name.upper()}": name for name in Settings.model_fields if name not in FOREIGN}


def env_example():
    """(variable, value, is commented out) of every line of `.env.example` that is or shows an assignment."""
    found = re.findall(r"^(# ?)?([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    return [(name, value, bool(mark)) for mark, name, value in found]


def instance_variables():
    """Variables that dagster.yaml reads from the environment."""
    return set(re.findall(r"\{env: (\w+)\}", (DOCKER / "dagster.yaml").read_text()))

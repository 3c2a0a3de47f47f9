"""The mixed fleet of the demo: it runs, its cars agree, a second run changes nothing, and a disagreement shows."""

import hashlib
import json
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import polars as pl
import pytest

from ev_platform.commands.demo_providers import TOLERANCES, differences
from ev_platform_tests.docker.files import ROOT

SCRIPT = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from rich.console import Console
from ev_platform.settings import load_settings
folder = Path(sys.argv[1])
settings = load_settings(lake_url=str(folder / "lake"), state_dir=folder / "state", start_day=date(2026, 11, 1))
settings.activate()
from ev_platform.commands.demo_providers import demo_providers
from ev_platform.commands.instance import laptop_instance
from ev_platform.commands.requests import Requests
from ev_platform.definitions import defs
from ev_platform.defs.platform import Platform
from ev_platform.defs.ref.assets import VEHICLES_KEY
with laptop_instance(settings) as instance:
    (folder / "state" / "demo").mkdir(parents=True, exist_ok=True)
    requests = Requests(defs(), instance, Platform(settings), folder / "state" / "demo" / "automation.json")
    requests.materialize([VEHICLES_KEY])
    requests.automation(datetime(2026, 11, 1, 0, 10, tzinfo=UTC))
    problems = demo_providers(Console(width=160), settings, requests)
    problems += requests.tally.failed_runs + requests.tally.checks_failed
print(problems or "all well", requests.tally.runs)
sys.exit(bool(problems))
"""


def files(folder):
    found = [path for path in sorted((folder / "lake").rglob("*")) if path.is_file() and ".locks" not in path.parts]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found if not path.name.startswith(".")}


def run(folder):
    code = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT), str(folder)]
    return subprocess.run(code, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.integration
def test_the_mixed_fleet_agrees_and_a_second_run_changes_no_byte(tmp_path):
    first = run(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    before = files(tmp_path)
    assert any("cleaned/" in name for name in before)
    polls = tmp_path / "state" / "demo" / "providers" / "polls.json"
    polls.write_text(json.dumps({"done": json.loads(polls.read_text())["done"] - 1}))  # killed before it noted the last
    second = run(tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert files(tmp_path) == before
    assert "standin-" not in first.stdout + first.stderr


def test_a_value_beyond_rounding_is_a_difference():
    time = datetime(2026, 11, 1, 12, tzinfo=UTC)
    row = {name: None for name in TOLERANCES}
    rows = pl.DataFrame(
        [
            {"vin": "A", "time": time, "provider": "bmw", **row, "soc_percent": 64.0, "odometer_km": 100.0},
            {"vin": "A", "time": time, "provider": "high_mobility", **row, "soc_percent": 64.4, "odometer_km": 162.1},
            {"vin": "B", "time": time, "provider": "high_mobility", **row, "soc_percent": 1.0},
        ],
        schema={
            "vin": pl.String,
            "time": pl.Datetime("us", "UTC"),
            "provider": pl.String,
            **dict.fromkeys(TOLERANCES, pl.Float64),
        },
    )
    found = differences(rows)
    assert found.height == 2
    assert found.filter(pl.col("difference") > pl.col("tolerance"))["signal"].to_list() == ["odometer_km"]

"""docs/scale.md is what the script computes."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("scale_plan", ROOT / "scripts" / "scale_plan.py")
scale_plan = importlib.util.module_from_spec(_spec)
sys.modules["scale_plan"] = scale_plan  # dataclasses look there
_spec.loader.exec_module(scale_plan)


def test_the_page_is_the_scripts():
    page = (ROOT / "docs" / "scale.md").read_text()
    assert scale_plan.rendered(page) == page
    assert scale_plan.rendered(page.replace("| shards |", "| shard |")) == page


def test_ten_times_the_vehicles_cost_ten_times_as_much():
    small, large = (scale_plan.plan(vehicles) for vehicles in (100_000, 1_000_000))
    for name in ("requests, USD/month", "its storage, USD/month", "messages/s, peak"):
        ours, theirs = (float(one[name].replace(",", "")) for one in (small, large))
        assert abs(theirs / ours - 10) < 0.2, name

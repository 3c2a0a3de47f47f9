"""Plans 10 k, 100 k and 1 M vehicles from measured unit costs, and writes the table of docs/scale.md.

`python scripts/scale_plan.py`. A test compares the page with this script's output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"
BEGIN, END = "<!-- plan -->", "<!-- end plan -->"
DAY_S = 86_400


@dataclass(frozen=True)
class Unit:
    """A measured or published number: what it is worth, what it is, where it comes from."""

    value: float
    what: str
    source: str


UNITS = {
    "messages": Unit(796_020 / 500, "messages of a vehicle and day", "bench chain: 796,020 of 500 vehicles"),
    "message_bytes": Unit(530, "bytes of a raw line", "bench compact: 422 MB of 796,020 messages"),
    "ingest": Unit(
        50_000, "messages/s of one drain or service, broker and store on the same two cores", "bench ingest"
    ),
    "peak": Unit(3.0, "busiest hour over the mean of the day", "assumption: commuters"),
    "compact_cpu_s": Unit(10.6 / 500, "CPU-s to compact a vehicle's day", "bench compact, 500 vehicles"),
    "clean_cpu_s": Unit(2.3 / 500, "CPU-s to clean and segment it", "bench clean_segment, 500 vehicles"),
    "rest_cpu_s": Unit(3.5 / 500, "CPU-s for sessions and all daily results", "bench chain less the two above"),
    "compressed_kb": Unit(85, "KB of a vehicle's compressed day", "bench compact"),
    "lake_kb": Unit(60, "KB of cleaned, segments and results of it", "bench clean_segment, demo"),
    "put": Unit(0.005 / 1000, "USD for a PUT or LIST", "S3 Standard us-east-1, list price 2026"),
    "get": Unit(0.0004 / 1000, "USD for a GET", "S3 Standard us-east-1, list price 2026"),
    "gb_month": Unit(0.023, "USD for a GB and month", "S3 Standard us-east-1, list price 2026"),
    "core_hour": Unit(0.048, "USD for a core-hour", "assumption: on-demand, general purpose"),
    "buffer": Unit(1_000, "messages of a raw object (EV_BUFFER_MAX_MESSAGES, flush by size)", "settings"),
    "tiny": Unit(
        610, "raw objects of a vehicle and day with flushes every 30 s (the default)", "measured on such a feed"
    ),
    "hours": Unit(2.0, "hours that the night's work may take", "assumption"),
}
FLEETS = (500, 10_000, 100_000, 1_000_000)


def plan(vehicles: int) -> dict[str, str]:
    """What a fleet of that size needs, by name."""
    unit = {name: one.value for name, one in UNITS.items()}
    daily = vehicles * unit["messages"]
    rate = daily / DAY_S * unit["peak"]
    objects = vehicles * math.ceil(unit["messages"] / unit["buffer"])
    core_s = vehicles * (unit["compact_cpu_s"] + unit["clean_cpu_s"] + unit["rest_cpu_s"])

    def requests(raw: float) -> float:
        """USD a day: raw objects written and read, a list, a swap and a read-back per vehicle."""
        return raw * (unit["put"] + unit["get"]) + vehicles * (2 * unit["put"] + 2 * unit["get"])

    stored_gb = vehicles * (unit["compressed_kb"] + unit["lake_kb"]) / 1e6
    return {
        "vehicles": f"{vehicles:,}",
        "messages/s, peak": f"{rate:,.0f}",
        "raw GB/day": f"{daily * unit['message_bytes'] / 1e9:,.0f}",
        "topic partitions, drains": f"{max(1, math.ceil(rate / unit['ingest'] * 2))}",
        "raw objects/day": f"{objects:,}",
        "core-hours/night": f"{core_s / 3600:,.1f}",
        "cores for 2 h": f"{max(1, math.ceil(core_s / 3600 / unit['hours'])):,}",
        "shards": f"{max(1, round(vehicles / 1000)):,}",
        "requests, USD/month": f"{requests(objects) * 30:,.0f}",
        "the same with flushes every 30 s": f"{requests(vehicles * unit['tiny']) * 30:,.0f}",
        "lake after a year, TB": f"{stored_gb * 365 / 1000:,.2f}",
        "its storage, USD/month": f"{stored_gb * 365 * unit['gb_month']:,.0f}",
        "compute, USD/month": f"{core_s / 3600 * unit['core_hour'] * 30:,.0f}",
    }


def table() -> str:
    """The plan and its units as Markdown."""
    plans = [plan(vehicles) for vehicles in FLEETS]
    lines = ["| | " + " | ".join(one["vehicles"] for one in plans) + " |", "|---|" + "---:|" * len(plans)]
    lines += [f"| {name} | " + " | ".join(one[name] for one in plans) + " |" for name in list(plans[0])[1:]]
    lines += ["", "| unit | value | from |", "|---|---:|---|"]
    lines += [f"| {unit.what} | {unit.value:,.4g} | {unit.source} |" for unit in UNITS.values()]
    return "\n".join(lines)


def rendered(page: str) -> str:
    """The page with this script's table."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
    print(table())

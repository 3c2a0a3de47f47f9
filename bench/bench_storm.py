"""The crash storm's summary as `make storm` left it; without one, a short storm of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.harness import Section, Target
from ev_platform_tests.storm.__main__ import SUMMARY

_SHORT = ["--seeds", "3", "--kills", "30"]


def sections() -> list[Section]:
    """Kills, messages, lost, doubled, per seed; and where the kills struck."""
    if not SUMMARY.exists():
        subprocess.run([sys.executable, "-m", "ev_platform_tests.storm", "--no-page", *_SHORT], check=True)
    found = json.loads(SUMMARY.read_text())
    columns = ("seed", "front", "lake", "kills", "messages", "stored", "lost", "doubled", "repeats dropped", "audit")
    rows = [{name: str(one[name]) for name in columns} for one in found["results"]]
    rows.append({name: str(found["control"][name]) for name in columns} | {"front": "control: commits what was read"})
    points = [{"killed": name, "times": str(n)} for name, n in sorted(found["points"].items())]
    total, lost = found["total"], found["control"]["lost"]
    targets = [
        Target("messages lost", str(total["lost"]), "0", total["lost"] == 0),
        Target("messages doubled", str(total["doubled"]), "0", total["doubled"] == 0),
        Target("messages the control loses", str(lost), "> 0", lost > 0),
    ]
    text = (
        f"{total['kills']} kills, {total['messages']} messages, {total['lost']} lost, {total['doubled']} doubled. "
        "Victims are killed at every step, then one clean run, compaction, and a count of every message in the Parquet "
        "files and by the audit. The S3 lake answers one request in twenty by 500, 503, a reset or not at all. "
        "Repeats dropped: records that the kills left twice in raw buffers. `make storm`"
    )
    return [Section("Crash storm", text, rows, targets), Section("Where the storm killed", "", points)]

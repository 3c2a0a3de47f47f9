"""`make storm`: the whole storm, its control, and what came of it in docs/benchmarks.md. Exit 1 if anything is lost."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ev_platform_tests.storm.rounds import Storm, quick_starts
from ev_platform_tests.storm.world import world

SUMMARY = Path(__file__).resolve().parents[2] / ".cache" / "storm" / "summary.json"
KINDS = ("CrashingService", "CrashingDrain")


def storm(seed: int, kills: int, folder: Path, kind: str = "", *, s3: bool | None = None) -> dict[str, Any]:
    """One seed: rounds of kills, one clean run, compaction, and the count of every message."""
    kind = kind or KINDS[seed % 3 == 2]
    began = time.monotonic()
    with world(seed, folder, s3=seed % 2 == 1 if s3 is None else s3) as place:
        one = Storm(place, kind)
        one.run(kills)
        one.finish("CrashingDrain" if "Drain" in kind else "CrashingService")
        return {
            "seed": seed,
            "front": kind,
            "lake": place.settings.lake.split(":")[0] if "://" in place.settings.lake else "folder",
            "kills": sum(one.kills.values()),
            "by": dict(one.kills),
            **place.count(),
            "seconds": round(time.monotonic() - began),
        }


def ok(result: dict[str, Any]) -> bool:
    """Whether every message is there once, and the audit says so too."""
    return not any(result[name] for name in ("lost", "doubled", "foreign", "left in temp/")) and (
        result["audit"] == "0 lost, 0 doubled"
    )


def main() -> int:
    """Run all seeds, then the control, which must lose something."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=6)
    options.add_argument("--kills", type=int, default=216, help="of all seeds together")
    options.add_argument("--no-page", action="store_true", help="leave docs/benchmarks.md alone")
    chosen = options.parse_args()
    quick_starts()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(chosen.seeds):
            results.append(storm(seed, -(-chosen.kills // chosen.seeds), Path(folder)))
            print(json.dumps(results[-1], ensure_ascii=False), flush=True)
        control = storm(1000, 12, Path(folder), "CommitsWhatWasRead", s3=False)
        print("control:", json.dumps(control, ensure_ascii=False), flush=True)
    points: Counter[str] = sum((Counter(result["by"]) for result in results), Counter())
    total = {name: sum(result[name] for result in results) for name in ("kills", "messages", "lost", "doubled")}
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps({"results": results, "control": control, "points": points, "total": total}))
    print(", ".join(f"{name} {n}" for name, n in sorted(points.items())))
    print(", ".join(f"{n} {name}" for name, n in total.items()), f"(control: {control['lost']} lost)")
    if not chosen.no_page:
        from bench.__main__ import update

        update(["storm"])
    return 0 if all(map(ok, results)) and control["lost"] > 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())

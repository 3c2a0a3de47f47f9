"""`python -m bench [name …]`: runs bench_<name>.py (all without names), prints and writes docs/benchmarks.md.

A run of some benches replaces only their parts of the page. Exit 1 if a target was missed.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import Section

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`; do not edit. CPU-seconds are those of the whole process tree. Machines differ and are shared:
the ratios between two rows of one section are the result, absolute rates only an order of magnitude.
"""


def _table(rows: Sequence[dict[str, str]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows)])


def render(section: Section) -> str:
    """One section as Markdown."""
    targets = [
        {"target": t.name, "measured": t.measured, "must be": t.wanted, "": "holds" if t.ok else "**missed**"}
        for t in section.targets
    ]
    parts = [f"## {section.title}", section.text, _table([dict(row) for row in section.rows]), _table(targets)]
    return "\n\n".join(part for part in parts if part)


def _known() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


def main() -> int:
    """Run the benches named on the command line, or all."""
    known = _known()
    wanted = sys.argv[1:] or known
    if unknown := set(wanted) - set(known):
        print(f"bench: no such bench: {', '.join(sorted(unknown))}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    return update(wanted)


def update(wanted: Sequence[str]) -> int:
    """Run these benches and replace their parts of the page; 1 if a target was missed."""
    known = _known()
    page = PAGE.read_text() if PAGE.exists() else ""
    parts = dict(re.findall(r"<!-- bench (\w+) -->\n(.*?)\n<!-- end \1 -->", page, re.DOTALL))
    missed = 0
    for name in wanted:
        sections = importlib.import_module(f"bench.bench_{name}").sections()
        missed += sum(not target.ok for section in sections for target in section.targets)
        machine = f"*{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}*"
        parts[name] = "\n\n".join([machine, *map(render, sections)])
        print(parts[name], flush=True)
        body = "\n\n".join(f"<!-- bench {n} -->\n{parts[n]}\n<!-- end {n} -->" for n in known if n in parts)
        PAGE.write_text(f"{HEAD}\n{body}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The notebooks run, and what they claim is asserted: one that no longer tells the truth fails. Rules link to them."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import ev_platform.eda
from ev_platform.eda import lab

ROOM = Path(ev_platform.eda.__file__).parent
RULES = ROOM.parent.parent / "docs" / "rules"
NOTEBOOKS = ("cleaning", "segments", "battery_health", "imported_log")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_as_a_script(name):
    done = subprocess.run(
        [sys.executable, "-m", f"ev_platform.eda.{name}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 10


def test_a_claim_that_is_not_true_fails(monkeypatch):
    clean, simulated = [], lab.simulated

    def without_faults(**options):
        clean.append(True)
        return simulated(**{**options, "faults": False})

    monkeypatch.setattr(lab, "simulated", without_faults)
    with pytest.raises(AssertionError):
        runpy.run_module("ev_platform.eda.cleaning", run_name="__main__")
    assert clean


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_cells_of_prose_and_code_with_claims(name):
    text = (ROOM / f"{name}.py").read_text()
    kinds = re.findall(r"^# %%(.*)$", text, re.MULTILINE)
    assert text.startswith("# %% [markdown]\n# # ")
    assert kinds.count(" [markdown]") >= 3
    cells = [cell for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:] if not cell.startswith(" [markdown]")]
    for cell in cells:
        ast.parse(cell.partition("\n")[2])
    claims = sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(text)))
    assert claims >= len(cells) - 1


def test_every_rules_page_links_to_the_notebook_that_explains_it():
    pages = [page for page in RULES.glob("*.md") if page.name not in ("README.md", "battery.md")]
    assert len(pages) > 20
    for page in pages:
        links = re.findall(r"\]\((\.\./\.\./ev_platform/eda/\w+\.py)\)", page.read_text())
        assert links, page.name
        assert all((page.parent / link).resolve().is_file() for link in links), page.name

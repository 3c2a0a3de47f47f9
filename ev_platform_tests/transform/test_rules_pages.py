"""The pages of docs/rules are what the kernels say today: made again they are the same; every name is explained."""

import runpy
from pathlib import Path

import pytest

from ev_platform.transform.rules import CLEANING, SEGMENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    names = runpy.run_path(str(ROOT / "scripts" / "rules_pages.py"))["write"](folder)
    return folder, names


def test_the_committed_pages_are_what_the_script_writes(pages):
    folder, names = pages
    committed = ROOT / "docs" / "rules"
    others = {path.name for path in committed.glob("battery*")}  # by rule_pictures.py and by hand
    assert names == sorted({path.name for path in committed.iterdir()} - others)
    for name in names:
        assert (committed / name).read_text() == (folder / name).read_text(), "run: python scripts/rules_pages.py"


def test_every_rule_and_reason_stands_in_the_index(pages):
    index = (pages[0] / "README.md").read_text()
    for name in [*CLEANING, *SEGMENTS]:
        assert f"| `{name}` |" in index
    for picture in pages[0].glob("*.svg"):
        assert f"]({picture.stem}.md)" in index
        assert "nan" not in picture.read_text()

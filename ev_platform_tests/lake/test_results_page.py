"""docs/results.md is what the schemas say, and names every result table."""

import importlib.util
from pathlib import Path

from ev_platform.engine.results_rules import RULES

ROOT = Path(__file__).parent.parent.parent


def script():
    spec = importlib.util.spec_from_file_location("results_page", ROOT / "scripts" / "results_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current():
    module = script()
    assert module.PAGE.read_text() == module.page(), "run python scripts/results_page.py"


def test_every_table_and_column_is_described():
    module = script()
    assert {name for name, *_ in module.TABLES} == {*RULES, "sessions"}
    for name, _, schema, _ in module.TABLES:
        for field in schema:
            assert (field.metadata or {}).get(b"description"), f"{name}.{field.name}"


def test_every_rule_page_has_its_picture_and_is_listed():
    listed = (ROOT / "docs/rules/battery.md").read_text()
    for page in (ROOT / "docs/rules").glob("battery-*.md"):
        assert f"({page.name})" in listed
        text = page.read_text()
        for picture in [part.split(")")[0] for part in text.split("](")[1:]]:
            assert (page.parent / picture).exists(), picture

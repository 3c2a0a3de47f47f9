"""The data dictionary is what the catalogue says; unmapped signals are counted."""

from pathlib import Path

from ev_platform.signals import catalogue
from ev_platform.signals.catalogue import DIRECTORY
from ev_platform.signals.dictionary import data_dictionary

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == data_dictionary(catalogue()), (
        "ev signals dictionary > docs/data-dictionary.md"
    )


def test_every_signal_unit_and_source_stands_on_the_page():
    page, known = PAGE.read_text(encoding="utf-8"), catalogue()
    for signal in known.signals.values():
        assert f"### {signal.name}\n" in page
        assert not signal.vss or f"`{signal.vss}`" in page
    for provider, signal in known.mapping:
        assert f"`{signal}`" in page, provider


def test_every_polled_provider_gives_the_core_signals():
    core = {"soc_percent", "odometer_km", "charge_state", "estimated_range_km"}
    for provider in ("high_mobility", "bmw", "mobilisights", "tesla_rest"):
        given = {mapped.canonical for (name, _), mapped in catalogue().mapping.items() if name == provider}
        assert core <= given, provider
        assert (DIRECTORY / "providers" / f"{provider}.csv").exists()

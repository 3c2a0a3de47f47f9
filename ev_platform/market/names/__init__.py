"""Normalisation tables of the sales data, as CSV files beside this module: alias → canonical name."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources


@cache
def canonical(table: str) -> dict[str, str | None]:
    """Alias (lower case, single spaces) → canonical name, None for "not known", of one table of this folder.

    Raises:
        ValueError: an alias stands twice.
    """
    text = resources.files(__package__).joinpath(f"{table}.csv").read_text(encoding="utf-8")
    names: dict[str, str | None] = {}
    for row in csv.DictReader(text.splitlines()):
        if row["alias"] in names:
            raise ValueError(f"market/names/{table}.csv: {row['alias']!r} stands twice")
        names[row["alias"]] = row["canonical"] or None
    return names


def known(table: str) -> set[str]:
    """The canonical names of a table."""
    return {name for name in canonical(table).values() if name}

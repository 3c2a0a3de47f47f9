"""The energy sources as data: sources.toml, or the file that `EV_ENERGY_SOURCES` names.

Belongs here: what a source is and how its partitions are asked for. Not here: how it is fetched (explore.py,
data_fair.py) or what its rows mean (refine_*.py).
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal

from ev_platform.errors import SettingError


@dataclasses.dataclass(frozen=True)
class Source:
    """One dataset of one portal; see the head of sources.toml for the fields."""

    name: str
    protocol: Literal["explore", "data_fair"]
    base_url: str
    dataset: str
    cut: Literal["year", "month"]
    field: str
    producer: str
    licence: str
    key: tuple[str, ...]
    text: tuple[str, ...]
    number: tuple[str, ...]
    where: str = ""
    optional: tuple[str, ...] = ()
    old_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Fields that are read."""
        return self.text + self.number

    def attribution(self, updated: str) -> str:
        """The line to print beside these data."""
        return f"Source: {self.producer}, {self.dataset}, update of {updated[:10] or 'unknown date'}, {self.licence}."


def partition_bounds(partition: str) -> tuple[datetime, datetime]:
    """[start, end) in UTC of a year `2023`, a month `2023-04` or a day `2023-04-01`."""
    parts = [int(part) for part in partition.split("-")]
    year, month, day = [*parts, 1, 1][:3]
    start = datetime(year, month, day, tzinfo=UTC)
    if len(parts) == 1:
        return start, start.replace(year=start.year + 1)
    if len(parts) == 2:
        return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start, start + timedelta(days=1)


def load_sources(path: str = "") -> dict[str, Source]:
    """All sources by name.

    Raises:
        SettingError: the file cannot be read, or a source lacks a field; the message names it.
    """
    try:
        text = Path(path).read_text() if path else resources.files(__package__).joinpath("sources.toml").read_text()
        found = tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"EV_ENERGY_SOURCES={path} cannot be read: {error}") from error
    return {name: _source(name, values) for name, values in found.items()}


def _source(name: str, values: Mapping[str, object]) -> Source:
    lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    try:
        return Source(name=name, **{**values, **lists})  # type: ignore[arg-type]
    except TypeError as error:
        raise SettingError(f"energy source [{name}]: {str(error).removeprefix('Source.__init__() ')}") from None

"""The one resource of all assets: settings and the lake they name, opened once per process."""

from __future__ import annotations

from functools import cached_property

from ev_platform.lake.store import ObjectStore
from ev_platform.providers.base import Clock
from ev_platform.providers.http import SystemClock
from ev_platform.settings import Settings, load_settings


class Platform:
    """What an asset needs from outside Dagster; tests hand in their own settings and store."""

    def __init__(self, settings: Settings, store: ObjectStore | None = None, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        """Time of polls; simulations and tests have their own."""
        self._given = store

    @cached_property
    def store(self) -> ObjectStore:
        """The lake, opened at first use: definitions load without it."""
        return self._given or ObjectStore(self.settings.lake)


def platform_from_environment() -> Platform:
    """The platform that `EV_*` describe."""
    return Platform(load_settings())

"""From settings to a provider's client: which settings it needs, and whether it is configured.

Belongs here: the one table of providers and their settings. A new provider is one line here, one in shapes.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ev_platform.errors import SettingError
from ev_platform.lake.store import ObjectStore
from ev_platform.providers import bmw, high_mobility, mobilisights, tesla_rest
from ev_platform.providers.base import Access, Clock, Provider, TokenStore
from ev_platform.providers.http import Session, SystemClock
from ev_platform.providers.quota import Quota
from ev_platform.providers.token_secret import TokenSecret
from ev_platform.providers.tokens import TokenFile
from ev_platform.settings import Settings


class Connector(NamedTuple):
    """How a provider is configured: option → field of the settings, and the ones that must be set."""

    options: dict[str, str]
    needed: tuple[str, ...]
    make: Callable[[Access, ObjectStore], Provider]


def _fields(provider: str, *options: str) -> dict[str, str]:
    return {option: f"{provider}_{option}" for option in options}


PROVIDERS: dict[str, Connector] = {
    high_mobility.NAME: Connector(
        _fields(high_mobility.NAME, "url", "client_id", "client_secret", "private_key_file", "key_id"),
        ("url", "client_id"),
        lambda access, _: high_mobility.HighMobility(access),
    ),
    bmw.NAME: Connector(
        _fields(bmw.NAME, "url", "auth_url", "client_id", "container_id"),
        ("url", "auth_url", "client_id"),
        lambda access, store: bmw.Bmw(access, Quota(store, bmw.NAME, bmw.DAILY_REQUESTS, access.clock)),
    ),
    mobilisights.NAME: Connector(
        _fields(mobilisights.NAME, "url", "email", "password", "fleets"),
        ("url", "email", "password"),
        lambda access, _: mobilisights.Mobilisights(access),
    ),
    tesla_rest.NAME: Connector(
        _fields(tesla_rest.NAME, "url", "auth_url", "client_id", "refresh_token"),
        ("url", "auth_url", "client_id"),
        lambda access, _: tesla_rest.TeslaRest(access),
    ),
}


def missing_settings(settings: Settings, name: str) -> list[str]:
    """The variables that must be set and are not; empty: the provider is configured."""
    connector = PROVIDERS[name]
    fields = [connector.options[option] for option in connector.needed]
    return [f"EV_{field.upper()}" for field in fields if not getattr(settings, field)]


DAILY_QUOTAS = {bmw.NAME: bmw.DAILY_REQUESTS}
"""Requests a day that a provider allows; the others name none."""


def quotas_left(settings: Settings, store: ObjectStore, clock: Clock | None = None) -> dict[str, int]:
    """Requests left in the last 24 hours of each configured provider that counts them; asks nobody."""
    clock = clock or SystemClock()
    return {
        name: Quota(store, name, limit, clock).left()
        for name, limit in DAILY_QUOTAS.items()
        if not missing_settings(settings, name)
    }


def access_for(settings: Settings, name: str, clock: Clock | None = None, per_minute: float | None = None) -> Access:
    """Session, token store, clock and options of a provider.

    Raises:
        SettingError: a variable is missing, or the key file cannot be read.
    """
    if missing := missing_settings(settings, name):
        raise SettingError(f"{name} is not configured: set {', '.join(missing)}")
    clock = clock or SystemClock()
    options = {option: str(getattr(settings, field)) for option, field in PROVIDERS[name].options.items()}
    options = {option: value.rstrip("/") if option.endswith("url") else value for option, value in options.items()}
    if file := options.pop("private_key_file", ""):
        try:
            options["private_key"] = Path(file).expanduser().read_text()
        except OSError as error:
            raise SettingError(f"EV_{name.upper()}_PRIVATE_KEY_FILE cannot be read ({error.strerror})") from None
    return Access(Session(name, clock, per_minute), token_store(settings), clock, options)


def token_store(settings: Settings) -> TokenStore:
    """Where rotating tokens live: a secret of AWS if the settings name one, else a file in the state folder."""
    file = TokenFile(settings.state_dir)
    return TokenSecret(settings.token_secret, file.exclusive) if settings.token_secret else file


def connect(
    settings: Settings, store: ObjectStore, name: str, clock: Clock | None = None, per_minute: float | None = None
) -> tuple[Provider, Access]:
    """The client of a configured provider, and what it was given."""
    access = access_for(settings, name, clock, per_minute)
    return PROVIDERS[name].make(access, store), access

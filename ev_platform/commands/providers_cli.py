"""`ev providers`: what is configured, parked and left of quotas; login; unparking."""

from __future__ import annotations

from typing import Annotated

import typer

from ev_platform.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Polled providers: state, login, parked vehicles.")


@app.command("list")
def list_providers() -> None:
    """One line per provider: configured or what is missing, vehicles, pause, quota left, parked vehicles."""
    from ev_platform.lake.store import ObjectStore
    from ev_platform.providers.connect import PROVIDERS
    from ev_platform.providers.doctor import provider_lines
    from ev_platform.settings import load_settings

    settings = load_settings()
    store = ObjectStore(settings.lake)
    for name in PROVIDERS:
        for line in provider_lines(settings, store, name, ask=False):
            print(line)


@app.command()
def login(provider: Annotated[str, typer.Argument(help="bmw")]) -> None:
    """Logs in where a person must type a code in a browser; tokens go to the token store."""
    from ev_platform.providers.bmw import NAME, DeviceLogin
    from ev_platform.providers.connect import access_for
    from ev_platform.settings import load_settings

    if provider != NAME:
        raise UserError(f"only {NAME} needs a login; the others take their credentials from EV_{provider.upper()}_*")
    flow = DeviceLogin(access_for(load_settings(), NAME))
    address, code = flow.start()
    print(f"open {address} and type {code}")
    flow.finish()
    print("logged in; the tokens are in the token store")


@app.command()
def unpark(
    provider: Annotated[str, typer.Argument(help="name of a provider")],
    vin: Annotated[str, typer.Argument(help="vehicle")],
) -> None:
    """Asks for a parked vehicle again."""
    from ev_platform.lake.store import ObjectStore
    from ev_platform.providers.state import parked, unpark
    from ev_platform.settings import load_settings

    store = ObjectStore(load_settings().lake)
    if vin not in parked(store, provider):
        raise UserError(f"{vin} is not parked at {provider}: `ev providers list` shows who is")
    unpark(store, provider, vin)
    print(f"{vin} is asked again with the next poll of {provider}")

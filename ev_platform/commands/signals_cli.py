"""`ev signals`: the data dictionary, and what arrives that nobody mapped."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Signals: data dictionary, unmapped ones.")


@app.command()
def dictionary() -> None:
    """Prints the data dictionary (docs/data-dictionary.md): canonical signals, units, VSS paths, providers."""
    from ev_platform.signals import catalogue
    from ev_platform.signals.dictionary import data_dictionary

    print(data_dictionary(catalogue()), end="")


@app.command()
def unmapped(
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="compacted day (UTC)")],
) -> None:
    """Counts the signals of a day that have no canonical column; they stay in compressed/."""
    from ev_platform.engine.unmapped import unmapped_signals
    from ev_platform.lake.store import ObjectStore
    from ev_platform.settings import load_settings

    found = unmapped_signals(ObjectStore(load_settings().lake), f"{day:%Y-%m-%d}")
    for (provider, signal), rows in sorted(found.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        print(f"{provider:<16}{rows:>10}  {signal}")
    print(f"{len(found)} unmapped signals, {found.total()} rows")

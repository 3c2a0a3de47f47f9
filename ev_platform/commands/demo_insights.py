"""The joins' part of `ev demo`: the fleet that was just simulated, on the grid and on the market.

Uses what the other parts left in the lake. New prices are the demo's own, with that said as their origin.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from ev_platform.insights.tasks import energy_kept
from ev_platform.lake.schemas import SESSIONS
from ev_platform.lake.schemas_insights import CHARGING_GRID_LOAD, RESIDUAL_VALUE, VEHICLE_360
from ev_platform.lake.store import ObjectStore
from ev_platform.market.tasks import read_table
from ev_platform.settings import Settings
from ev_platform.simulate.models import MODELS

if TYPE_CHECKING:
    from ev_platform.commands.requests import Requests

TICKS = 12
SHOWN = 5
EUR_PER_KWH = 620
"""New prices of the demo, by battery: invented."""
YEAR = 2026


def demo_insights(console: Console, settings: Settings, requests: Requests) -> list[str]:
    """Make the joins as the sensor asks for them; returns one line per thing that is not as it should be."""
    prices = write_prices(settings.state_dir.expanduser().resolve() / "demo" / "new_prices.csv")
    tally = requests.tally
    runs, checks = len(tally.failed_runs), len(tally.checks_failed)
    with console.status("insights"), requests.acting_as(settings.with_changes(price_table_file=str(prices))):
        for _ in range(TICKS):
            if not requests.sensor("insights") or len(tally.failed_runs) > runs:
                break
    store = ObjectStore(settings.lake)
    problems = [*tally.failed_runs[runs:], *tally.checks_failed[checks:], *differences(store)]
    _show(console, store)
    return problems


def write_prices(file: Path) -> Path:
    """A price table for the simulated models."""
    lines = ["make,model,new_price,sd_share,currency,origin,year"]
    lines += [
        f"Tesla,{m.name},{round(12_000 + EUR_PER_KWH * m.usable_new_kwh, -2):.0f},0.05,EUR,invented for the demo,{YEAR}"
        for m in MODELS
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*lines, ""]))
    return file


def differences(store: ObjectStore) -> list[str]:
    """Energy lost between charges and half-hours, or vehicles without a row."""
    days = [folder.removeprefix("date=") for folder in store.list_folders("results/sessions")]
    lost = {day: wrong for day in days if (wrong := energy_kept(store, day))}
    problems = [f"insights: half-hours of {day} do not sum up: {wrong}" for day, wrong in lost.items()]
    sessions = set(read_table(store, "results/sessions", SESSIONS)["vin"].to_pylist())
    rows = read_table(store, "insights/vehicle_360", VEHICLE_360)["vin"].to_pylist()
    if missing := sessions - set(rows):
        problems.append(f"insights: no row for {sorted(missing)}")
    return problems


def _show(console: Console, store: ObjectStore) -> None:
    slots = pl.DataFrame(pl.from_arrow(read_table(store, "insights/charging_grid_load", CHARGING_GRID_LOAD)))
    known = slots.filter(pl.col("share_ppm").is_not_null())
    console.print(
        f"grid       {slots['session_id'].n_unique()} charges, {slots['energy_kwh'].sum():.0f} kWh over {slots.height} "
        f"half-hours in {slots['region_code'].n_unique()} regions; load known for {known.height}"
    )
    console.print(_table(read_table(store, "insights/vehicle_360", VEHICLE_360), _origin(store)))


def _origin(store: ObjectStore) -> str:
    values = read_table(store, "insights/residual_value", RESIDUAL_VALUE)
    said = [row for row in values.to_pylist() if row["value"] is not None]
    return (
        f"prices: {said[-1]['price_origin']}; curve from sales of {said[-1]['market_years']}" if said else "no prices"
    )


def _table(vehicles: pa.Table, origin: str) -> Table:
    table = Table(title=f"Vehicles, all that is known ({origin})", title_justify="left")
    for column in ("health %", "km", "charges", "kWh/100 km", "off-peak", "kg CO2", "value", "from", "to", "vin"):
        table.add_column(column, justify="left" if column == "vin" else "right")
    for row in vehicles.slice(0, SHOWN).to_pylist():
        health = "-" if row["soh_percent"] is None else f"{row['soh_percent']:.1f} ± {row['soh_sd']:.1f}"
        figures = [(row["odometer_km"], ",.0f"), (row["charges"], "d"), (row["kwh_per_100km"], ".1f")]
        figures += [(row["off_peak_share"], ".0%"), (row["co2_kg"], ".1f")]
        figures += [(row[name], ",.0f") for name in ("value", "value_low", "value_high")]
        table.add_row(health, *(_cell(value, form) for value, form in figures), row["vin"])
    return table


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None or (isinstance(value, float) and math.isnan(value)) else f"{value:{form}}"

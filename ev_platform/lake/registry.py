"""The vehicle registry as a file: CSV with the columns of `VEHICLES`, or TOML with a `[[vehicle]]` table each."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from ev_platform.errors import UserError
from ev_platform.lake.layout import valid_vin
from ev_platform.lake.schemas import OPTIONAL_VEHICLE_COLUMNS, VEHICLES


def read_vehicles(path: str) -> pa.Table:
    """The registry of a CSV or TOML file, sorted by vin; empty when `path` is empty.

    Raises:
        UserError: the file cannot be read, lacks a column, or a VIN is malformed or stands twice.
    """
    if not path:
        return VEHICLES.empty_table()
    try:
        table = _from_toml(path) if path.endswith(".toml") else _from_csv(path)
        for name in OPTIONAL_VEHICLE_COLUMNS:
            if name not in table.column_names:
                table = table.append_column(VEHICLES.field(name), pa.nulls(len(table), VEHICLES.field(name).type))
        table = table.select(VEHICLES.names).cast(VEHICLES)
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"EV_VEHICLES_FILE {path}: {reason}; columns wanted: {', '.join(VEHICLES.names)}") from error
    vins = table["vin"].to_pylist()
    if wrong := [vin for vin in vins if vin is None or not valid_vin(vin)]:
        raise UserError(f"EV_VEHICLES_FILE {path}: {wrong[0]!r} is no VIN (17 characters, no I, O, Q)")
    if len(set(vins)) != len(vins):
        twice = sorted({vin for vin in vins if vins.count(vin) > 1})
        raise UserError(f"EV_VEHICLES_FILE {path}: {twice[0]} stands more than once")
    return table.sort_by("vin")


def _from_csv(path: str) -> pa.Table:
    options = pacsv.ConvertOptions(column_types={f.name: f.type for f in VEHICLES}, strings_can_be_null=True)
    return pacsv.read_csv(Path(path).expanduser(), convert_options=options)


def _from_toml(path: str) -> pa.Table:
    """A vehicle may leave out what it has not, except its VIN; names that are no columns are an error."""
    rows = tomllib.loads(Path(path).expanduser().read_text(encoding="utf-8")).get("vehicle", [])
    strange = sorted({name for row in rows for name in row} - set(VEHICLES.names))
    if strange:
        raise ValueError(f"{strange[0]} is no column")
    return pa.Table.from_pylist(rows, VEHICLES)

"""The vehicle registry as a file: one CSV with the columns of `VEHICLES`, checked line by line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from ev_platform.errors import UserError
from ev_platform.lake.layout import valid_vin
from ev_platform.lake.schemas import OPTIONAL_VEHICLE_COLUMNS, VEHICLES


def read_vehicles(path: str) -> pa.Table:
    """The registry of a CSV file, sorted by vin; empty when `path` is empty.

    Raises:
        UserError: the file cannot be read, lacks a column, or a VIN is malformed or stands twice.
    """
    if not path:
        return VEHICLES.empty_table()
    options = pacsv.ConvertOptions(column_types={f.name: f.type for f in VEHICLES}, strings_can_be_null=True)
    try:
        table = pacsv.read_csv(Path(path).expanduser(), convert_options=options)
        for name in OPTIONAL_VEHICLE_COLUMNS:
            if name not in table.column_names:
                table = table.append_column(VEHICLES.field(name), pa.nulls(len(table), VEHICLES.field(name).type))
        table = table.select(VEHICLES.names).cast(VEHICLES)
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"EV_VEHICLES_FILE {path}: {reason}; columns wanted: {', '.join(VEHICLES.names)}") from error
    vins = table["vin"].to_pylist()
    if wrong := [vin for vin in vins if vin is None or not valid_vin(vin)]:
        raise UserError(f"EV_VEHICLES_FILE {path}: {wrong[0]!r} is no VIN (17 characters, no I, O, Q)")
    if len(set(vins)) != len(vins):
        twice = sorted({vin for vin in vins if vins.count(vin) > 1})
        raise UserError(f"EV_VEHICLES_FILE {path}: {twice[0]} stands more than once")
    return table.sort_by("vin")

"""The tariff table as a file: one CSV with the columns of `TARIFFS`, checked line by line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from ev_platform.errors import UserError
from ev_platform.lake.schemas_results import TARIFFS

CHARGE_TYPES = {"ac", "dc", "any"}


def read_tariffs_file(path: str) -> pa.Table:
    """Tariffs of a CSV file in the order of its lines; empty when `path` is empty.

    Raises:
        UserError: the file cannot be read, lacks a column, or a line makes no sense.
    """
    if not path:
        return TARIFFS.empty_table()
    options = pacsv.ConvertOptions(column_types={f.name: f.type for f in TARIFFS}, strings_can_be_null=True)
    try:
        table = pacsv.read_csv(Path(path).expanduser(), convert_options=options)
        table = table.select(TARIFFS.names).cast(TARIFFS)
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"EV_TARIFFS_FILE {path}: {reason}; columns wanted: {', '.join(TARIFFS.names)}") from error
    for number, row in enumerate(table.to_pylist(), start=2):
        if problem := _problem(row):
            raise UserError(f"EV_TARIFFS_FILE {path}, line {number}: {problem}")
    return table


def _problem(row: dict[str, object]) -> str:
    """What is wrong with a line; empty when nothing is."""
    hours = [row[name] for name in ("start_hour", "end_hour") if row[name] is not None]
    if row["charge_type"] not in CHARGE_TYPES:
        return f"charge_type {row['charge_type']!r} is none of {', '.join(sorted(CHARGE_TYPES))}"
    if not row["currency"] or row["price_per_kwh"] is None:
        return "price_per_kwh and currency are needed"
    if any(not isinstance(hour, int) or not 0 <= hour <= 24 for hour in hours):
        return "hours are 0 to 24"
    if row["valid_from"] and row["valid_to"] and str(row["valid_from"]) > str(row["valid_to"]):
        return "valid_from is after valid_to"
    return ""

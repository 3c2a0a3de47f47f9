"""Values as SQL literals, for Athena: its execution parameters are literals, so a text must be quoted by somebody.

That somebody is this module alone. What it writes is one literal whatever the value holds.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

from ev_platform.query.engine import QueryError, Value


def literal(value: Value) -> str:
    """One literal of Athena's SQL.

    Raises:
        QueryError: a number that SQL cannot write (nan, infinity), or a text with a NUL.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise QueryError(f"{value} cannot be asked with")
        return f"DOUBLE '{value!r}'"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC'"
    if isinstance(value, date):
        return f"DATE '{value:%Y-%m-%d}'"
    if "\x00" in value:
        raise QueryError("a text with a NUL character cannot be asked with")
    return "'" + value.replace("'", "''") + "'"

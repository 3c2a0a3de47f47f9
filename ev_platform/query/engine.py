"""The one interface to ask the lake: text with `?` and values beside it, never values inside the text.

Belongs here: what a question and an answer are, and the rules for the text. Not here: who answers (duckdb_engine.py,
athena_engine.py), which tables there are (catalogue.py), the questions themselves (questions.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import pyarrow as pa

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings

Value = str | int | float | bool | date | datetime | None

_TEXTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--|/\*|\$\$|;|'|\\")
_FIRST = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


class QueryError(UserError):
    """A question that cannot be asked or was refused; the message says why."""


@dataclass(frozen=True)
class Answer:
    """Rows of a question, with what it cost."""

    table: pa.Table
    bytes_scanned: int
    seconds: float
    engine: str


class QueryEngine(Protocol):
    """Who answers: the same text and values give the same rows on each."""

    name: str

    def query(self, sql: str, parameters: Sequence[Value] = (), *, literals: bool = False) -> Answer:
        """Rows of one SELECT.

        Args:
            sql: one SELECT (or WITH … SELECT) with `?` for each value.
            parameters: the values, in order.
            literals: allow quoted values in the text. Only for text that a person typed as a whole.

        Raises:
            QueryError: the text is no single SELECT, holds a quoted value, or its `?` are not as many as the values.
        """
        ...


def checked(sql: str, parameters: Sequence[Value], *, literals: bool) -> str:
    """The text, if it may be asked.

    Quoted values are refused even where they would be harmless: code that never writes one cannot be made to write one
    by its input. Names in double quotes are names, so they are allowed.

    Raises:
        QueryError: see `QueryEngine.query`.
    """
    text = sql.strip()
    if _FIRST.match(text) is None:
        raise QueryError("only SELECT (or WITH … SELECT) can be asked")
    marks = 0
    position = 0
    for found in _TEXTS.finditer(text):
        marks += text.count("?", position, found.start())
        position = found.end()
        token = found[0]
        if token.startswith('"') or (literals and token.startswith("'") and len(token) > 1):
            continue
        if token[0] == "'":
            raise QueryError("write values as ? and give them as parameters, not inside the text")
        raise QueryError(f"{token!r} is not allowed in a question: one SELECT, without comments")
    marks += text.count("?", position)
    if marks != len(parameters):
        raise QueryError(f"the text has {marks} ?, but {len(parameters)} values were given")
    for value in parameters:
        if not (value is None or isinstance(value, str | int | float | bool | date | datetime)):
            raise QueryError(f"a value of type {type(value).__name__} cannot be asked with")
        if isinstance(value, datetime) and value.tzinfo is None:
            raise QueryError("a time needs its zone: give it in UTC")
    return text


def open_engine(settings: Settings, store: ObjectStore | None = None) -> QueryEngine:
    """The engine that `EV_QUERY_ENGINE` names, on the lake of the settings (or `store`).

    Raises:
        UserError: Athena is asked for and its settings are incomplete.
    """
    if settings.query_engine == "athena":
        from ev_platform.query.athena_engine import AthenaEngine

        return AthenaEngine(settings)
    from ev_platform.query.duckdb_engine import DuckDBEngine

    return DuckDBEngine(store or ObjectStore(settings.lake))

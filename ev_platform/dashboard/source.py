"""Where pages get their rows: one question at a time, cached for a minute.

Belongs here: opening the lake, the engine of SQL and the live store by the settings; what is cached, and for how long.
Not here: the questions (questions.py), what is shown (pages). The cache is keyed by the lake, so a server that is given
another lake shows no row of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import streamlit as st

from ev_platform.lake.live_store import LiveStore, open_live_store
from ev_platform.lake.store import ObjectStore
from ev_platform.query.engine import Value, open_engine
from ev_platform.settings import Settings, load_settings

FRESH_SECONDS = 60
"""How old rows may be that a page shows."""

Found = TypeVar("Found")


class Asked(NamedTuple):
    """Rows of a question, and what they cost."""

    rows: pd.DataFrame
    bytes_scanned: int
    seconds: float
    engine: str


def settings() -> Settings:
    """Settings of this server, as the environment has them now."""
    return load_settings()


def store() -> ObjectStore:
    """The lake, read only by agreement."""
    return _store(settings().lake)


@st.cache_resource(max_entries=4)
def _store(url: str) -> ObjectStore:
    return ObjectStore(url)


def ask(sql: str, *values: Value) -> pd.DataFrame:
    """Rows of one SELECT."""
    return asked(sql, *values).rows


def asked(sql: str, *values: Value) -> Asked:
    """Rows of one SELECT, with bytes scanned and seconds, as they were when it was really asked."""
    found = settings()
    return _asked(found.lake, found.query_engine, sql, values)


@st.cache_data(ttl=FRESH_SECONDS, max_entries=400, show_spinner="Reading the lake …")
def _asked(lake: str, engine: str, sql: str, values: tuple[Value, ...]) -> Asked:
    answer = open_engine(settings()).query(sql, values)
    return Asked(answer.table.to_pandas(), answer.bytes_scanned, answer.seconds, answer.engine)


def from_lake(read: Callable[[ObjectStore], Found]) -> Found:
    """What a function reads of the lake, cached by the function's name."""
    return _from_lake(settings().lake, f"{read.__module__}.{read.__qualname__}", read)


@st.cache_data(ttl=FRESH_SECONDS, max_entries=100, show_spinner="Reading the lake …")
def _from_lake(lake: str, name: str, _read: Callable[[ObjectStore], Any]) -> Any:  # noqa: ANN401 - what the function returns
    return _read(_store(lake))


def live_store() -> LiveStore:
    """The live store; the caller closes it."""
    return open_live_store(settings())

"""The days a page looks at: so many up to the newest day that has sessions.

Belongs here: the control for it, and where the newest day comes from. Counted back from the data and not from today, so
that a lake of last year shows something.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

import streamlit as st

from ev_platform.dashboard import source
from ev_platform.lake.store import ObjectStore

SPANS = {"week": 7, "month": 30, "quarter": 91, "year": 365}


class Period(NamedTuple):
    """First and last day, YYYY-MM-DD, both inside."""

    first: str
    last: str

    @property
    def months(self) -> tuple[str, str]:
        """First and last month, YYYY-MM."""
        return self.first[:7], self.last[:7]


def newest_day(store: ObjectStore) -> str | None:
    """The newest day that has sessions."""
    return newest_partition(store, "results/sessions")


def newest_partition(store: ObjectStore, folder: str) -> str | None:
    """The last of a table's partitions; None without any."""
    names = [name.partition("=")[2] for name in store.list_folders(folder) if "=" in name]
    return max(names, default=None)


def month_ends(store: ObjectStore) -> list[str]:
    """The last two days with data of each of the last twelve months, 24 in all (repeated where there are fewer)."""
    days = sorted(name.partition("=")[2] for name in store.list_folders("results/data_quality"))
    months = sorted({day[:7] for day in days})[-12:]
    last = [day for month in months for day in [one for one in days if one.startswith(month)][-2:]]
    return (last * 24)[:24] if last else []


def newest_alarm_day(store: ObjectStore) -> str | None:
    """The newest day of telematics."""
    return newest_partition(store, "telematics/events")


def choose(newest: str | None, usual: str = "month") -> Period | None:
    """The period as the reader chose it; None where there is no day at all."""
    names = list(SPANS)
    span = st.segmented_control(
        "Period", names, default=usual, key="period", bind="query-params", required=True, help="up to the newest day"
    )
    if newest is None:
        return None
    last = date.fromisoformat(newest)
    return Period((last - timedelta(days=SPANS[span or usual] - 1)).isoformat(), newest)


def newest() -> str | None:
    """The newest day with sessions in this server's lake."""
    return source.from_lake(newest_day)

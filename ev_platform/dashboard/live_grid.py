"""Page Live grid: consumption and production as they are now: settled half-hours, then live quarter-hours.

Belongs here: layout, and asking again every minute. Rows come from energy/served.py.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ev_platform.dashboard import charts, maps, source
from ev_platform.dashboard.parts import empty, figures, note, say, table, title
from ev_platform.energy.served import POWER, served_view
from ev_platform.lake.schemas_energy import KINDS
from ev_platform.lake.store import ObjectStore

FRANCE = "France"
AGAIN_SECONDS = 60
DAYS = {"two days": 2, "a week": 7, "a month": 30}


def page() -> None:
    """The page."""
    title("Live grid", "What French regions consume and produce: settled half-hours, then live quarter-hours.")
    left, right = st.columns(2)
    regions = [FRANCE, *sorted(maps.NAMES, key=maps.NAMES.__getitem__)]
    region = left.selectbox(
        "Region", regions, key="region", bind="query-params", format_func=lambda code: maps.NAMES.get(code, code)
    )
    span = right.segmented_control(
        "Period", list(DAYS), default="two days", key="days", bind="query-params", required=True
    )
    _now(region, DAYS[span or "two days"])


@st.fragment(run_every=AGAIN_SECONDS)
def _now(region: str, days: int) -> None:
    rows = _rows(source.settings().lake, source.settings().live_store, days)
    if rows.empty:
        empty("No grid data yet: neither settled nor live.", "make demo")
        return
    chosen = shown_rows(rows, region)
    if chosen.empty:
        st.info("Nothing is known of this region.")
        return
    newest = chosen.iloc[-1]
    live = chosen[chosen["source"] == "live"]
    figures(
        {
            "Consumption": (
                say(newest["consumption_mw"], "MW", 0),
                f"{newest['source']}, {newest['instant']:%d %b %H:%M} UTC",
            ),
            "Production": (say(newest["production_mw"], "MW", 0), "sum of the six kinds"),
            "Exchange": (say(newest["exchange_mw"], "MW", 0), "positive: import"),
            "Wind and solar": (
                say(100 * (newest["wind_mw"] + newest["solar_mw"]) / newest["production_mw"], "%", 0),
                "of production",
            ),
            "Live quarter-hours": (f"{live['instant'].nunique()}", "after the last settled half-hour"),
        }
    )
    kinds = chosen.melt(["instant"], [f"{kind}_mw" for kind in KINDS], "kind", "power_mw")
    kinds["kind"] = kinds["kind"].str.removesuffix("_mw")
    chart = charts.production(kinds, chosen[["instant", "consumption_mw", "source"]])
    st.altair_chart(chart, key="production", alt="Production by kind and consumption over time")
    note("exchange and pumping close the difference between consumption and production")
    table(chosen.sort_values("instant", ascending=False), "grid")


@st.cache_data(ttl=AGAIN_SECONDS, max_entries=12, show_spinner="Reading the grid …")
def _rows(lake: str, live: str, days: int) -> pd.DataFrame:
    return read(source.store(), days)


def read(store: ObjectStore, days: int) -> pd.DataFrame:
    """The served view as it is now."""
    live = source.live_store()
    try:
        return served_view(store, live, days).to_pandas()
    finally:
        live.close()


def shown_rows(rows: pd.DataFrame, region: str) -> pd.DataFrame:
    """Rows of one region, or the sum of all per instant; an instant that lacks a region is left out of the sum."""
    if region != FRANCE:
        return rows[rows["region_code"] == region].sort_values("instant", ignore_index=True)
    groups = rows.groupby(["instant", "source", "slot_minutes"])
    summed = groups[[*POWER, "difference_mw"]].sum(min_count=1).reset_index()
    summed["regions"] = groups["region_code"].nunique().to_numpy()
    whole = summed["regions"] == summed.groupby("source")["regions"].transform("max")
    return summed[whole].sort_values("instant", ignore_index=True)

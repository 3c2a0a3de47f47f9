"""Page Telematics alarms: runs of readings outside their band, driving style, and what is being counted right now.

Belongs here: layout. Rows come from telematics/*; live counts from the live store (`ev telematics live`).
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ev_platform.dashboard import charts, period, questions, source
from ev_platform.dashboard.parts import empty, figures, note, say, table, title
from ev_platform.telematics.live import TABLE
from ev_platform.telematics.variables import BANDS

AGAIN_SECONDS = 5
WINDOWS = 60


def page() -> None:
    """The page."""
    title("Telematics alarms", "Which devices leave their bands, how they are driven, and what comes in right now.")
    with st.expander("Right now", expanded=True, icon=":material/sensors:"):
        _live()
    span = period.choose(source.from_lake(period.newest_alarm_day))
    if span is None:
        empty("No telematics readings yet.", "make demo")
        return
    alarms = source.ask(questions.ALARMS, *span)
    one, two, three = st.columns(3)
    variables = one.multiselect("Variable", sorted(alarms["variable"].unique()), key="variable", bind="query-params")
    bands = two.multiselect("Band", sorted(alarms["band"].dropna().unique()), key="band", bind="query-params")
    device = three.text_input("Device contains", key="device", bind="query-params", max_chars=40)
    chosen = chosen_alarms(alarms, variables, bands, device)
    figures(
        {
            "Alarms": (f"{len(chosen):,}", "runs of readings that are very low or very high"),
            "Devices": (f"{chosen['device_id'].nunique():,}", "with at least one"),
            "Longest": (say(chosen["duration_s"].max() / 60 if len(chosen) else None, "min"), "first to last reading"),
            "Most often": (str(chosen["variable"].mode().iloc[0]) if len(chosen) else "–", "variable"),
        }
    )
    if len(chosen):
        days = chosen.assign(day=chosen["start"].dt.floor("D"))
        counted = days.groupby(["day", "variable"], as_index=False).size()
        counted["day"] = counted["day"].dt.strftime("%Y-%m-%d")
        chart = charts.bars(counted, "day", "size", "day (UTC)", "alarms", group="variable")
        st.altair_chart(chart, key="per-day", alt="Alarms per day and variable")
    table(chosen, "alarms", "telematics_alarms", lazy=len(chosen) > 2000)
    st.subheader("Driving style")
    note("per device over the period")
    style = source.ask(questions.STYLE, *span)
    table(style, "driving-style", "telematics_driving_style_daily")


def chosen_alarms(alarms: pd.DataFrame, variables: list[str], bands: list[str], device: str) -> pd.DataFrame:
    """Alarms of these variables and bands (none: all) of devices whose id or VIN holds the text."""
    keep = pd.Series(True, index=alarms.index)
    if variables:
        keep &= alarms["variable"].isin(variables)
    if bands:
        keep &= alarms["band"].isin(bands)
    if device:
        named = alarms["device_id"].fillna("") + " " + alarms["vin"].fillna("")
        keep &= named.str.lower().str.contains(device.lower(), regex=False)
    return alarms[keep]


@st.fragment(run_every=AGAIN_SECONDS)
def _live() -> None:
    rows = live_counts()
    if rows.empty:
        note("Nothing is counted at the moment. `ev telematics live` counts while the stream runs; `ev up` starts it.")
        return
    minutes = rows.groupby("window_start", as_index=False)[["readings", *_alarm_bands(rows)]].sum()
    minutes["time"] = pd.to_datetime(minutes["window_start"], utc=True)
    minutes["alarms"] = minutes[_alarm_bands(rows)].sum(axis=1)
    newest = minutes.iloc[-1]
    figures(
        {
            "Readings": (f"{int(newest['readings']):,}", f"in the minute from {newest['time']:%d %b %H:%M} UTC"),
            "Outside their band": (f"{int(newest['alarms']):,}", "readings that are very low or very high"),
            "Devices": (f"{rows['device_id'].nunique():,}", f"in the last {WINDOWS} minutes with readings"),
        }
    )
    minutes["minute"] = minutes["time"].dt.strftime("%d %b %H:%M")
    chart = charts.bars(minutes[["minute", "readings"]], "minute", "readings", "minute (UTC)", "readings")
    st.altair_chart(chart, key="live", alt="Readings per minute")


def live_counts() -> pd.DataFrame:
    """The live store's newest minutes: device_id, variable, window_start, readings, and one column per band."""
    store = source.live_store()
    try:
        rows = pd.DataFrame(store.rows(TABLE))
    finally:
        store.close()
    if rows.empty:
        return rows
    minutes = sorted(rows["window_start"].unique())[-WINDOWS:]
    return rows[rows["window_start"].isin(minutes)].fillna({"readings": 0})


def _alarm_bands(rows: pd.DataFrame) -> list[str]:
    return [band for band in BANDS.values() if band in ("very_low", "very_high") and band in rows]

"""Page Charging & grid: when and where the fleet charges, at what load of the grid, and what it emits.

Belongs here: layout. Rows come from the insights tables.
"""

from __future__ import annotations

import streamlit as st

from ev_platform.dashboard import charts, maps, period, questions, shaping, source
from ev_platform.dashboard.parts import empty, figures, note, say, table, title

WHOLE = "all regions"
ADOPTIONS = {"cars as counted": 1.0, "twice as many": 2.0, "five times as many": 5.0}
MEASURES = {
    "our energy (kWh)": "energy_kwh",
    "our share of the load (ppm)": "share_ppm",
    "emissions (kg CO₂)": "co2_kg",
}


def page() -> None:
    """The page."""
    title("Charging & grid", "When and where the fleet charges, how loaded the grid is then, and what that emits.")
    newest = source.from_lake(newest_grid_day)
    left, right = st.columns([2, 3])
    with left:
        span = period.choose(newest)
    if span is None:
        empty("No charge has been joined with the grid yet.", "make demo")
        return
    slots = source.ask(questions.GRID_SLOTS, *span)
    regions = sorted(slots["region_code"].dropna().unique())
    region = right.selectbox(
        "Region",
        [WHOLE, *regions],
        key="region",
        bind="query-params",
        format_func=lambda code: maps.NAMES.get(code, code),
    )
    chosen = slots if region == WHOLE else slots[slots["region_code"] == region]
    if chosen.empty:
        st.info(f"No charge there from {span.first} to {span.last}.")
        return
    flexibility = source.ask(questions.FLEXIBILITY, *span.months)
    part = flexibility if region == WHOLE else flexibility[flexibility["region_code"] == region]
    known, co2_known = part["known_kwh"].sum(), part["co2_known_kwh"].sum()
    kwh, co2_kg = chosen["energy_kwh"].sum(), chosen["co2_g"].sum(min_count=1) / 1000
    figures(
        {
            "Charged": (say(kwh, "kWh", 0), "energy of all charges of the period"),
            "Off-peak": (
                say(100 * part["low_third_kwh"].sum() / known if known else None, "%", 0),
                "of the energy at a known load: in the lowest third of the local day's half-hours, whole months",
            ),
            "Emissions": (say(co2_kg, "kg"), "at the national rate of each half-hour"),
            "Per kWh": (
                say(1000 * part["co2_kg"].sum() / co2_known if co2_known else None, "g/kWh", 0),
                "mean rate, whole months",
            ),
            "Place unknown": (
                say(100 * slots["energy_kwh"][slots["region_code"].isna()].sum() / slots["energy_kwh"].sum(), "%", 0),
                "of the fleet's energy: no position, or abroad",
            ),
        }
    )
    st.subheader("Time of day")
    note("blue: our energy; orange: how loaded the grid is, mean of the half-hours in which we charged")
    chart = charts.load_curve(shaping.load_by_time_of_day(chosen))
    st.altair_chart(chart, key="load", alt="Energy charged and load of the grid by time of day")
    _map(slots)
    st.subheader("Best three hours of each vehicle")
    note("what the same energy would have emitted, had it been charged in the best three hours of the same days")
    windows = source.ask(questions.WINDOWS, *span.months)
    table(windows, "charge-windows", "insights_charge_windows", lazy=len(windows) > 2000)
    _pressure()


def newest_grid_day(store: object) -> str | None:
    """The newest day of charges joined with the grid."""
    return period.newest_partition(store, "insights/charging_grid_load")  # type: ignore[arg-type]


def _map(slots) -> None:  # noqa: ANN001 - a pandas frame
    left, right = st.columns([3, 2])
    grouped = shaping.by_region(slots)
    with left:
        st.subheader("By region")
        shown = st.segmented_control(
            "Measure", list(MEASURES), default=next(iter(MEASURES)), key="measure", bind="query-params", required=True
        )
        if grouped.empty:
            st.info("No charge has a known place.")
        else:
            field = MEASURES[shown or next(iter(MEASURES))]
            chart = maps.region_map(grouped, field, str(shown), source.settings().regions_file)
            st.altair_chart(chart, key="map", alt=f"Map of French regions: {shown}")
    with right:
        table(grouped.assign(region=grouped["region_code"].map(maps.NAMES)), "regions")


def _pressure() -> None:
    st.subheader("If more cars charged")
    adoption = st.segmented_control(
        "Cars", list(ADOPTIONS), default="cars as counted", key="adoption", bind="query-params", required=True
    )
    rows = source.ask(questions.PRESSURE, "region", ADOPTIONS[adoption or "cars as counted"])
    if rows.empty:
        empty(
            "Counted cars and metered consumption of communes are not there yet.",
            "make demo  # or a backfill of energy/*: docs/energy.md",
        )
        return
    rows = rows.assign(
        region=rows["code"].map(maps.NAMES), ev_share=100 * rows["ev_share"], ev_share_sd=100 * rows["ev_share_sd"]
    )
    table(rows, "pressure", "insights_region_ev_pressure")

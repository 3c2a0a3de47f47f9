"""Page Energy atlas: electricity and gas of French places by year: total, mean, map, by sector.

Belongs here: layout. Rows come from energy/consumption_total_mean and energy/annual_department.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ev_platform.dashboard import charts, maps, questions, source
from ev_platform.dashboard.parts import empty, figures, note, say, table, title

MEASURES = {"total (MWh)": "total_mwh", "mean per site (MWh)": "mean_mwh"}
LARGEST = 25


def page() -> None:
    """The page."""
    title("Energy atlas", "What French places use in a year; what secrecy keeps back is said, never guessed.")
    choices = source.ask(questions.ATLAS_CHOICES)
    if choices.empty:
        empty("No annual consumption yet.", "make demo")
        return
    one, two, three, four = st.columns([1, 2, 2, 3])
    years = [str(year) for year in sorted(choices["year"].unique(), reverse=True)]
    year = int(one.selectbox("Year", years, key="year", bind="query-params"))
    of_year = choices[choices["year"] == year]
    energy = two.selectbox("Energy", sorted(of_year["energy"].unique()), key="energy", bind="query-params")
    levels = sorted(of_year["level"][of_year["energy"] == energy].unique(), key=_rank)
    level = three.selectbox("Level", levels, key="level", bind="query-params")
    measure = four.segmented_control(
        "Measure", list(MEASURES), default="total (MWh)", key="measure", bind="query-params", required=True
    )
    field, label = MEASURES[measure or "total (MWh)"], str(measure)
    places = source.ask(questions.ATLAS, year, energy, level)
    origins = sorted(places["source"].unique())
    origin = st.segmented_control(
        "Source", origins, default=origins[0], key="source", bind="query-params", required=True, help="never added up"
    )
    places = places[places["source"] == (origin or origins[0])].sort_values(field, ascending=False, ignore_index=True)
    figures(
        {
            "Places": (f"{len(places):,}", f"of level {level}"),
            "Total": (
                say(places["total_mwh"].sum(min_count=1) / 1000, "GWh", 0),
                "a lower bound: see withheld",
            ),
            "Per site": (
                say(places["total_mwh"].sum() / places["sites"].sum() if places["sites"].sum() else None, "MWh", 2),
                "total over delivery points",
            ),
            "Withheld rows": (say(places["withheld_rows"].sum(), "", 0), "kept back by statistical secrecy"),
        }
    )
    left, right = st.columns([3, 2])
    with left:
        if level == "region":
            named = places.rename(columns={"code": "region_code"})
            chart = maps.region_map(named, field, label, source.settings().regions_file)
            st.altair_chart(chart, key="map", alt=f"Map of French regions: {label}")
        elif level == "department":
            st.altair_chart(maps.department_map(places, field, label), key="map", alt=f"Map of departments: {label}")
        else:
            top = places.head(LARGEST)
            chart = charts.bars(top, "name", field, level, label)
            st.altair_chart(chart, key="largest", alt=f"The {LARGEST} largest: {label}")
    with right:
        _sectors(year, str(energy))
    table(places, f"atlas-{year}-{energy}-{level}", "energy_consumption_total_mean", lazy=len(places) > 2000)


def _rank(level: str) -> int:
    order = ["region", "department", "commune", "national", "sector", "category", "naf", "address"]
    return order.index(level) if level in order else len(order)


def _sectors(year: int, energy: str) -> None:
    sectors = source.ask(questions.SECTORS, year, energy)
    st.subheader("By sector")
    if sectors.empty:
        st.info("No departments with sectors in this year.")
        return
    summed = sectors.groupby("sector", as_index=False).agg(total_mwh=("total_mwh", "sum"), sites=("sites", "sum"))
    summed["total_gwh"] = summed["total_mwh"] / 1000
    shown: pd.DataFrame = summed.sort_values("total_gwh", ascending=False)
    note("all departments together; rows that were withheld are not in it")
    chart = charts.bars(shown, "sector", "total_gwh", "sector", "energy (GWh)")
    st.altair_chart(chart, key="sectors", alt="Energy by sector")

"""Page Fleet: every vehicle in one table, health against age, and what the fleet looks like as a whole.

Belongs here: layout. Rows come from questions.FLEET and TEMPLATES.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ev_platform.dashboard import charts, questions, shaping, source
from ev_platform.dashboard.parts import count, empty, figures, note, say, table, title

SHOWN = [
    *("vin", "make", "model", "age_years", "odometer_km", "soh_percent", "soh_sd", "trend_percent_per_year"),
    *("soh_in_12_months_percent", "capacity_kwh", "equivalent_full_cycles", "dc_share_percent", "kwh_per_100km"),
    *("drive_km", "charged_kwh", "off_peak_share", "co2_kg", "value", "completeness_percent", "last_seen", "reasons"),
]


def page() -> None:
    """The page."""
    title("Fleet", "How every battery is doing, how sure that is, and how complete its data are.")
    fleet = source.ask(questions.FLEET, "energy")
    if fleet.empty:
        empty("There is no vehicle with results yet.", "make demo")
        return
    cars = _chosen(fleet)
    if cars.empty:
        st.info("No vehicle fits these filters. Clear one of them.")
        return
    _figures(cars)
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Health against age")
        note("95 % interval of each car; dashed: what its model's fleet and published studies expect")
        known = cars.dropna(subset=["age_years", "soh_percent"])
        if known.empty:
            st.info("No car here has both an age and a health: see the reasons in the table.")
        else:
            templates = source.ask(questions.TEMPLATES, "energy")
            templates = templates[templates["model"].isin(known["template"].unique())]
            curves = shaping.expected_curves(templates, float(known["age_years"].max()))
            chart = charts.fleet_health(_narrow(known), curves)
            st.altair_chart(chart, key="health", alt="State of health of each vehicle against its age")
    with right:
        st.subheader("Distribution of health")
        note("vehicles per percent of state of health")
        chart = charts.histogram(shaping.distribution(cars["soh_percent"]))
        st.altair_chart(chart, key="distribution", alt="Vehicles per percent of state of health")
    st.subheader("Vehicles")
    _table(cars)


def _chosen(fleet: pd.DataFrame) -> pd.DataFrame:
    one, two, three, four = st.columns([2, 3, 2, 2])
    makes = one.multiselect("Make", sorted(fleet["make"].dropna().unique()), key="make", bind="query-params")
    offered = fleet[fleet["make"].isin(makes)] if makes else fleet
    models = two.multiselect("Model", sorted(offered["model"].dropna().unique()), key="model", bind="query-params")
    search = three.text_input("VIN contains", key="vin_part", bind="query-params", max_chars=17)
    below = four.number_input(
        "Health below (%)", 50, 100, 100, 5, key="below", bind="query-params", help="100: all vehicles"
    )
    return shaping.chosen_cars(fleet, makes, models, search, below)


def _figures(cars: pd.DataFrame) -> None:
    known = cars["soh_percent"].dropna()
    newest = cars["last_seen"].max()
    figures(
        {
            "Vehicles": (count(len(cars)), "that fit the filters"),
            "Median health": (say(known.median(), "%"), "state of health, percent of new, of those that have one"),
            "With a health": (say(100 * len(known) / len(cars), "%", 0), "others say in the table why they have none"),
            "Below 80 %": (count((known < 80).sum()), "usual limit of a battery warranty"),
            "Data complete": (say(cars["completeness_percent"].mean(), "%"), "mean coverage of the last 30 days seen"),
            "Last seen": (f"{newest:%d %b %H:%M}" if pd.notna(newest) else "–", "newest message of any vehicle, UTC"),
        }
    )


def _narrow(cars: pd.DataFrame) -> pd.DataFrame:
    return cars[["vin", "model", "age_years", "soh_percent", "soh_low_percent", "soh_high_percent"]]


def _table(cars: pd.DataFrame) -> None:
    shown = cars[SHOWN].assign(off_peak_share=100 * cars["off_peak_share"])
    shown.insert(0, "open", "vehicle?vin=" + shown["vin"])
    config = st.column_config
    table(
        shown,
        "vehicles",
        "results_vehicle_battery",
        columns={
            "open": config.LinkColumn("", display_text="open", help="the vehicle's page", width="small"),
            "soh_percent": config.ProgressColumn(
                "Health (% of new)", min_value=50, max_value=105, format="%.1f", help="energy, filtered"
            ),
            "soh_sd": config.NumberColumn("± sd (%)", format="%.1f", help="one standard deviation"),
            "odometer_km": config.NumberColumn("Odometer (km)", format="%.0f"),
            "age_years": config.NumberColumn("Age (years)", format="%.1f"),
            "capacity_kwh": config.NumberColumn("Capacity (kWh)", format="%.1f"),
            "trend_percent_per_year": config.NumberColumn("Trend (%/year)", format="%.1f"),
            "soh_in_12_months_percent": config.NumberColumn("In 12 months (%)", format="%.1f"),
            "equivalent_full_cycles": config.NumberColumn("Full cycles", format="%.0f"),
            "dc_share_percent": config.NumberColumn("DC share (%)", format="%.0f"),
            "kwh_per_100km": config.NumberColumn("Consumption (kWh/100 km)", format="%.1f"),
            "drive_km": config.NumberColumn("Driven (km)", format="%.0f"),
            "charged_kwh": config.NumberColumn("Charged (kWh)", format="%.0f"),
            "off_peak_share": config.NumberColumn("Off-peak (%)", format="%.0f", help="share charged at low load"),
            "co2_kg": config.NumberColumn("CO₂ (kg)", format="%.1f"),
            "value": config.NumberColumn("Value", format="%.0f", help="estimated, in the currency of the price table"),
            "completeness_percent": config.NumberColumn("Complete (%)", format="%.0f"),
            "last_seen": config.DatetimeColumn("Last seen (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC"),
            "reasons": config.ListColumn("Why figures are missing"),
        },
        lazy=len(shown) > 2000,
    )

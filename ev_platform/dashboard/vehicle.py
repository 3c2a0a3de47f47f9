"""Page Vehicle: one battery, with all the evidence behind its number; charges, trips, parking; the report.

Belongs here: the choice of vehicle, its head, the report button, the list of views. Views are in vehicle_views.py.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ev_platform.dashboard import period, questions, source, vehicle_views
from ev_platform.dashboard.parts import NOTHING, empty, figures, note, say, title, with_sd
from ev_platform.report.html import to_html
from ev_platform.report.lake import report_of
from ev_platform.report.pdf import to_pdf

MOST_LISTED = 300
"""Vehicles in a drop-down list; a longer one is slow to send and nobody reads it."""
VIEWS = {
    "Battery health": vehicle_views.health,
    "Charging": vehicle_views.charging,
    "Driving": vehicle_views.driving,
    "Timeline": vehicle_views.timeline,
    "Parking": vehicle_views.parking,
}


def page() -> None:
    """The page."""
    title("Vehicle", "One battery: what it can still do, how sure that is, and what it was put through.")
    cars = source.ask(questions.VINS)
    if cars.empty:
        empty("There is no vehicle with results yet.", "make demo")
        return
    left, right = st.columns([3, 2])
    with left:
        vin = _chosen(list(cars["vin"]))
    with right:
        span = period.choose(source.from_lake(period.newest_day), "quarter")
    head = source.ask(questions.VEHICLE, vin)
    if head.empty or span is None:
        empty(f"There is nothing about {vin} yet.", "ev run --from FIRST_DAY --to LAST_DAY")
        return
    car = head.iloc[0]
    about = [text for name in ("make", "model", "chemistry") if (text := _text(car[name]))]
    complete = f"data complete: {say(car['completeness_percent'], '%', 0)} of the last 30 days seen"
    note(" · ".join([*about, complete]))
    _head(car)
    _report(vin)
    for tab, view in zip(
        st.tabs(list(VIEWS), key="view", bind="query-params", on_change="rerun"), VIEWS.values(), strict=True
    ):
        if tab.open:
            with tab:
                view(vin, car, span)


def _chosen(vins: list[str]) -> str:
    """The vehicle: out of a list, or of those that fit what is typed where the list would be too long for a reader."""
    asked = st.session_state.get("vin", st.query_params.get("vin"))
    if len(vins) > MOST_LISTED:
        one, two = st.columns([2, 3])
        part = one.text_input("VIN contains", key="find", bind="query-params", max_chars=17).upper()
        fitting = [vin for vin in vins if part in vin][:MOST_LISTED]
        vins = sorted({*fitting, *([asked] if asked in set(vins) else [])}) or vins[:MOST_LISTED]
        return str(two.selectbox("Vehicle", vins, key="vin", bind="query-params"))
    return str(st.selectbox("Vehicle", vins, key="vin", bind="query-params"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _head(car: pd.Series) -> None:
    health = with_sd(car["soh_percent"], car["soh_sd"], "%")
    low, high = say(car["soh_low_percent"]), say(car["soh_high_percent"])
    figures(
        {
            "State of health": (health, f"of new, ± one standard deviation; 95 % between {low} and {high} %"),
            "Usable now": (with_sd(car["capacity_kwh"], car["capacity_sd_kwh"], "kWh"), "energy at full charge"),
            "Usable when new": (say(car["reference_capacity_kwh"], "kWh"), str(car["reference_source"] or NOTHING)),
            "In 12 months": (say(car["soh_in_12_months_percent"], "%"), "forecast, as its model's fleet fades"),
            "Full cycles": (say(car["equivalent_full_cycles"], "", 0), "equivalent, over its life"),
            "Odometer": (say(car["odometer_km"], "km", 0), "newest"),
        }
    )
    reasons = list(car["reasons"]) if car["reasons"] is not None else []
    if pd.isna(car["soh_percent"]):
        st.warning("No number is published: " + (", ".join(reasons) or "too little was seen"), icon=":material/help:")
    elif reasons:
        note("Mind: " + ", ".join(reasons))
    if car["needs_full_charge"]:
        st.warning("This LFP battery was not charged full for long: its state of charge may be wrong.")


def _report(vin: str) -> None:
    """One button that makes the report, then one download per form."""
    left, middle, right, _ = st.columns([2, 1, 1, 4])
    if left.button("Battery report", icon=":material/description:", key="report", help="one page for a buyer"):
        st.session_state["report_of"] = vin
    if st.session_state.get("report_of") != vin:
        return
    with st.spinner("Writing the report …"):
        report = report_of(source.store(), vin)
    name = f"battery-report-{vin}"
    middle.download_button("HTML", to_html(report).encode(), f"{name}.html", "text/html", key="report-html")
    right.download_button("PDF", to_pdf(report), f"{name}.pdf", "application/pdf", key="report-pdf")
    note(f"Verification id {report.verification}: the hash of the rows that the report is made from.")

"""The views of page Vehicle: battery health, charging, driving, timeline, parking. Only the one that is open asks.

Belongs here: layout of one vehicle's figures. Not here: the page's head (vehicle.py), frames (shaping.py).
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from ev_platform.dashboard import charts, period, questions, shaping, source
from ev_platform.dashboard.parts import empty, figures, note, say, table
from ev_platform.dashboard.period import Period

AGAIN = "ev run --from FIRST_DAY --to LAST_DAY"


def health(vin: str, car: pd.Series, span: Period) -> None:
    """Curve with its band and forecast; which methods agree; capacity by mileage; peers."""
    filtered = source.ask(questions.HEALTH_FILTERED, vin, "energy")
    if filtered.empty:
        empty(f"No month of {vin} has a health yet; the reasons stand above and in the table of methods.", AGAIN)
    else:
        smooth = st.toggle("For display: never rising", key="smooth", bind="query-params", help="the data may rise")
        _curve(vin, filtered, "soh_display_percent" if smooth else "soh_percent")
    estimates = source.ask(questions.HEALTH_METHODS, vin)
    left, right = st.columns(2)
    with left:
        st.subheader("Which methods agree")
        note("each method's month with two standard deviations")
        rows = shaping.method_rows(estimates)
        if rows.empty:
            st.info("No method had enough evidence.")
        else:
            st.altair_chart(charts.methods(rows), key="methods", alt="Estimates of each method by month")
    with right:
        st.subheader("Capacity by mileage")
        note("usable energy of observed months with two standard deviations")
        mileage = shaping.capacity_by_mileage(filtered, _odometers(vin))
        if mileage.empty:
            st.info("No month has both a capacity and an odometer.")
        else:
            st.altair_chart(charts.capacity_by_mileage(mileage), key="mileage", alt="Capacity against odometer")
    _peers(vin)
    table(estimates, f"health-{vin}", "results_battery_health")


def _odometers(vin: str) -> pd.DataFrame:
    days = source.from_lake(period.month_ends)
    return (
        source.ask(questions.ODOMETER_OF_DAYS, vin, *days) if days else pd.DataFrame(columns=["month", "odometer_km"])
    )


def _curve(vin: str, filtered: pd.DataFrame, field: str) -> None:
    st.subheader("State of health")
    note("blue: filtered, with 95 % interval; grey: the months' own values; orange: forecast; pink: the maker's own")
    months = shaping.health_months(filtered)
    ahead = source.ask(questions.FORECAST, vin, "energy").dropna(subset=["soh_percent"])
    ahead = ahead.assign(time=shaping.month_start(ahead["month"]))[
        ["time", "month", "soh_percent", "soh_low_percent", "soh_high_percent"]
    ]
    makers = source.ask(questions.HEALTH_METHODS, vin)
    makers = makers[makers["method"] == "manufacturer"].dropna(subset=["soh_percent"])
    makers = makers.assign(time=shaping.month_start(makers["month"]))[["time", "soh_percent"]]
    columns = ["time", "month", field, "soh_low_percent", "soh_high_percent", "own_percent", "method"]
    chart = charts.health_curve(months[columns], ahead, makers, field)
    st.altair_chart(chart, key="curve", alt="State of health by month with its interval and forecast")


def _peers(vin: str) -> None:
    peers = source.ask(questions.PEERS, vin)
    if peers.empty:
        return
    row = peers.iloc[0]
    st.subheader("Against comparable cars")
    figures(
        {
            "Healthier than": (say(row["soh_percentile"], "%", 0), "of cars of its model, age and mileage"),
            "Expected here": (say(row["soh_expected_percent"], "%"), "what comparable cars show"),
            "Uses less than": (say(row["consumption_percentile"], "%", 0), "of comparable cars"),
            "Loses less parked": (say(row["drain_percentile"], "%", 0), "than so many comparable cars"),
            "Comparable cars": (say(row["n_peers"], "", 0), ", ".join(row["reasons"]) or "same model"),
        }
    )


def charging(vin: str, car: pd.Series, span: Period) -> None:
    """Power by SoC, windows of SoC, every charge with its flags."""
    charges = source.ask(questions.CHARGES, vin, *span)
    if charges.empty:
        empty(f"No charge of {vin} from {span.first} to {span.last}.", AGAIN)
        return
    dc = charges["energy_kwh"][charges["charge_type"] == "dc"].sum()
    total = charges["energy_kwh"].sum()
    figures(
        {
            "Charges": (f"{len(charges)}", "that began in the period"),
            "Energy": (say(total, "kWh", 0), "into the battery"),
            "Direct current": (say(100 * dc / total if total else None, "%", 0), "of that energy"),
            "Charger to battery": (say(charges["efficiency_percent"].median(), "%"), "median of AC charges"),
            "Median power": (say(charges["power_mean_kw"].median(), "kW"), "mean power of each charge"),
        }
    )
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Charging curve")
        note("median power by state of charge, with the 10th to 90th percentile of charges")
        curves = source.ask(questions.CURVES, vin, *span)
        if curves.empty:
            st.info("No charge of the period was sampled often enough for a curve.")
        else:
            chart = charts.charge_curves(shaping.curve_bands(curves))
            st.altair_chart(chart, key="curves", alt="Charging power by state of charge and power class")
    with right:
        st.subheader("Windows of state of charge")
        note("share of the observed time; long times above 80 % and below 20 % age a battery")
        windows = shaping.windows_of_soc(source.ask(questions.SOC_WINDOWS, vin, *span))
        chart = charts.bars(windows, "window", "share_percent", "state of charge (%)", "share of time (%)")
        st.altair_chart(chart, key="windows", alt="Share of time per window of state of charge")
    table(charges, f"charges-{vin}", "results_charging")


def driving(vin: str, car: pd.Series, span: Period) -> None:
    """Consumption by temperature; every trip with its flags."""
    trips = source.ask(questions.TRIPS, vin, *span)
    by_temperature = source.ask(questions.BY_TEMPERATURE, vin)
    if trips.empty and by_temperature.empty:
        empty(f"No trip of {vin} from {span.first} to {span.last}.", AGAIN)
        return
    known = trips.dropna(subset=["energy_kwh", "distance_km"])
    km = known["distance_km"].sum()
    figures(
        {
            "Trips": (f"{len(trips)}", "that began in the period"),
            "Distance": (say(trips["distance_km"].sum(), "km", 0), "by the odometer"),
            "Consumption": (say(100 * known["energy_kwh"].sum() / km if km else None, "kWh/100 km"), "net"),
            "Partly seen": (f"{int((trips['truncated'] | trips['inferred']).sum())}", "begin or end was not observed"),
        }
    )
    if len(by_temperature):
        st.subheader("Consumption by temperature")
        note("whole history; blue: net, 10th to 90th percentile of trips; orange: with losses while parked")
        chart = charts.by_temperature(by_temperature.drop(columns=["reasons"]))
        st.altair_chart(chart, key="temperature", alt="Consumption by outside temperature")
    table(trips, f"trips-{vin}", "results_trips")


def timeline(vin: str, car: pd.Series, span: Period) -> None:
    """What it did, a bar per day."""
    sessions = source.ask(questions.SESSIONS, vin, *span)
    if sessions.empty:
        empty(f"No session of {vin} from {span.first} to {span.last}.", AGAIN)
        return
    note("hours of the day in UTC; sessions over midnight are cut for display only")
    rows = shaping.timeline(sessions)
    recent = rows[rows["day"].isin(sorted(rows["day"].unique())[-45:])]
    st.altair_chart(charts.timeline(recent), key="timeline", alt="States of the vehicle by day and hour")
    table(sessions, f"sessions-{vin}", "results_sessions")


def parking(vin: str, car: pd.Series, span: Period) -> None:
    """What it loses while it stands."""
    parked = source.ask(questions.PARKING, vin, *span)
    if parked.empty:
        empty(f"No parking of an hour of {vin} from {span.first} to {span.last}.", AGAIN)
        return
    measured = parked[parked["reasons"].map(len) == 0]
    figures(
        {
            "Parkings": (f"{len(parked)}", "of at least an hour"),
            "Measured": (f"{len(measured)}", "long enough to see a loss"),
            "Loss": (say(measured["drain_percent_per_day"].median(), "%/day", 2), "median of the measured"),
            "Power": (say(measured["power_w"].median(), "W", 0), "that this means for the pack, median"),
            "Asleep": (say(100 * measured["asleep_share"].mean(), "%", 0), "mean share of the time without messages"),
        }
    )
    if len(measured):
        chart = charts.series(measured, "start", "drain_percent_per_day", "loss (% of the battery per day)")
        st.altair_chart(chart, key="drain", alt="Loss while parked over time")
    table(parked, f"parking-{vin}", "results_vampire_drain")

"""Frames to frames: what pages show, worked out without Streamlit, so that it can be tested against the tables.

Belongs here: filters, counts, percentiles, cuts at midnight; the local half of the market page. Not here: figures that
need a method (those stand in result tables), how things are drawn (charts.py). Pure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ev_platform.battery.degradation import PRIOR
from ev_platform.dashboard.parts import NOTHING

PUBLISHED = "published mean (Geotab 2025)"
MOST_TEMPLATES = 4
PARIS = "Europe/Paris"
COLUMNS_OF_BAND = ["p10", "median", "p90", "charges"]


# -- fleet ------------------------------------------------------------------------------------------------------------


def chosen_cars(fleet: pd.DataFrame, makes: list[str], models: list[str], search: str, below: float) -> pd.DataFrame:
    """Cars of these makes and models (none: all), whose VIN holds `search`, with a health below `below` (100: any)."""
    keep = pd.Series(True, index=fleet.index)
    if makes:
        keep &= fleet["make"].isin(makes)
    if models:
        keep &= fleet["model"].isin(models)
    if search:
        keep &= fleet["vin"].str.contains(search.upper(), regex=False)
    if below < 100:
        keep &= fleet["soh_percent"] < below
    return fleet[keep]


def expected_curves(templates: pd.DataFrame, oldest_years: float) -> pd.DataFrame:
    """age_years, soh_percent, curve: `1 − a√t − bt` of the templates with most cars, and of the published prior."""
    years = np.linspace(0, max(oldest_years, 1.0), 40)
    chosen = templates.sort_values(["n_cars", "model"], ascending=[False, True]).head(MOST_TEMPLATES)
    laws = {row.model: (row.template_a, row.template_b) for row in chosen.itertuples()} | {PUBLISHED: PRIOR}
    parts = [
        pd.DataFrame({"age_years": years, "soh_percent": 100 * (1 - a * np.sqrt(years) - b * years), "curve": name})
        for name, (a, b) in laws.items()
    ]
    return pd.concat(parts, ignore_index=True)


def density(cars: pd.DataFrame) -> pd.DataFrame:
    """Vehicles per cell of age and health: age_from, age_to, soh_from, soh_to, vehicles. Empty cells are left out."""
    counts, ages, healths = np.histogram2d(cars["age_years"], cars["soh_percent"], bins=(48, 32))
    at_age, at_health = np.nonzero(counts)
    return pd.DataFrame(
        {
            "age_from": ages[at_age],
            "age_to": ages[at_age + 1],
            "soh_from": healths[at_health],
            "soh_to": healths[at_health + 1],
            "vehicles": counts[at_age, at_health].astype(int),
        }
    )


def distribution(health: pd.Series) -> pd.DataFrame:
    """Vehicles per whole percent of health: soh_from, soh_to, vehicles."""
    whole = np.floor(health.dropna()).astype(int)
    counted = whole.value_counts().sort_index()
    return pd.DataFrame({"soh_from": counted.index, "soh_to": counted.index + 1, "vehicles": counted.to_numpy()})


# -- one vehicle ------------------------------------------------------------------------------------------------------


def month_start(months: pd.Series) -> pd.Series:
    """First instant of months written YYYY-MM."""
    return pd.to_datetime(months + "-01", utc=True)


def health_months(filtered: pd.DataFrame) -> pd.DataFrame:
    """The filter's months with a time, and each month's own value in percent of new."""
    frame = filtered.assign(time=month_start(filtered["month"]))
    frame["own_percent"] = 100 * frame["monthly"] / frame["reference_capacity"]
    return frame


def method_rows(health: pd.DataFrame) -> pd.DataFrame:
    """Estimates with a number, with their 2-sd interval."""
    frame = health.dropna(subset=["soh_percent"]).copy()
    sd = frame["soh_sd"].fillna(0.0)
    return frame.assign(
        time=month_start(frame["month"]), low=frame["soh_percent"] - 2 * sd, high=frame["soh_percent"] + 2 * sd
    )


def capacity_by_mileage(filtered: pd.DataFrame, odometer: pd.DataFrame) -> pd.DataFrame:
    """Observed months with the newest odometer of each."""
    frame = filtered[filtered["observed"]].merge(odometer.dropna(), on="month")
    sd = frame["capacity_sd"].fillna(0.0)
    return frame.assign(low=frame["capacity"] - 2 * sd, high=frame["capacity"] + 2 * sd)


def curve_bands(curves: pd.DataFrame) -> pd.DataFrame:
    """Per power class and SoC bin: 10th percentile, median and 90th percentile of the charges' powers, and how many."""
    groups = curves.groupby(["power_class", "soc_bin"])["power_kw"]
    frame = groups.quantile([0.1, 0.5, 0.9]).unstack()
    frame.columns = COLUMNS_OF_BAND[:3]
    frame["charges"] = groups.size()
    return frame.reset_index()


def timeline(sessions: pd.DataFrame) -> pd.DataFrame:
    """Sessions cut at midnight (UTC): day, from_hour, to_hour, state, label."""
    rows = []
    for session in sessions.itertuples():
        state = "asleep" if session.kind == "idle" and session.asleep else session.kind
        label = f"{state} {session.start:%d %b %H:%M} – {session.end:%d %b %H:%M}"
        if session.kind != "idle":
            label += f", SoC {_whole(session.soc_start)} → {_whole(session.soc_end)} %"
        begin = session.start
        while begin < session.end:
            midnight = begin.normalize()
            end = min(session.end, midnight + pd.Timedelta(days=1))
            hours = [(at - midnight).total_seconds() / 3600 for at in (begin, end)]
            rows.append((f"{midnight:%Y-%m-%d}", *hours, state, label))
            begin = end
    return pd.DataFrame(rows, columns=["day", "from_hour", "to_hour", "state", "label"])


def _whole(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.0f}"


def windows_of_soc(windows: pd.DataFrame) -> pd.DataFrame:
    """Share of the observed time in each window of SoC, percent."""
    window = windows["soc_bin"].map(lambda low: f"{low:.0f}–{low + 10:.0f}")
    return windows.assign(window=window, share_percent=100 * windows["hours"] / windows["hours"].sum())


# -- charging and grid ------------------------------------------------------------------------------------------------


def load_by_time_of_day(slots: pd.DataFrame) -> pd.DataFrame:
    """Our energy and the mean load percentile per half-hour of the local day: hour, energy_kwh, load_percentile."""
    local = slots["instant"].dt.tz_convert(PARIS)
    frame = slots.assign(hour=local.dt.hour + local.dt.minute / 60)
    grouped = frame.groupby("hour", as_index=False).agg(
        energy_kwh=("energy_kwh", "sum"), load_percentile=("load_percentile", "mean")
    )
    return grouped.assign(load_percentile=100 * grouped["load_percentile"])


def by_region(slots: pd.DataFrame) -> pd.DataFrame:
    """Energy, its share of the grid's load in those half-hours (ppm), and emissions per region."""
    frame = slots.dropna(subset=["region_code"])
    known = frame["load_mwh"].notna()
    grouped = (
        frame.assign(known_kwh=frame["energy_kwh"].where(known, 0.0))
        .groupby("region_code", as_index=False)
        .agg(
            energy_kwh=("energy_kwh", "sum"),
            known_kwh=("known_kwh", "sum"),
            load_mwh=("load_mwh", "sum"),
            co2_kg=("co2_g", lambda grams: grams.sum(min_count=1) / 1000),
        )
    )
    share = 1e6 * grouped["known_kwh"] / 1000 / grouped["load_mwh"].where(grouped["load_mwh"] > 0)
    return grouped.assign(share_ppm=share).drop(columns="known_kwh")


# -- market: the local mode, equal to the questions BRAND_STORY and BRAND_MODELS -------------------------------------


def brand_story(sales: pd.DataFrame, first_year: int, last_year: int) -> pd.DataFrame:
    """Per model year: sales, mean price, mean mileage, mean grade."""
    chosen = sales[sales["release_year"].between(first_year, last_year)]
    return chosen.groupby("release_year", as_index=False).agg(
        n_sales=("selling_price_usd", "size"),
        mean_price_usd=("selling_price_usd", "mean"),
        mean_odometer_miles=("odometer_miles", "mean"),
        mean_grade=("grade", "mean"),
    )


def brand_models(sales: pd.DataFrame, first_year: int, last_year: int) -> pd.DataFrame:
    """Per model: sales, mean price, mean estimate; the 40 most sold."""
    chosen = sales[sales["release_year"].between(first_year, last_year)]
    grouped = chosen.groupby("model", as_index=False).agg(
        n_sales=("selling_price_usd", "size"),
        mean_price_usd=("selling_price_usd", "mean"),
        mean_mmr_usd=("mmr_usd", "mean"),
    )
    return grouped.sort_values(["n_sales", "model"], ascending=[False, True], ignore_index=True).head(40)

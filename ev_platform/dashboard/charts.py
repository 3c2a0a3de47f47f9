"""Frames to Altair charts: a title and a unit on every axis, intervals as bands, one set of colours.

Belongs here: how things are drawn. Not here: what is drawn (shaping.py), pages. Pure; Streamlit's theme gives light and
dark. Colours are those of Okabe and Ito, which colour-blind readers can tell apart, and have 3:1 on white and black.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from ev_platform.dashboard.shaping import density

BLUE, ORANGE, GREEN, PINK, SKY, RED, GREY = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"),
    *("#C4462B", "#808080"),
)
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, GREY)
KINDS = {"charge": GREEN, "drive": BLUE, "idle": "#9AA0A6", "asleep": "#5F6368"}
CLASSES = {"slow": BLUE, "medium": GREEN, "fast": ORANGE}
PRODUCTION = {
    "nuclear": "#E69F00",
    "hydro": BLUE,
    "wind": SKY,
    "solar": "#F0E442",
    "bioenergy": GREEN,
    "thermal": GREY,
}
EXPECTED = [ORANGE, GREEN, PINK, SKY, GREY]
HEIGHT = 320
WHOLE = alt.Axis(tickMinStep=1, format="d")
BELOW = alt.Legend(orient="bottom", labelLimit=320, columns=2)
MANY = 1500
"""More points than this are shown as a density."""


def axis(field: str, title: str, zero: bool = False) -> alt.Y:
    """A quantitative vertical axis."""
    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(zero=zero))


def across(field: str, title: str, zero: bool = False) -> alt.X:
    """A quantitative horizontal axis."""
    return alt.X(f"{field}:Q", title=title, scale=alt.Scale(zero=zero))


def when(field: str, title: str = "time (UTC)") -> alt.X:
    """A horizontal axis of time: UTC, wherever the reader sits."""
    return alt.X(f"{field}:T", title=title, scale=alt.Scale(type="utc"))


def band(frame: pd.DataFrame, x: alt.X, low: str, high: str, colour: str = BLUE) -> alt.Chart:
    """An interval along an axis."""
    return alt.Chart(frame).mark_area(opacity=0.22, color=colour).encode(x=x, y=f"{low}:Q", y2=f"{high}:Q")


def line(frame: pd.DataFrame, x: alt.X, y: alt.Y, colour: str = BLUE, dash: Sequence[int] = (1, 0)) -> alt.Chart:
    """A line along an axis, with the row's figures under the pointer."""
    return (
        alt.Chart(frame)
        .mark_line(color=colour, strokeDash=list(dash), strokeWidth=2)
        .encode(x=x, y=y, tooltip=list(map(str, frame.columns[:8])))
    )


def fleet_health(cars: pd.DataFrame, curves: pd.DataFrame) -> alt.LayerChart:
    """State of health against age: cars with ± 2 sd, curves of fleet templates and the published mean.

    Args:
        cars: age_years, soh_percent, soh_low_percent, soh_high_percent, vin, model.
        curves: age_years, soh_percent, curve.
    """
    x, y = across("age_years", "age (years)", zero=True), axis("soh_percent", "state of health (% of new)")
    drawn = (
        alt.Chart(curves)
        .mark_line(strokeDash=[6, 3], strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=alt.Color("curve:N", title=None, scale=alt.Scale(range=EXPECTED), legend=BELOW),
        )
    )
    if len(cars) > MANY:
        tips = ["age_from", "age_to", "soh_from", "soh_to", "vehicles"]
        cells = (
            alt.Chart(density(cars))
            .mark_rect()
            .encode(
                x=across("age_from", "age (years)", zero=True),
                x2="age_to:Q",
                y=axis("soh_from", "state of health (% of new)"),
                y2="soh_to:Q",
                color=alt.Color("vehicles:Q", title="vehicles", scale=alt.Scale(scheme="blues")),
                tooltip=tips,
            )
        )
        return alt.layer(cells, drawn).resolve_scale(color="independent").properties(height=HEIGHT)
    tips = ["vin", "model", "age_years", "soh_percent", "soh_low_percent", "soh_high_percent"]
    bars = (
        alt.Chart(cars).mark_rule(opacity=0.45, color=BLUE).encode(x=x, y="soh_low_percent:Q", y2="soh_high_percent:Q")
    )
    points = alt.Chart(cars).mark_circle(size=60, color=BLUE).encode(x=x, y=y, tooltip=tips)
    return alt.layer(bars, points, drawn).properties(height=HEIGHT)


def histogram(frame: pd.DataFrame) -> alt.Chart:
    """Vehicles per whole percent of health (soh_from, soh_to, vehicles)."""
    return (
        alt.Chart(frame)
        .mark_bar(color=BLUE)
        .encode(
            x=across("soh_from", "state of health (% of new)"),
            x2="soh_to:Q",
            y=alt.Y("vehicles:Q", title="vehicles", axis=WHOLE),
            tooltip=["soh_from", "soh_to", "vehicles"],
        )
        .properties(height=HEIGHT)
    )


def health_curve(
    months: pd.DataFrame, forecast: pd.DataFrame, makers: pd.DataFrame, field: str = "soh_percent"
) -> alt.LayerChart:
    """Monthly state of health with its 95 % band, the months' own values, the forecast, and the maker's own value.

    Args:
        months: time, soh_percent (or `field`), soh_low_percent, soh_high_percent, own_percent.
        forecast: time, soh_percent, soh_low_percent, soh_high_percent.
        makers: time, soh_percent.
        field: column of the line.
    """
    x, y = when("time", "month"), axis(field, "state of health (% of new)")
    own = (
        alt.Chart(months)
        .mark_circle(color=GREY, size=45)
        .encode(x=x, y="own_percent:Q", tooltip=["time", "own_percent"])
    )
    layers = [
        band(months, x, "soh_low_percent", "soh_high_percent"),
        own,
        line(months, x, y),
        alt.Chart(months).mark_point(color=BLUE, filled=True, size=50).encode(x=x, y=f"{field}:Q"),
    ]
    if len(forecast):
        ahead = axis("soh_percent", "state of health (% of new)")
        layers += [
            band(forecast, x, "soh_low_percent", "soh_high_percent", ORANGE),
            line(forecast, x, ahead, ORANGE, (5, 4)),
        ]
    if len(makers):
        layers.append(alt.Chart(makers).mark_point(color=PINK, shape="diamond", size=70).encode(x=x, y="soh_percent:Q"))
    return alt.layer(*layers).properties(height=HEIGHT)


def methods(frame: pd.DataFrame) -> alt.LayerChart:
    """Estimates of each method per month with ± 2 sd: which agree.

    Args:
        frame: time, method, soh_percent, low, high, n_sessions, sum_delta_soc.
    """
    colour = alt.Color("method:N", title="method", scale=alt.Scale(range=list(PALETTE)))
    shift = alt.XOffset("method:N")
    bars = (
        alt.Chart(frame)
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("utcyearmonth(time):O", title="month"), xOffset=shift, y="low:Q", y2="high:Q", color=colour)
    )
    points = (
        alt.Chart(frame)
        .mark_circle(size=70)
        .encode(
            x=alt.X("utcyearmonth(time):O", title="month"),
            xOffset=shift,
            y=axis("soh_percent", "state of health (% of new)"),
            color=colour,
            tooltip=["method", "soh_percent", "n_sessions", "sum_delta_soc"],
        )
    )
    return alt.layer(bars, points).properties(height=HEIGHT)


def capacity_by_mileage(frame: pd.DataFrame) -> alt.LayerChart:
    """Usable capacity against the odometer, with ± 2 sd.

    Args:
        frame: odometer_km, capacity, low, high, month.
    """
    x = across("odometer_km", "odometer (km)")
    bars = alt.Chart(frame).mark_rule(color=BLUE, opacity=0.5).encode(x=x, y="low:Q", y2="high:Q")
    points = (
        alt.Chart(frame)
        .mark_circle(color=BLUE, size=60)
        .encode(x=x, y=axis("capacity", "usable capacity (kWh)"), tooltip=["month", "odometer_km", "capacity"])
    )
    return alt.layer(bars, points).properties(height=HEIGHT)


def charge_curves(frame: pd.DataFrame) -> alt.LayerChart:
    """Median charging power by SoC and power class, with the 10th to 90th percentile of charges.

    Args:
        frame: soc_bin, power_class, p10, median, p90, charges.
    """
    x = across("soc_bin", "state of charge (%)", zero=True)
    colour = alt.Color(
        "power_class:N", title="power class", scale=alt.Scale(domain=list(CLASSES), range=list(CLASSES.values()))
    )
    area = alt.Chart(frame).mark_area(opacity=0.2).encode(x=x, y="p10:Q", y2="p90:Q", color=colour)
    middle = (
        alt.Chart(frame)
        .mark_line()
        .encode(
            x=x,
            y=axis("median", "power into the battery (kW)", zero=True),
            color=colour,
            tooltip=["power_class", "soc_bin", "p10", "median", "p90", "charges"],
        )
    )
    return alt.layer(area, middle).properties(height=HEIGHT)


def timeline(frame: pd.DataFrame) -> alt.Chart:
    """What a vehicle did, a bar per day.

    Args:
        frame: day (text), from_hour, to_hour, state, label.
    """
    return (
        alt.Chart(frame)
        .mark_bar(height={"band": 0.8})
        .encode(
            x=alt.X("from_hour:Q", title="hour of the day (UTC)", scale=alt.Scale(domain=[0, 24])),
            x2="to_hour:Q",
            y=alt.Y("day:O", title="day", sort="descending"),
            color=alt.Color("state:N", title="state", scale=alt.Scale(domain=list(KINDS), range=list(KINDS.values()))),
            tooltip=["label"],
        )
        .properties(height=alt.Step(22))
    )


def by_temperature(frame: pd.DataFrame) -> alt.LayerChart:
    """Consumption by outside temperature, with the 10th to 90th percentile of trips.

    Args:
        frame: temp_bin_c, kwh_per_100km, kwh_per_100km_gross, p10_kwh_per_100km, p90_kwh_per_100km, n_trips.
    """
    x = alt.X("temp_bin_c:Q", title="outside temperature (°C, from)")
    bars = (
        alt.Chart(frame)
        .mark_rule(color=BLUE, strokeWidth=6, opacity=0.25)
        .encode(x=x, y="p10_kwh_per_100km:Q", y2="p90_kwh_per_100km:Q")
    )
    net = (
        alt.Chart(frame)
        .mark_line(color=BLUE, point=True)
        .encode(
            x=x, y=axis("kwh_per_100km", "consumption (kWh/100 km)"), tooltip=["temp_bin_c", "kwh_per_100km", "n_trips"]
        )
    )
    gross = alt.Chart(frame).mark_line(color=ORANGE, strokeDash=[4, 3]).encode(x=x, y="kwh_per_100km_gross:Q")
    return alt.layer(bars, net, gross).properties(height=HEIGHT)


def bars(
    frame: pd.DataFrame, x: str, y: str, x_title: str, y_title: str, colour: str = BLUE, group: str = ""
) -> alt.Chart:
    """A bar per row, largest first if it is a place, else in the order of x."""
    encoding = {"color": alt.Color(f"{group}:N", scale=alt.Scale(range=list(PALETTE)))} if group else {}
    mark = alt.Chart(frame).mark_bar() if group else alt.Chart(frame).mark_bar(color=colour)
    return mark.encode(
        x=alt.X(f"{x}:O", title=x_title, sort=None),
        y=alt.Y(f"{y}:Q", title=y_title),
        tooltip=[c for c in (x, group, y) if c],
        **encoding,
    ).properties(height=HEIGHT)


def series(
    frame: pd.DataFrame, x: str, y: str, y_title: str, group: str = "", x_title: str = "time (UTC)", zero: bool = False
) -> alt.Chart:
    """A line over time, or one per group."""
    colour = {"color": alt.Color(f"{group}:N", scale=alt.Scale(range=list(PALETTE)))} if group else {}
    mark = alt.Chart(frame).mark_line() if group else alt.Chart(frame).mark_line(color=BLUE)
    return mark.encode(
        x=when(x, x_title), y=axis(y, y_title, zero), tooltip=[c for c in (x, group, y) if c], **colour
    ).properties(height=HEIGHT)


def load_curve(frame: pd.DataFrame) -> alt.LayerChart:
    """Our energy per local half-hour as bars, the grid's load percentile as a line on an axis of its own.

    Args:
        frame: hour, energy_kwh, load_percentile.
    """
    x = alt.X("hour:Q", title="time of day (hour, Europe/Paris)", scale=alt.Scale(domain=[0, 24]))
    ours = (
        alt.Chart(frame)
        .mark_bar(color=BLUE, width=8)
        .encode(x=x, y=alt.Y("energy_kwh:Q", title="our charging (kWh per half-hour)"), tooltip=["hour", "energy_kwh"])
    )
    grid = (
        alt.Chart(frame)
        .mark_line(color=ORANGE, strokeWidth=3)
        .encode(
            x=x,
            y=alt.Y("load_percentile:Q", title="load percentile of the day (%)"),
            tooltip=["hour", "load_percentile"],
        )
    )
    return alt.layer(ours, grid).resolve_scale(y="independent").properties(height=HEIGHT)


def production(frame: pd.DataFrame, consumption: pd.DataFrame) -> alt.LayerChart:
    """Power produced by kind as stacked areas, consumption as a line.

    Args:
        frame: instant, kind, power_mw.
        consumption: instant, consumption_mw, source.
    """
    x = when("instant")
    stacked = (
        alt.Chart(frame)
        .mark_area(opacity=0.85)
        .encode(
            x=x,
            y=alt.Y("power_mw:Q", stack="zero", title="power (MW)"),
            color=alt.Color(
                "kind:N", title="production", scale=alt.Scale(domain=list(PRODUCTION), range=list(PRODUCTION.values()))
            ),
            tooltip=["instant", "kind", "power_mw"],
        )
    )
    used = (
        alt.Chart(consumption)
        .mark_line(color=RED, strokeWidth=2)
        .encode(
            x=x,
            y="consumption_mw:Q",
            strokeDash=alt.StrokeDash("source:N", title="consumption"),
            tooltip=["instant", "consumption_mw", "source"],
        )
    )
    return alt.layer(stacked, used).properties(height=HEIGHT + 60)


def ratio_curves(frame: pd.DataFrame, group: str) -> alt.LayerChart:
    """Expected price by age with the 16th to 84th percentile, per make.

    Args:
        frame: age_years, price_usd, price_low_usd, price_high_usd, and `group`.
        group: column of the makes.
    """
    x = across("age_years", "age (years)", zero=True)
    colour = alt.Color(f"{group}:N", scale=alt.Scale(range=list(PALETTE)))
    area = (
        alt.Chart(frame).mark_area(opacity=0.15).encode(x=x, y="price_low_usd:Q", y2="price_high_usd:Q", color=colour)
    )
    middle = (
        alt.Chart(frame).mark_line().encode(x=x, y=axis("price_usd", "expected price (USD)", zero=True), color=colour)
    )
    return alt.layer(area, middle).properties(height=HEIGHT)

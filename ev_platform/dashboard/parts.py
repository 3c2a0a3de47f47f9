"""What pages are made of: figures in a row, a table with its downloads, and what to say when there is nothing.

Not here: which table (pages), charts (charts.py).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from ev_platform.query.catalogue import find

NOTHING = "–"
UNITS = {
    "percent": "%",
    "degC": "°C",
    "a": "years",
    "percent/a": "%/year",
    "percent/d": "%/day",
    "ppm": "ppm",
}
"""Units of the schemas as a reader writes them; others stay as they are."""


def title(name: str, says: str) -> None:
    """Name of the page and the one sentence that says what it answers."""
    st.title(name)
    note(says)


def note(text: str) -> None:
    """A line in small print. Not Streamlit's caption: that is too faint to read for many (3.9 to 1)."""
    st.markdown(f":small[{text}]")


def empty(what: str, command: str) -> None:
    """There is nothing: say what, and the command that makes it."""
    st.info(f"{what} Run this, then reload the page:", icon=":material/info:")
    st.code(command, language=None)  # its colours for shell are too faint


def figures(values: Mapping[str, tuple[str, str]]) -> None:
    """Label → (figure with unit, explanation), in a row."""
    with st.container(horizontal=True):
        for label, (figure, meaning) in values.items():
            st.metric(label, figure, help=meaning, border=True)


def say(value: float | None, unit: str = "", digits: int = 1) -> str:
    """A number with its unit; a dash where it is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    return f"{value:,.{digits}f} {unit}".strip().replace(",", "\u202f")


def count(number: float) -> str:
    """A whole number."""
    return say(float(number), "", 0)


def with_sd(value: float | None, sd: float | None, unit: str) -> str:
    """A number with its standard deviation."""
    if value is None or math.isnan(value):
        return NOTHING
    return say(value, unit) if sd is None or math.isnan(sd) else f"{value:.1f} ± {sd:.1f} {unit}"


def table(
    frame: pd.DataFrame,
    name: str,
    of: str = "",
    *,
    columns: Mapping[str, Any] | None = None,
    lazy: bool = False,
) -> None:
    """Rows to sort, search and download.

    Args:
        frame: what is shown.
        name: name of the files that are downloaded, and of the widgets.
        of: SQL name of the table the columns are of: units and meanings of the headers come from its schema.
        columns: Streamlit's configuration of single columns.
        lazy: send rows when they are scrolled to.
    """
    configured = {**headers(frame, of), **(columns or {})}
    st.dataframe(
        frame,
        hide_index=True,
        column_config=configured,
        key=f"table-{name}",
        lazy=lazy or None,
        alt=f"Table {name}",
        placeholder="",
    )
    downloads(frame, name)


def headers(frame: pd.DataFrame, of: str) -> dict[str, Any]:
    """Headers with units, and meanings as help: out of the table's schema, else out of the column's own name."""
    found = find(of)
    fields = {field.name: field for field in found.schema} if found else {}
    configured = {}
    for name in frame.columns:
        label, unit = _named(str(name))
        meaning = None
        if name in fields:
            metadata = {key.decode(): value.decode() for key, value in (fields[name].metadata or {}).items()}
            unit, meaning = metadata.get("unit", unit), metadata.get("description")
        label += f" ({UNITS.get(unit, unit)})" if unit else ""
        configured[name] = _column(frame[name], label, meaning)
    return configured


def _column(values: pd.Series, label: str, meaning: str | None) -> Any:  # noqa: ANN401 - Streamlit's own
    config = st.column_config
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return config.DatetimeColumn(label, help=meaning, format="YYYY-MM-DD HH:mm", timezone="UTC")
    if pd.api.types.is_float_dtype(values.dtype):
        large = values.abs().max() >= LARGE
        return config.NumberColumn(label, help=meaning, format="%.0f" if large else "%.2f")
    if len(values) and hasattr(values.iloc[0], "__len__") and not isinstance(values.iloc[0], str):
        return config.ListColumn(label, help=meaning)
    return config.Column(label, help=meaning)


LARGE = 1000.0
"""From here on decimals only make a column hard to read."""
SUFFIXES = {
    "percent_per_day": "%/day", "percent_per_year": "%/year", "kwh_per_100km_gross": "kWh/100km",
    "kwh_per_100km": "kWh/100km", "g_per_kwh": "g/kWh", "percent": "%", "mwh": "MWh", "gwh": "GWh", "kwh": "kWh",
    "mw": "MW", "kw": "kW", "km": "km", "kmh": "km/h", "min": "min", "usd": "USD", "usd_per_month": "USD/month",
    "miles": "miles", "kg": "kg", "ppm": "ppm", "days": "days", "years": "years", "mb": "MB", "c": "°C", "w": "W",
    "v": "V", "s": "s", "h": "h",
}  # fmt: skip
"""Last parts of columns' names that are units."""
WORDS = {
    "vin": "VIN",
    "soh": "health",
    "soc": "SoC",
    "dc": "DC",
    "ac": "AC",
    "co2": "CO₂",
    "n": "number of",
    "mmr": "MMR",
}


def _named(name: str) -> tuple[str, str]:
    """A column's name as words, and its unit."""
    unit = next((end for end in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(f"_{end}")), "")
    stem = name.removesuffix(f"_{unit}") if unit else name
    words = " ".join(WORDS.get(word, word) for word in stem.split("_"))
    return words[:1].upper() + words[1:], SUFFIXES.get(unit, "")


def downloads(frame: pd.DataFrame, name: str) -> None:
    """The rows as CSV and Parquet; made when asked for."""
    with st.container(horizontal=True):
        st.download_button("CSV", lambda: to_csv(frame), f"{name}.csv", "text/csv", key=f"csv-{name}")
        st.download_button(
            "Parquet",
            lambda: to_parquet(frame),
            f"{name}.parquet",
            "application/vnd.apache.parquet",
            key=f"parquet-{name}",
        )


def to_csv(frame: pd.DataFrame) -> bytes:
    """CSV with a header, UTF-8; lists joined by blanks."""
    plain = frame.copy()
    for column in plain.columns:
        if plain[column].map(lambda cell: hasattr(cell, "__len__") and not isinstance(cell, str)).any():
            plain[column] = plain[column].map(
                lambda cell: " ".join(map(str, cell)) if hasattr(cell, "__len__") else cell
            )
    return plain.to_csv(index=False).encode()


def _joined(cell: Any) -> Any:  # noqa: ANN401 - any cell
    return " ".join(map(str, cell)) if hasattr(cell, "__len__") and not isinstance(cell, str) else cell


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Parquet with the columns' own types."""
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False)
    return sink.getvalue()

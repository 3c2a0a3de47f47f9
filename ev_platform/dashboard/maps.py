"""Maps without tiles: nothing is fetched, so a page works where there is no internet.

Places are the regions' prefectures (insights/prefectures.csv), or polygons where `EV_REGIONS_FILE` names some. Pure
but for reading that file. Not here: figures.
"""

from __future__ import annotations

import io
from importlib import resources
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ev_platform.dashboard.charts import BLUE
from ev_platform.insights.regions import prefectures, read_regions

NAMES = {
    "11": "Île-de-France", "24": "Centre-Val de Loire", "27": "Bourgogne-Franche-Comté", "28": "Normandie",
    "32": "Hauts-de-France", "44": "Grand Est", "52": "Pays de la Loire", "53": "Bretagne",
    "75": "Nouvelle-Aquitaine", "76": "Occitanie", "84": "Auvergne-Rhône-Alpes",
    "93": "Provence-Alpes-Côte d’Azur", "94": "Corse",
}  # fmt: skip
"""INSEE codes of the regions of metropolitan France."""


def centres() -> pd.DataFrame:
    """region_code, region, latitude, longitude of each region: the mean of its departments' prefectures."""
    codes, places = prefectures()
    frame = pd.DataFrame({"region_code": codes, "latitude": places[:, 0], "longitude": places[:, 1]})
    middle = frame.groupby("region_code", as_index=False).mean()
    middle["region"] = middle["region_code"].map(NAMES).fillna(middle["region_code"])
    return middle


def region_map(frame: pd.DataFrame, field: str, title: str, regions_file: str = "") -> alt.LayerChart | alt.Chart:
    """A figure per region: filled polygons where there are some, else a circle of that size at the region's middle.

    Args:
        frame: region_code and `field`.
        field: column shown.
        title: of the legend, with the unit.
        regions_file: EV_REGIONS_FILE, may be empty.
    """
    placed = centres().merge(frame[["region_code", field]], on="region_code", how="left")
    projection: dict[str, Any] = {"type": "conicConformal", "rotate": [-3, -46.5], "parallels": [44, 49]}
    shown = alt.Color(f"{field}:Q", title=title, scale=alt.Scale(scheme="blues"))
    if regions_file:
        shapes = alt.Data(values=_features(regions_file, placed, field))
        return (
            alt.Chart(shapes)
            .mark_geoshape(stroke="white")
            .encode(
                color=alt.Color(f"properties.{field}:Q", title=title),
                tooltip=["properties.region:N", f"properties.{field}:Q"],
            )
            .project(**projection)
            .properties(height=460)
        )
    codes, places = prefectures()
    every = pd.DataFrame({"latitude": places[:, 0], "longitude": places[:, 1], "region_code": codes})
    outline = (
        alt.Chart(every).mark_circle(size=8, color="#9AA0A6").encode(longitude="longitude:Q", latitude="latitude:Q")
    )
    known = placed.dropna(subset=[field])
    tips = ["region", alt.Tooltip(f"{field}:Q", title=title, format=",.1f")]
    circles = (
        alt.Chart(known)
        .mark_circle(opacity=0.85, stroke=BLUE)
        .encode(
            longitude="longitude:Q",
            latitude="latitude:Q",
            size=alt.Size(f"{field}:Q", legend=None, scale=alt.Scale(range=[60, 2400])),
            color=shown,
            tooltip=tips,
        )
    )
    names = (
        alt.Chart(placed)
        .mark_text(dy=-4, fontSize=11, color="#808080")
        .encode(longitude="longitude:Q", latitude="latitude:Q", text="region:N", tooltip=tips)
    )
    return alt.layer(outline, circles, names).project(**projection).properties(height=460)


def _features(path: str, placed: pd.DataFrame, field: str) -> list[dict[str, Any]]:
    values = placed.set_index("region_code")
    found = []
    for region in read_regions(path):
        value = values[field].get(region.code, np.nan)
        name = values["region"].get(region.code, region.code)
        rings = [[[float(x), float(y)] for x, y in ring] for ring in region.rings]
        found.append(
            {
                "type": "Feature",
                "geometry": {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]},
                "properties": {"region": name, field: None if pd.isna(value) else float(value)},
            }
        )
    return found


def department_map(frame: pd.DataFrame, field: str, title: str) -> alt.Chart:
    """A figure per department as a circle at its prefecture.

    Args:
        frame: code (of the department), name and `field`.
        field: column shown.
        title: of the legend, with the unit.
    """
    placed = department_places().merge(frame[["code", "name", field]].dropna(), on="code")
    return (
        alt.Chart(placed)
        .mark_circle(opacity=0.85)
        .encode(
            longitude="longitude:Q",
            latitude="latitude:Q",
            size=alt.Size(f"{field}:Q", legend=None, scale=alt.Scale(range=[20, 900])),
            color=alt.Color(f"{field}:Q", title=title, scale=alt.Scale(scheme="blues")),
            tooltip=["name", alt.Tooltip(f"{field}:Q", title=title, format=",.1f")],
        )
        .project(type="conicConformal", rotate=[-3, -46.5], parallels=[44, 49])
        .properties(height=460)
    )


def department_places() -> pd.DataFrame:
    """code, latitude, longitude of each department's prefecture."""
    text = resources.files("ev_platform.insights").joinpath("prefectures.csv").read_text(encoding="utf-8")
    frame = pd.read_csv(io.StringIO(text), dtype={"department": str})
    return frame.rename(columns={"department": "code"})[["code", "latitude", "longitude"]]

"""Which French region a place lies in: by polygons where there are some, else by the nearest prefecture.

Pure, vectorised with numpy. Not here: where a car charges (places.py). The nearest prefecture is right for about nine
places in ten and needs no file; borders of regions are exact only with `EV_REGIONS_FILE`.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ev_platform.errors import UserError

Floats = npt.NDArray[np.float64]
MOST_KM = 90.0
"""Farther than this from every prefecture is abroad (or overseas, or at sea)."""
EARTH_KM = 6371.0
CODE_KEYS = ("reg_code", "code", "code_insee_region", "INSEE_REG")


@dataclass(frozen=True)
class Region:
    """One region: rings of (longitude, latitude); by the even-odd rule, inner rings are holes."""

    code: str
    rings: tuple[Floats, ...]


@cache
def prefectures() -> tuple[tuple[str, ...], Floats]:
    """Region codes and (latitude, longitude) of the prefectures, in the order of the file."""
    text = resources.files(__package__).joinpath("prefectures.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    places = np.array([[float(row["latitude"]), float(row["longitude"])] for row in rows])
    return tuple(row["region_code"] for row in rows), places


def read_regions(path: str) -> tuple[Region, ...]:
    """Regions of a GeoJSON file (ODRÉ's georef-france-region, or any with a region code per feature).

    Raises:
        UserError: it cannot be read or has no polygon with a code.
    """
    try:
        document: dict[str, Any] = json.loads(Path(path).expanduser().read_text(encoding="utf-8-sig"))
        found = [region for feature in document["features"] for region in _region(feature)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"EV_REGIONS_FILE {path} is no GeoJSON of regions ({type(error).__name__})") from None
    if not found:
        raise UserError(f"EV_REGIONS_FILE {path}: no polygon with one of {', '.join(CODE_KEYS)}")
    return tuple(found)


def _region(feature: dict[str, Any]) -> list[Region]:
    values = [feature["properties"].get(key) for key in CODE_KEYS]
    code = next((value[0] if isinstance(value, list) else value for value in values if value), None)
    shape = feature.get("geometry")
    if code is None or not shape or shape["type"] not in ("Polygon", "MultiPolygon"):
        return []
    polygons = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
    rings = tuple(np.array([point[:2] for point in ring], dtype=float) for polygon in polygons for ring in polygon)
    return [Region(f"{code:>02}", rings)]


def region_of(
    latitude: Floats, longitude: Floats, regions: tuple[Region, ...] = ()
) -> tuple[list[str | None], list[str]]:
    """Region code and method (`polygon`, `nearest_prefecture`, `unknown`) of each place; NaN is unknown.

    Args:
        latitude: degrees north, n.
        longitude: degrees east, n.
        regions: polygons; without them the nearest prefecture decides. With them a place outside of all is abroad.
    """
    known = np.isfinite(latitude) & np.isfinite(longitude)
    # cars stand at few places: each is looked up once, to the nearest 10 m
    cells, back = np.unique(np.round(np.stack([latitude, longitude], axis=1)[known], 4), axis=0, return_inverse=True)
    codes = _by_polygon(cells, regions) if regions else _by_prefecture(cells)
    method = "polygon" if regions else "nearest_prefecture"
    out: list[str | None] = [None] * len(latitude)
    methods = ["unknown"] * len(latitude)
    for place, cell in zip(np.flatnonzero(known).tolist(), back.reshape(-1).tolist(), strict=True):
        out[place] = codes[cell]
        methods[place] = method
    return out, methods


def _by_prefecture(places: Floats) -> list[str | None]:
    codes, centres = prefectures()
    found: list[str | None] = []
    for block in np.array_split(places, max(len(places) // 10_000, 1)):
        distance = _distance_km(block[:, None, :], centres[None, :, :])
        nearest = distance.argmin(axis=1)
        near = distance[np.arange(len(block)), nearest] <= MOST_KM
        found += [codes[k] if ok else None for k, ok in zip(nearest.tolist(), near.tolist(), strict=True)]
    return found


def _distance_km(a: Floats, b: Floats) -> Floats:
    """Distance on the sphere by the haversine formula; arrays of (latitude, longitude) in degrees."""
    a, b = np.radians(a), np.radians(b)
    half = np.sin((a - b) / 2.0) ** 2
    inside = half[..., 0] + np.cos(a[..., 0]) * np.cos(b[..., 0]) * half[..., 1]
    return np.asarray(2.0 * EARTH_KM * np.arcsin(np.sqrt(inside)))


def _by_polygon(places: Floats, regions: tuple[Region, ...]) -> list[str | None]:
    """Even-odd rule: a ray to the east crosses the rings of the region that holds the place an odd number of times."""
    codes = np.full(len(places), None, dtype=object)
    for region in regions:
        corners = np.concatenate(region.rings)
        low, high = corners.min(axis=0), corners.max(axis=0)
        near = (
            (places[:, 1] >= low[0]) & (places[:, 1] <= high[0]) & (places[:, 0] >= low[1]) & (places[:, 0] <= high[1])
        )
        inside = np.zeros(int(near.sum()), dtype=bool)
        for ring in region.rings:
            inside ^= _odd_crossings(places[near], ring)
        at = np.flatnonzero(near)[inside]
        codes[at] = region.code
    return codes.tolist()


def _odd_crossings(places: Floats, ring: Floats) -> npt.NDArray[np.bool_]:
    y, x = places[:, 0], places[:, 1]
    odd = np.zeros(len(places), dtype=bool)
    following = np.roll(ring, -1, axis=0)
    for (x1, y1), (x2, y2) in zip(ring, following, strict=True):
        if y1 == y2:
            continue
        spans = (y1 > y) != (y2 > y)
        odd ^= spans & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return odd

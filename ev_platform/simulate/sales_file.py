"""The file that a sales platform publishes: the true sales with the dirt of the public data, and its fate.

Each kind of dirt is one function on rows of its own, so that every row knows its fate: a sale (with the values that are
left), or a quarantined row with its reason. Counts and shares follow the public copies (docs/market.md).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ev_platform.lake.schemas_market import SALES
from ev_platform.simulate.sales import PACIFIC_SUMMER, Market, true_sales

HEADER = (
    *("year", "make", "model", "trim", "body", "transmission", "vin", "state", "condition", "odometer"),
    *("color", "interior", "seller", "mmr", "sellingprice", "saledate"),
)
SHIFTED_TRIM = "SE PZEV w/Connectivity, Navitgation"
ALIASES = {
    "Volkswagen": ("vw", "volkswagen", "VOLKSWAGEN"),
    "Mercedes-Benz": ("mercedes-b", "mercedes"),
    "Chevrolet": ("chev truck", "chevrolet"),
    "Ford": ("ford truck", "FORD"),
    "GMC": ("gmc truck", "gmc"),
    "BMW": ("bmw",),
}

Row = dict[str, Any]


@dataclass
class SalesFile:
    """A CSV file, the sales that must come out of it, and the number of quarantined rows by reason."""

    data: bytes
    expected: pa.Table
    quarantined: dict[str, int] = field(default_factory=dict)


def _note(row: Row, note: str) -> None:
    row["repairs"].append(note)


def _alias(row: Row, draw: np.random.Generator) -> None:
    names = ALIASES.get(row["make"], (row["make"].lower(), row["make"].upper()))
    row["text"]["make"] = names[draw.integers(0, len(names))]


def _no_make(row: Row, draw: np.random.Generator) -> None:
    row["text"]["make"] = ""
    row["late_notes"] = ["make_from_vin"]


def _no_color(row: Row, draw: np.random.Generator) -> None:
    row["text"]["color"], row["color"] = "—", None


def _no_condition(row: Row, draw: np.random.Generator) -> None:
    row["text"]["condition"], row["grade"], row["condition_raw"] = "", None, None


def _odometer(row: Row, draw: np.random.Generator) -> None:
    row["text"]["odometer"] = ("1.0", "999999.0")[draw.integers(0, 2)]
    row["odometer_miles"] = None


def _no_vin(row: Row, draw: np.random.Generator) -> None:
    row["text"]["vin"], row["vin"] = "", None


def _no_gear(row: Row, draw: np.random.Generator) -> None:
    row["text"]["transmission"], row["transmission"] = "", None


def _spaces(row: Row, draw: np.random.Generator) -> None:
    row["text"]["seller"] = row["seller"].replace(" ", "  ").upper()
    row["text"]["body"] = row["body"].title()


def _rejoined(row: Row, draw: np.random.Generator) -> None:
    """A field too many: the comma of the trim is not quoted, nothing is lost."""
    row["text"]["trim"], row["car_trim"], row["rejoined"] = SHIFTED_TRIM, SHIFTED_TRIM, True


def _shifted(row: Row, draw: np.random.Generator) -> None:
    """The same row in a copy that was cut to its width: a field too many went, with state, seller and date."""
    text = row["text"]
    values = [text[name] for name in HEADER]
    parts = SHIFTED_TRIM.split(",")
    moved = [*values[:3], *parts, *values[4:7], "", *values[8:12], "", values[13], values[14]]
    row["text"] = dict(zip(HEADER, moved, strict=True))
    row["fate"] = "shifted_row"


def _fate(reason: str, **text: str) -> Callable[[Row, np.random.Generator], None]:
    def spoil(row: Row, draw: np.random.Generator) -> None:
        row["text"].update(text)
        row["fate"] = reason

    return spoil


DIRT: tuple[tuple[str, float, Callable[[Row, np.random.Generator], None]], ...] = (
    ("alias", 0.10, _alias),
    ("no_make", 0.005, _no_make),
    ("no_color", 0.04, _no_color),
    ("no_condition", 0.02, _no_condition),
    ("odometer", 0.004, _odometer),
    ("no_vin", 0.001, _no_vin),
    ("no_gear", 0.11, _no_gear),
    ("spaces", 0.20, _spaces),
    ("rejoined", 0.001, _rejoined),
    ("shifted", 0.0015, _shifted),
    ("no_date_no_price", 0.0015, _fate("no_date_no_price", sellingprice="", saledate="")),
    ("placeholder_price", 0.001, _fate("placeholder_price", sellingprice="1")),
    ("bad_date", 0.0005, _fate("bad_date", saledate="16/12/2014")),
    ("bad_model_year", 0.0005, _fate("bad_model_year", year="20I5")),
)
"""Kind, share of rows, what it does. A row takes at most one of them."""

DOUBLED_SHARE = 0.001


def write_sales(market: Market, *, capitals: bool = False) -> SalesFile:
    """The published file of a market; `capitals`: the variant with capital names and a byte order mark."""
    draw = market.draw("file")
    truth = true_sales(market)
    kinds = draw.choice(len(DIRT) + 1, size=truth.height, p=_shares())
    lines: list[list[str]] = []
    kept: list[Row] = []
    quarantined: dict[str, int] = {}
    for row, kind in zip(truth.iter_rows(named=True), kinds.tolist(), strict=True):
        fate = _spoil(row, kind, draw)
        lines.append(_line(row))
        if row["fate"]:
            quarantined[fate] = quarantined.get(fate, 0) + 1
            continue
        kept.append(row)
        if draw.random() < DOUBLED_SHARE:
            lines.append(_line(row))
            quarantined["duplicate"] = quarantined.get("duplicate", 0) + 1
    order = draw.permutation(len(lines))
    header = [name.capitalize() for name in HEADER] if capitals else list(HEADER)
    body = "\n".join([",".join(header), *(",".join(lines[k]) for k in order), ""])
    data = body.encode("utf-8-sig" if capitals else "utf-8")
    return SalesFile(data, _expected(kept), dict(sorted(quarantined.items())))


def _shares() -> np.ndarray:
    shares = np.array([share for _, share, _ in DIRT])
    return np.array([*shares, 1 - shares.sum()])


def _spoil(row: Row, kind: int, draw: np.random.Generator) -> str:
    row |= {"repairs": [], "late_notes": [], "fate": "", "rejoined": False, "condition_raw": row["grade"]}
    lost_point = draw.random() < 0.9  # the older copy, which still has its decimal points, is mixed in
    if lost_point:
        row["condition_raw"] = row["grade"] if row["grade"] == int(row["grade"]) else round(row["grade"] * 10, 0)
    row["text"] = _text(row, draw)
    if kind < len(DIRT):
        DIRT[kind][2](row, draw)
    if row["rejoined"]:
        _note(row, "unquoted_comma_rejoined")
    if row["grade"] is not None and row["condition_raw"] > 5:
        _note(row, "condition_point_restored")
    if row["odometer_miles"] is None:
        _note(row, f"odometer_placeholder:{row['text']['odometer']}")
    row["repairs"] += row["late_notes"]
    return str(row["fate"])


def _text(row: Row, draw: np.random.Generator) -> Row:
    summer = PACIFIC_SUMMER[0] <= row["sold_at"].date() < PACIFIC_SUMMER[1]
    hours, zone = (7, "PDT") if summer else (8, "PST")
    local = row["sold_at"].replace(tzinfo=None) - np.timedelta64(hours, "h").astype(object)
    condition = row["condition_raw"]
    return {
        "year": str(row["release_year"]),
        "make": row["make"],
        "model": row["model"],
        "trim": row["car_trim"],
        "body": row["body"].title() if draw.random() < 0.5 else row["body"],
        "transmission": row["transmission"],
        "vin": row["vin"].lower(),
        "state": row["state"].lower(),
        "condition": f"{condition:g}" if draw.random() < 0.5 else f"{condition:.1f}",
        "odometer": f"{row['odometer_miles']:.1f}",
        "color": row["color"],
        "interior": row["interior"],
        "seller": row["seller"],
        "mmr": f"{row['mmr_usd']:.0f}",
        "sellingprice": f"{row['selling_price_usd']:.0f}",
        "saledate": f"{local:%a %b %d %Y %H:%M:%S} GMT-0{hours}00 ({zone})",
    }


def _line(row: Row) -> list[str]:
    if row["rejoined"]:
        return [str(value) for value in row["text"].values()]
    return [_quoted(value) for value in row["text"].values()]


def _quoted(value: str) -> str:
    if "," not in value and '"' not in value:
        return value
    sink = io.StringIO()
    csv.writer(sink, lineterminator="").writerow([value])
    return sink.getvalue()


def _expected(kept: list[Row]) -> pa.Table:
    """The refined table: sorted, with resales, computed row by row."""
    kept.sort(key=lambda row: (row["sold_at"], row["vin"] is None, row["vin"] or "", row["selling_price_usd"]))
    last: dict[str, Row] = {}
    for row in kept:
        before = last.get(row["vin"]) if row["vin"] else None
        row["sale_number"] = before["sale_number"] + 1 if before else 1
        row["previous_price_usd"] = before["selling_price_usd"] if before else None
        seconds = (row["sold_at"] - before["sold_at"]).total_seconds() if before else None
        row["days_since_previous"] = None if seconds is None else round(seconds / 86_400, 4)
        if row["vin"]:
            last[row["vin"]] = row
    return pa.Table.from_pylist([{name: row[name] for name in SALES.names} for row in kept], schema=SALES)

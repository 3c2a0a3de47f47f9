"""Writes docs/rules: one page per rule with the picture that justifies it, made by the product's own kernels.

`python scripts/rules_pages.py [folder]`. Every scene is a few lines of data; grey is what was sent, blue what is left after
cleaning, red what a rule touched, the band below shows the segments. Same code, same bytes: a test compares.
"""

# ruff: noqa: E501 - prose in one piece
from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from ev_platform.transform.clean import clean
from ev_platform.transform.rules import CLEANING, SEGMENTS
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import stitch
from ev_platform_tests.transform.fleet import DAY, MIDNIGHT, MILE, Life, compressed, vehicles
from ev_platform_tests.transform.reduced import lived, seen
from ev_platform_tests.transform.scenes import CHARGING, DRIVING, PARKED, every, odometer, scene, soc

WIDTH, PANEL, LEFT, RIGHT = 760, 110, 64, 12
COLOURS = {"drive": "#e8a33d", "charge": "#4caf7a", "idle": "#e3e6ea", "asleep": "#c3cad3"}
UNITS = {"soc_percent": "SoC %", "odometer_km": "km", "speed_kmh": "km/h", "pack_current_a": "A", "pack_voltage_v": "V"}
SENT = {
    "soc_percent": ("Soc", 1.0),
    "odometer_km": ("Odometer", MILE),
    "speed_kmh": ("VehicleSpeed", MILE),
    "pack_current_a": ("PackCurrent", 1.0),
    "pack_voltage_v": ("PackVoltage", 1.0),
}


@dataclass(frozen=True)
class Page:
    """One rule: what it is called, what it says and why, the scene that shows it, the columns to draw."""

    name: str
    title: str
    text: str
    scene: Callable[[], Life]
    columns: tuple[str, ...]


def _changed(steps, at, data):  # noqa: ANN001, ANN202
    """Steps with other data at some positions."""
    steps = [(minute, dict(values)) for minute, values in steps]
    for position in at:
        steps[position][1].update(data(position) if callable(data) else data)
    return steps


def _trip(first: float, minutes: float, level: float, km: float = 1000.0):  # noqa: ANN202
    moving = DRIVING | {"Soc": soc(level, -12), "Odometer": odometer(km, 50), "VehicleSpeed": lambda m: 28 + m % 7}
    return every(0.5, first, first + minutes, moving)


def _parked(first: float, last: float, level: float, km: float = 1000.0, **more: object):  # noqa: ANN202
    return every(1, first, last, PARKED | {"Soc": level, "Odometer": km / MILE} | more)


def _charge(first: float, minutes: float, level: float, per_hour: float = 17.0, **more: object):  # noqa: ANN202
    return every(
        0.5, first, first + minutes, CHARGING | {"Soc": soc(level, per_hour), "Odometer": 1000.0 / MILE} | more
    )


def _stale() -> Life:
    old = _parked(0, 20, 33.9)
    return scene(*old, (80, dict(old[-1][1])), (80.13, dict(old[-1][1])), *_parked(80.3, 110, 97.1))


def _midnight() -> Life:
    start = MIDNIGHT + 21 * 3_600_000_000
    return scene(*_parked(0, 60, 40.0), *_charge(61, 240, 40.0, 11.0), *_parked(302, 330, 84.0), start=start)


SOURCES = "Limits: columns of `ev_platform/signals/canonical.csv`, constants of the module named below."
PAGES = (
    Page(
        "stale_head",
        "Stale head",
        "After a gap some loggers first repeat what they knew before it, then tell the truth: SoC 33.9 → 97.1 % within 8 s. "
        "Taken at face value that is a charge at 28,000 kW. Up to two rows that repeat the old SoC and odometer after more "
        "than 60 s of silence, and that the next value contradicts, are dropped (`clean_rules.drop_stale_heads`). What is "
        "left is the gap, and the gap rule finds the charge in it.",
        _stale,
        ("soc_percent",),
    ),
    Page(
        "spike",
        "Spike",
        "One value that can neither follow from the one before nor lead to the next, while those two agree, is nulled "
        "(`clean_rules.null_spikes`). Steepest change: 600 % per hour up, 900 % down, 160 km/h; whole-number feeds get one "
        "number more.",
        lambda: scene(*_changed(_trip(0, 40, 70), [40], {"Soc": 12.0})),
        ("soc_percent",),
    ),
    Page(
        "soc_zero",
        "SoC of 0 that means missing",
        "A zero counts only near empty: if the nearest other SoC is above 5 %, or the voltage is that of a pack at 20 % and "
        "more, it is nulled (`clean_rules.null_zero_soc`). Seen on a 2013 Leaf with the voltage at mid-pack.",
        lambda: scene(*_changed(_trip(0, 40, 70), [30, 31, 55], {"Soc": 0.0})),
        ("soc_percent",),
    ),
    Page(
        "jump",
        "Infeasible step",
        "A step steeper than any charge or drive, after which the values stay, is a recalibration or lost data. It is kept, "
        "flagged, and nothing is bridged over it: segments are cut there (`clean_rules.flag_jumps`). Without the cut the "
        "step would count as consumption.",
        lambda: scene(*_parked(0, 30, 66.3), *_parked(31, 60, 50.9)),
        ("soc_percent",),
    ),
    Page(
        "odometer_decrease",
        "Odometer that falls",
        "An odometer never falls. The fewest readings whose removal leaves a series that never decreases are nulled "
        "(`clean_rules.null_odometer_decreases`); comparing with the largest value so far would let one wrong high value "
        "null the rest of the day.",
        lambda: scene(*_changed(_trip(0, 40, 70), range(40, 46), lambda i: {"Odometer": 640.0 - i / 10})),
        ("odometer_km",),
    ),
    Page(
        "range",
        "Physical range",
        "Values that no vehicle can have are nulled, each signal by its own interval in the catalogue; voltage also by 0.52 "
        "to 1.35 of the day's median, current also by the power it means (`clean_rules.null_out_of_range`, "
        "`clean_current.null_voltage_off_level`).",
        lambda: scene(
            *_changed(_changed(_trip(0, 40, 70), [25], {"PackVoltage": 1023.0}), [50], {"PackVoltage": 120.0})
        ),
        ("pack_voltage_v",),
    ),
    Page(
        "reversed",
        "Reversed current",
        "The sign of a current is declared per feed, but loggers differ from car to car. If, over steps of SoC that add up "
        "to 5 %, charge and SoC are correlated by -0.7 and less, the day's current is turned, flagged and counted "
        "(`clean_current.turn_reversed_current`).",
        lambda: seen(lived(12), ("Soc", "PackVoltage", "PackCurrent"), 60, sign=-1),
        ("soc_percent", "pack_current_a"),
    ),
    Page(
        "stuck",
        "Stuck signal",
        "SoC unchanged for 30 minutes while more than 3 kW flow, or an odometer unchanged while 5 km were driven, is flagged; "
        "segments with it lose confidence (`clean_rules.flag_stuck_soc`, `flag_stuck_odometer`).",
        lambda: scene(*_changed(_charge(0, 90, 40), range(20, 120), {"Soc": 42.8})),
        ("soc_percent",),
    ),
    Page(
        "drive",
        "Driving",
        "Gear, speed and odometer together. Stops up to 5 minutes belong to the drive, up to 15 minutes without contact are "
        "bridged (as TeslaMate does). On a Leaf polled every 60 s that scores F1 0.92, direction of SoC alone 0.46 "
        "(`segment_states._driving`).",
        lambda: scene(
            *_parked(0, 9, 70),
            *_trip(10, 20, 70),
            *_parked(31, 34, 66, 1016),
            *_trip(34.5, 20, 66, 1016.7),
            *_parked(56, 70, 62, 1033),
        ),
        ("speed_kmh", "soc_percent"),
    ),
    Page(
        "charge",
        "Charging, pauses and preconditioning",
        "The charge state counts unless the pack demonstrably takes nothing. Pauses of 5 minutes, 15 while plugged in, belong "
        "to the charge. A car that warms up on mains draws power and charges nothing: AC power alone proves no charge "
        "(`segment_states._charging`). Right: ten minutes of preconditioning, state still `Charging`.",
        lambda: scene(
            *_parked(0, 9, 50),
            *_charge(10, 50, 50),
            *_parked(61, 70, 64.2, DetailedChargeState="Stopped"),
            *_charge(71, 40, 64.2),
            *_parked(112, 125, 75.5, DetailedChargeState="Charging", PackCurrent=-0.4),
        ),
        ("pack_current_a", "soc_percent"),
    ),
    Page(
        "inferred",
        "Charge in a gap",
        "A gap of 5 minutes and more over which SoC rises by 3 % while the odometer moves at most 2 km is a charge, marked "
        "`inferred`, without a power curve. On a 2013 Leaf 56 charges are visible only so (`segment_rules.gap_kind`).",
        lambda: scene(*_parked(0, 20, 66), *_parked(200, 230, 90)),
        ("soc_percent",),
    ),
    Page(
        "power_only",
        "Driving by power alone",
        "A log of voltage, current and SoC still shows driving: nothing parked draws 7 kW, and only a moving car gives energy "
        "back between two pulls. Steady consumers are no drive, recuperation is no charge (`segment_blind.drives_by_power`).",
        lambda: seen(lived(11), ("Soc", "PackVoltage", "PackCurrent"), 20),
        ("pack_current_a", "soc_percent"),
    ),
    Page(
        "soc_fall_only",
        "Driving by falling SoC alone",
        "Where nothing but SoC is known, a fall by 6 % per hour and more, 2 % in all, is a drive: heating takes up to 5 % per "
        "hour, standing 1 % per day. Confidence says how weak that is (`segment_blind.drives_by_soc`).",
        lambda: seen(lived(11), ("Soc",), 120, soc_step=1),
        ("soc_percent",),
    ),
    Page(
        "current_offset",
        "Offset of the current sensor",
        "A sensor that reads 1.3 A low makes a drive 13 % too short. Over charges and drives of a day, power integral = "
        "capacity x change of SoC + offset x voltage x time; both unknowns by least squares with priors. Taken off power "
        "integrals where it exceeds 0.3 A and 2.5 standard deviations; the reason names it "
        "(`current_offset.offsets`).",
        lambda: seen(lived(31), ("Soc", "PackVoltage", "PackCurrent", "Odometer", "VehicleSpeed"), 15, offset_a=-1.3),
        ("pack_current_a", "soc_percent"),
    ),
    Page(
        "midnight",
        "Over midnight",
        "A day's segments look at that day alone; `stitch` judges the time between two days as a gap within a day and joins "
        "what belongs together, so results do not depend on where days are cut (`transform/stitch.py`).",
        _midnight,
        ("soc_percent",),
    ),
)


NOTEBOOK = "The reasoning, with numbers against a known truth: [notebook](../../ev_platform/eda/{}.py)."
OF_SEGMENTS = ("drive", "charge", "inferred", "power_only", "soc_fall_only", "current_offset", "midnight")


def notebook_of(name: str) -> str:
    """The notebook that explains a rule."""
    return "segments" if name in OF_SEGMENTS else "cleaning"


def _days(life: Life) -> list[str]:
    last = max(message.time for message in life.messages)
    return [
        (date.fromisoformat(DAY) + timedelta(days=n)).isoformat()
        for n in range((last - MIDNIGHT) // 86_400_000_000 + 1)
    ]


def _svg(page: Page) -> tuple[str, list[str]]:
    """The picture, and what the sessions say."""
    life = page.scene()
    registry = vehicles([life])
    found = {day: clean(compressed([life], day), registry) for day in _days(life)}
    rows = [row for result in found.values() for row in result.table.to_pylist()]
    pieces = [segment(result.table, day, registry) for day, result in found.items()]
    sessions = stitch(pa.concat_tables(pieces), registry).to_pylist()
    begin, end = sessions[0]["start"], sessions[-1]["end"]
    span = (end - begin).total_seconds() or 1.0

    def x(when) -> float:  # noqa: ANN001
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (when - begin).total_seconds() / span, 1)

    height = len(page.columns) * (PANEL + 14) + 44
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, column in enumerate(page.columns):
        out += _panel(column, life, rows, x, 8 + number * (PANEL + 14))
    top = len(page.columns) * (PANEL + 14) + 10
    for session in sessions:
        kind = "asleep" if session["asleep"] else session["kind"]
        left, wide = x(session["start"]), max(x(session["end"]) - x(session["start"]), 1)
        dash = ' stroke="#333" stroke-dasharray="3 2"' if session["inferred"] else ""
        out.append(f'<rect x="{left}" y="{top}" width="{wide:.1f}" height="12" fill="{COLOURS[kind]}"{dash}/>')
    out.append(f'<text x="{LEFT}" y="{top + 27}">{begin:%H:%M}</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{top + 27}" text-anchor="end">{end:%H:%M} UTC</text>')
    legend = " · ".join(f'<tspan fill="{colour}">■</tspan> {kind}' for kind, colour in COLOURS.items())
    out.append(f'<text x="{WIDTH // 2}" y="{top + 27}" text-anchor="middle">{legend}</text></svg>')
    return "\n".join(out) + "\n", [_story(session) for session in sessions if session["kind"] != "idle"]


def _panel(column, life, rows, x, top) -> list[str]:  # noqa: ANN001
    """Sent (grey), cleaned (blue) and touched (red) values of one column."""
    from datetime import UTC, datetime

    signal, factor = SENT[column]
    raw = [
        (datetime.fromtimestamp(m.time / 1e6, UTC), float(m.data[signal]) * factor)
        for m in life.messages
        if isinstance(m.data.get(signal), int | float)
    ]
    left = {row["time"]: row for row in rows}
    kept = [(row["time"], row[column]) for row in rows if row[column] is not None]
    touched = {
        when
        for when, _ in raw
        if when not in left
        or any(f.endswith(f":{column}") and not f.startswith("invalid") for f in left[when]["quality"])
    }
    low, high = min(v for _, v in [*raw, *kept]), max(v for _, v in [*raw, *kept])
    high = high if high > low else low + 1

    def y(value: float) -> float:
        return round(top + PANEL - (PANEL - 4) * (value - low) / (high - low), 1)

    out = [f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}" fill="none" stroke="#d0d4d9"/>']
    out += [
        f'<text x="{LEFT - 5}" y="{y(v) + (9 if v == high else 0)}" text-anchor="end">{v:.4g}</text>'
        for v in (low, high)
    ]
    out.append(f'<text x="{LEFT - 5}" y="{top + PANEL // 2}" text-anchor="end">{UNITS[column]}</text>')
    grey = "".join(f"M{x(when)} {y(value)}h2" for when, value in raw)
    out.append(f'<path d="{grey}" stroke="#9aa3ad" stroke-width="2"/>')
    blue = "".join(f"{'M' if not i else 'L'}{x(when)} {y(value)}" for i, (when, value) in enumerate(kept))
    out.append(f'<path d="{blue}" stroke="#2f6fb2" fill="none"/>')
    if len(touched) < len(raw) / 2:
        red = "".join(f"M{x(w) - 2} {y(v)}h5" for w, v in raw if w in touched)
        out.append(f'<path d="{red}" stroke="#c0392b" stroke-width="4"/>')
    return out


def _story(row) -> str:  # noqa: ANN001
    energy = "energy unknown" if row["energy_kwh"] is None else f"{row['energy_kwh']:+.2f} kWh ({row['energy_method']})"
    level = "" if row["soc_start"] is None else f"SoC {row['soc_start']:.1f} → {row['soc_end']:.1f} %, "
    why = f", {', '.join(row['reasons'])}" if row["reasons"] else ""
    return f"{row['kind']} {row['start']:%H:%M} → {row['end']:%H:%M}: {level}{energy}, confidence {row['confidence']:g}{why}"


def write(folder: Path) -> list[str]:
    """Write all pages; returns the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    index = ["# Rules", "", "Made by `python scripts/rules_pages.py`; do not edit. " + SOURCES]
    index += ["", "Battery health and the other results: [battery](battery.md).", ""]
    for page in PAGES:
        picture, stories = _svg(page)
        (folder / f"{page.name}.svg").write_text(picture)
        told = "\n".join(f"- {story}" for story in stories) or "- nothing but standing"
        text = f"# {page.title}\n\n{page.text}\n\n![{page.title}]({page.name}.svg)\n\nSessions found in this scene:\n\n{told}\n"
        text += f"\n{NOTEBOOK.format(notebook_of(page.name))}\n"
        (folder / f"{page.name}.md").write_text(text)
        index.append(f"- [{page.title}]({page.name}.md)")
    for title, names in (
        ("Names in `quality` and in the counts", CLEANING),
        ("Reasons of segments and sessions", SEGMENTS),
    ):
        index += ["", f"## {title}", "", "| name | meaning |", "|---|---|"]
        index += [f"| `{name}` | {meaning} |" for name, meaning in names.items()]
    index += ["", "Look one up: `ev explain VIN --at 2026-11-03T07:12:30`. Counts by vehicle, rule, signal and day: "
              "`results/cleaning`.", ""]  # fmt: skip
    (folder / "README.md").write_text("\n".join(index))
    return sorted(path.name for path in folder.iterdir())


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs" / "rules"
    print("\n".join(write(target)))

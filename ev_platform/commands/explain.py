"""`ev explain VIN --at TIME`: raw value, cleaned value and rule side by side, and the segment that holds the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from ev_platform.engine.explain import Explanation, Sent, explain
from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform.transform.rules import CLEANING, SEGMENTS


def parse_time(text: str) -> datetime:
    """An ISO 8601 time; UTC where it names no offset.

    Raises:
        UserError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--at {text!r} is no time: write 2026-11-03T07:12:30 (UTC) or with an offset") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def run_explain(settings: Settings, vin: str, at: str, seconds: float) -> None:
    """Print the explanation."""
    found = explain(ObjectStore(settings.lake), settings.shards, vin, parse_time(at), timedelta(seconds=seconds))
    console = Console(highlight=False)
    if found.sent:
        console.print(_values(found))
    else:
        console.print(f"{vin} sent nothing within {seconds:g} s of {found.at:%Y-%m-%d %H:%M:%S} UTC; try --around 3600")
    _meanings(console, {rule for sent in found.sent for rule in sent.rules}, CLEANING)
    for name, row in (("segment", found.segment), ("session", found.session)):
        if row is not None:
            console.print(_story(name, row), soft_wrap=True)
    if found.segment is None:
        console.print("no segment of that day holds this time (not segmented yet?)")
    _meanings(console, {reason for row in (found.segment, found.session) if row for reason in row["reasons"]}, SEGMENTS)
    total = ", ".join(
        f"{rule}:{signal} {n}" for (rule, signal), n in sorted(found.counts.items()) if rule != "unmapped"
    )
    console.print(f"whole day: {total or 'no rule applied'}", soft_wrap=True)


def _values(found: Explanation) -> Table:
    table = Table(title=f"{found.vin} around {found.at:%Y-%m-%d %H:%M:%S} UTC")
    for name in ("time", "signal", "raw", "column", "cleaned", "rule"):
        table.add_column(name)
    for sent in found.sent:
        table.add_row(
            f"{sent.time:%H:%M:%S.%f}"[:-3],
            sent.signal,
            sent.raw,
            sent.canonical or "",
            _cleaned(sent),
            ", ".join(sent.rules),
            style="yellow" if set(sent.rules) - {"unmapped", "repeat"} else None,
        )
    return table


def _cleaned(sent: Sent) -> str:
    if sent.canonical is None:
        return ""
    if sent.cleaned is None:
        return "null"
    return f"{sent.cleaned:.6g}" if isinstance(sent.cleaned, float) else str(sent.cleaned)


def _meanings(console: Console, names: set[str], known: dict[str, str]) -> None:
    for name in sorted(names):
        console.print(f"  {name}: {known.get(name, 'not described')}", soft_wrap=True)


def _story(name: str, row: dict[str, Any]) -> str:
    """One line on a segment or session."""
    energy = (
        "energy unknown" if row["energy_kwh"] is None else f"{row['energy_kwh']:+.2f} kWh by {row['energy_method']}"
    )
    soc = "SoC unknown" if row["soc_start"] is None else f"SoC {row['soc_start']:g} → {row['soc_end']:g} %"
    km = "" if row["distance_km"] is None else f", {row['distance_km']:.1f} km"
    asleep = " (asleep)" if row["asleep"] else ""
    mark = f" {row['session_id']}" if "session_id" in row else ""
    return (
        f"{name}{mark}: {row['kind']}{asleep} {row['start']:%m-%d %H:%M:%S} → {row['end']:%m-%d %H:%M:%S}, {soc}{km}, "
        f"{energy} ({row['energy_method_reason']}), confidence {row['confidence']:g}"
        + (f", because {', '.join(row['reasons'])}" if row["reasons"] else "")
    )

"""Live production: a portal's real-time row → a message of the topic → a row of the live store. Pure.

Nulls stay nulls: what is not known is not zero. The production is the sum of the six kinds, hydro included, pumping
not; shares are null when there is no production to share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl

from ev_platform.energy.refine_grid import FRENCH
from ev_platform.energy.time_rules import NATURES, RANKS, with_instant
from ev_platform.lake.schemas_energy import KINDS

SENT = ("code_insee_region", "libelle_region", "nature", "consommation", *FRENCH.values(), "pompage", "ech_physiques")
"""Fields of a message, besides `date_heure` (UTC) and `sent_at`."""

TABLE = "electricity_production"
KEY = ("region_code", "instant")
NEWEST = ("rank", "sent_at")
"""A better nature wins, then what was sent later."""


class UnreadableMessage(ValueError):
    """A message of the topic that cannot become a row; the text says why."""


def messages(
    rows: pl.DataFrame, marks: Mapping[str, datetime], after: datetime, sent_at: datetime
) -> list[tuple[str, datetime, bytes]]:
    """(region, instant, message) of the rows newer than their region's mark (`after` for a region without one).

    Rows of the future, which have no consumption yet, are not sent.
    """
    known = with_instant(rows).filter(pl.col("consommation").is_not_null()).sort("instant", "code_insee_region")
    found = []
    for row in known.iter_rows(named=True):
        region, instant = row["code_insee_region"], row["instant"].astimezone(UTC)
        if instant > marks.get(region, after):
            body = {name: row[name] for name in SENT}
            body |= {"date_heure": instant.isoformat(), "sent_at": sent_at.astimezone(UTC).isoformat()}
            found.append((region, instant, orjson.dumps(body)))
    return found


def live_row(message: bytes) -> dict[str, Any]:
    """The row of a message, in the names of GRID_LOAD_REGIONAL, with shares and what is missing to the consumption.

    Raises:
        UnreadableMessage: it is no JSON object, or has no region or no time.
    """
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise UnreadableMessage(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise UnreadableMessage("not a JSON object")
    region, instant = body.get("code_insee_region"), _time(body.get("date_heure"))
    if not isinstance(region, str) or not region or instant is None:
        raise UnreadableMessage("no code_insee_region or no date_heure with a zone")
    power = {f"{ours}_mw": _number(body.get(theirs)) for ours, theirs in FRENCH.items()}
    production = _sum(power.values())
    consumption = _number(body.get("consommation"))
    shared = production if production is not None and production > 0 else None
    return {
        "region_code": region,
        "region": _word(body.get("libelle_region")),
        "instant": instant,
        "consumption_mw": consumption,
        **power,
        "pumping_mw": _number(body.get("pompage")),
        "exchange_mw": _number(body.get("ech_physiques")),
        "production_mw": production,
        **{f"{kind}_percent": _share(power[f"{kind}_mw"], shared) for kind in KINDS},
        "difference_mw": None if consumption is None or production is None else consumption - production,
        "nature": NATURES.get(_rank(body.get("nature"))),
        "rank": _rank(body.get("nature")),
        "sent_at": _word(body.get("sent_at")),
    }


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or whole is None else 100 * part / whole


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _time(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return instant if instant is not None and instant.tzinfo is not None else None


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    return float(value) if isinstance(value, int | float) else None


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _rank(nature: object) -> int:
    """As `time_rules.with_rank` for one text."""
    text = nature.lower() if isinstance(nature, str) else ""
    return next((rank for word, rank in RANKS if word in text), 0)

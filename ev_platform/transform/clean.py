"""Clean: compressed (long, provider's own names and units) → cleaned (wide, canonical, SI units, flagged).

Belongs here: the kernel's entry and the layout of its result. From long to wide is in clean_widen.py, rules in
clean_rules.py, vocabulary in `ev_platform.signals`. Pure: Arrow in, Arrow out, any set of whole vehicles of one day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ev_platform.lake.schemas import TIME
from ev_platform.signals import catalogue, cleaned_schema
from ev_platform.transform import arrow
from ev_platform.transform.clean_rules import apply_rules
from ev_platform.transform.clean_tables import COUNTS, EVENTS, Wide
from ev_platform.transform.clean_widen import widen
from ev_platform.transform.series import Floats, Ints


class Cleaned(NamedTuple):
    """What cleaning returns.

    table: one row per (vin, time, provider), sorted so; schema `ev_platform.signals.cleaned_schema()`.
    counts: vin, rule, signal, n: every value that was changed, nulled, dropped or flagged.
    events: vin, time, rule, signal: the same one by one, where it was asked for; else empty.
    """

    table: pa.Table
    counts: pa.Table
    events: pa.Table


def clean(compressed: pa.Table, vehicles: pa.Table, keep_events: bool = False) -> Cleaned:
    """Clean one day of any set of whole vehicles.

    Args:
        compressed: schema `lake.schemas.COMPRESSED`, rows in any order, repeated rows allowed.
        vehicles: schema `lake.schemas.VEHICLES`; a vehicle without a line is cleaned without its capacity.
        keep_events: also say at which times a rule did something (for a vehicle or two: `ev explain`).

    Returns:
        A row per time at which a mapped signal was sent. Columns hold what was observed at that very time, nothing is
        filled. `quality` holds `rule:column` for a value that a rule nulled or a jump or stuck value that it flagged,
        and `invalid:column` where the provider said that it does not know the value now: a fill must not go past it.
    """
    if compressed.num_rows == 0:
        return Cleaned(cleaned_schema().empty_table(), COUNTS.empty_table(), EVENTS.empty_table())
    wide = widen(compressed, keep_events)
    apply_rules(wide, vehicles)
    order = np.arange(len(wide.vin)) if len(wide.providers) == 1 else np.lexsort((wide.provider, wide.time, wide.vin))
    return Cleaned(_table(wide, order), wide.log.table(), wide.log.events())


def _table(wide: Wide, order: Ints) -> pa.Table:
    rows = len(order)
    columns: dict[str, pa.Array] = {
        "vin": arrow.from_codes(wide.vin[order], wide.vins),
        "time": arrow.from_ints(wide.time[order], TIME),
        "provider": arrow.from_codes(wide.provider[order], wide.providers),
        "quality": _quality(wide, order),
    }
    for signal in catalogue().signals.values():
        kind = cleaned_schema().field(signal.name).type
        if signal.name not in wide.values:
            columns[signal.name] = pa.nulls(rows, kind)
            continue
        values = wide.values.pop(signal.name)[order]  # given up one by one: memory holds one table, not two
        if signal.kind == "double":
            columns[signal.name] = arrow.from_floats(values)
        elif signal.kind == "boolean":
            columns[signal.name] = arrow.from_bools(values == 1, np.isnan(values))
        else:
            columns[signal.name] = arrow.from_codes(_label_codes(values), wide.labels[signal.name])
    return pa.table([columns[name] for name in cleaned_schema().names], schema=cleaned_schema())


def _label_codes(values: Floats) -> Ints:
    return np.where(np.isnan(values), -1, values).astype(np.int64)


def _quality(wide: Wide, order: Ints) -> pa.Array:
    """List of flags per row, sorted; an empty list where there are none."""
    rows = len(order)
    place = np.empty(rows, dtype=np.int64)
    place[order] = np.arange(rows)
    texts = sorted({text for text, _ in wide.flags})
    number = {text: i for i, text in enumerate(texts)}
    empty: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    at = np.concatenate([*empty, *(place[flagged] for _, flagged in wide.flags)])
    what = np.concatenate([*empty, *(np.full(len(flagged), number[text]) for text, flagged in wide.flags)])
    pairs = np.unique(np.stack([at, what], axis=1), axis=0)
    return arrow.from_lists(np.bincount(pairs[:, 0], minlength=rows), arrow.from_codes(pairs[:, 1], texts))

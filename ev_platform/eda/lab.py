"""What the notebooks share: a simulated fleet taken through the product's own kernels in memory, with its truth.

Belongs here: making data, matching sessions with what truly happened, printing a small table. Not here: the reasoning
(the notebooks), rules (transform/, battery/).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa

from ev_platform.simulate.fields import Intervals
from ev_platform.simulate.scenario import Scenario
from ev_platform.simulate.truth import Truth
from ev_platform.transform.clean import Cleaned, clean
from ev_platform.transform.compact import compact
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import stitch

FIRST_DAY = date(2026, 3, 2)
LEAST_SHARED = 0.5
"""A session is a true one if the two share this much of the time that either of them covers."""


@dataclass(frozen=True)
class Fleet:
    """A fleet's days: what was sent (compressed), cleaned rows and counts per day, sessions, and the truth."""

    compressed: dict[str, pa.Table]
    cleaned: dict[str, Cleaned]
    sessions: pd.DataFrame
    sessions_table: pa.Table
    truth: Truth

    @property
    def rows(self) -> pa.Table:
        """Cleaned rows of all days."""
        return pa.concat_tables([day.table for day in self.cleaned.values()])

    @property
    def counts(self) -> pd.DataFrame:
        """rule, signal, n: what cleaning did, over all vehicles and days."""
        counted = pa.concat_tables([day.counts for day in self.cleaned.values()]).to_pandas()
        return counted.groupby(["rule", "signal"], as_index=False)["n"].sum().sort_values("n", ascending=False)


def compressed_days(scenario: Scenario, days: int) -> dict[str, pa.Table]:
    """COMPRESSED rows of every event day of the scenario's first days, everything that arrives later included."""
    offsets = [0] * scenario.partitions
    lines: dict[tuple[str, str], list[bytes]] = {}
    for number in range(days + 2):
        for message in scenario.day_messages(scenario.first_day + timedelta(days=number)):
            offset = offsets[message.partition]
            offsets[message.partition] += 1
            if message.expected or message.value is None:
                continue
            headers = json.dumps({name: value.decode() for name, value in sorted(message.headers)}).encode()
            record = json.loads(message.value)
            place = (message.partition, offset, message.timestamp_ms)
            raw = b'{"_p":%d,"_o":%d,"_t":%d,"h":%s,"d":%s}\n' % (*place, headers, message.value)
            lines.setdefault((record["createdAt"][:10], record["vin"]), []).append(raw)
    wanted = [(scenario.first_day + timedelta(days=n)).isoformat() for n in range(days)]
    result: dict[str, list[pa.Table]] = {day: [] for day in wanted}
    for (day, vin), found in sorted(lines.items()):
        if day in result:
            result[day].append(compact([("tesla_V-00000.json", b"".join(found))], None, vin, day).table)
    return {day: pa.concat_tables(tables) for day, tables in result.items() if tables}


def simulated(seed: int, vehicles: int, days: int, *, faults: bool = True, intervals: Intervals | None = None) -> Fleet:
    """A fleet's first days, through compaction, cleaning, segmentation and stitching.

    Args:
        seed: same seed, same fleet.
        vehicles: cars.
        days: UTC days from FIRST_DAY.
        faults: offsets, stale heads, repeats, late data, missing stretches, as real feeds have them.
        intervals: how often each signal is sent; the simulator's usual ones if None.
    """
    scenario = Scenario(seed, vehicles, FIRST_DAY, faults=faults, intervals=intervals or Intervals())
    truth = scenario.truth(FIRST_DAY + timedelta(days=days - 1))
    compressed = compressed_days(scenario, days)
    cleaned = {day: clean(table, truth.vehicles) for day, table in compressed.items()}
    pieces = [segment(found.table, day, truth.vehicles) for day, found in cleaned.items()]
    sessions = stitch(pa.concat_tables(pieces), truth.vehicles)
    return Fleet(compressed, cleaned, sessions.to_pandas(), sessions, truth)


def matched(found: pd.DataFrame, true: pd.DataFrame) -> pd.DataFrame:
    """Pairs (row numbers `found`, `true`) of sessions that share half of the time that either covers.

    Args:
        found: vin, start, end.
        true: vin, start, end.
    """
    pairs = []
    for vin, ours in found.groupby("vin"):
        theirs = true[true["vin"] == vin]
        for at, session in ours.iterrows():
            shared = (theirs["end"].clip(upper=session["end"]) - theirs["start"].clip(lower=session["start"])).clip(
                lower=pd.Timedelta(0)
            )
            whole = (session["end"] - session["start"]) + (theirs["end"] - theirs["start"]) - shared
            good = shared / whole
            if len(good) and good.max() >= LEAST_SHARED:
                pairs.append((at, good.idxmax()))
    return pd.DataFrame(pairs, columns=["found", "true"]).drop_duplicates("true")


def f1(found: pd.DataFrame, true: pd.DataFrame) -> float:
    """F1 of sessions against what truly happened (harmonic mean of precision and recall), 0 to 1."""
    hits = len(matched(found, true))
    return 2 * hits / (len(found) + len(true)) if len(found) + len(true) else 1.0


def say(title: str, frame: pd.DataFrame, rows: int = 12) -> None:
    """Print a small table."""
    print(f"\n{title}\n{frame.head(rows).to_string(index=False)}")

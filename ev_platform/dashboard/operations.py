"""What the lake says about itself: freshness of tables, dead letters, quarantine, known gaps, late records, its bill.

Belongs here: listing and counting objects, as frames. Read only, no Streamlit. Not here: layout (data_health.py).
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pandas as pd

from ev_platform.ingest import intervals
from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.ingest.gaps import known_gaps
from ev_platform.ingest.lag import probe
from ev_platform.ingest.receipts import RECEIPTS_PREFIX, PartitionReceipt
from ev_platform.lake.bill import bill as count_bill
from ev_platform.lake.store import ObjectStore
from ev_platform.query.catalogue import Filing, tables
from ev_platform.settings import Settings

LATE_DAYS_SHOWN = 60


LEVELS = {Filing.WHOLE: 0, Filing.DAY: 1, Filing.MONTH: 1, Filing.YEAR: 1, Filing.YEAR_MONTH: 2, Filing.DAY_PATH: 3}
"""Folders below a table's own, by filing."""


def freshness(store: ObjectStore) -> pd.DataFrame:
    """table, newest (partition), objects (in it), age_days: of every table, the oldest news first.

    Only folders are listed, and the newest partition's objects: a lake of years costs no more than one of days.
    """
    today = datetime.now(UTC).date()
    rows = []
    for spec in tables():
        folder = spec.folder
        for _ in range(LEVELS[spec.filing]):
            folder = "/".join(filter(None, (folder, max(store.list_folders(folder), default=""))))
        keys = [key for key in store.keys(folder) if spec.values_of(key) is not None]
        values = (spec.values_of(keys[0]) or {}).values() if keys else ()
        newest = "-".join(f"{part:02d}" if isinstance(part, int) else part for part in values)
        rows.append((spec.folder, newest, len(keys), _age_days(newest, today)))
    frame = pd.DataFrame(rows, columns=["table", "newest", "objects", "age_days"])
    return frame.sort_values(["age_days", "table"], ascending=[False, True], na_position="last", ignore_index=True)


def _age_days(partition: str, today: date) -> float | None:
    return float((today - date.fromisoformat(partition)).days) if len(partition) == len("2026-11-01") else None


def dead_letters(store: ObjectStore) -> pd.DataFrame:
    """day, reason, source, messages: dead letters that were not redriven."""
    found = [(letter.day, letter.reason, letter.source) for letter in read_dead_letters(store)]
    frame = pd.DataFrame(found, columns=["day", "reason", "source"])
    return frame.groupby(["day", "reason", "source"]).size().rename("messages").reset_index()


def quarantine(store: ObjectStore) -> pd.DataFrame:
    """key, reason: what was moved aside."""
    keys = store.keys("quarantine")
    reasons = {key.removesuffix(".reason.json"): key for key in keys if key.endswith(".reason.json")}
    rows = []
    for key in keys:
        if key.endswith(".reason.json"):
            continue
        text = ""
        if key in reasons:
            text = str(json.loads(store.get(reasons[key])).get("reason", ""))
        rows.append((key.removeprefix("quarantine/"), text or "unreadable lines"))
    return pd.DataFrame(rows, columns=["key", "reason"])


def gaps(store: ObjectStore) -> pd.DataFrame:
    """source, partition, first, last, offsets, reason: what can never be read any more."""
    rows = [
        (gap.topic, gap.partition, gap.first, gap.last, gap.last - gap.first + 1, gap.reason)
        for gap in known_gaps(store)
    ]
    return pd.DataFrame(rows, columns=["source", "partition", "first", "last", "offsets", "reason"])


def late_records(store: ObjectStore) -> pd.DataFrame:
    """event_day, received_day, records: records that came after the day they belong to, by receipt.

    A receipt is filed under the newest day among its records, so a record of an older day in it came later.
    """
    counted: dict[tuple[str, str], int] = {}
    days = sorted(store.list_folders(RECEIPTS_PREFIX))[-LATE_DAYS_SHOWN:]
    for filed in days:
        for _, data in store.get_many(store.keys(f"{RECEIPTS_PREFIX}/{filed}")):
            for part in json.loads(data or b'{"partitions": []}')["partitions"]:
                receipt = PartitionReceipt(**part)
                for day, runs in receipt.days.items():
                    if day < filed:
                        counted[day, filed] = counted.get((day, filed), 0) + intervals.count(runs)
    rows = [(day, filed, n) for (day, filed), n in sorted(counted.items(), reverse=True)]
    return pd.DataFrame(rows, columns=["event_day", "received_day", "records"])


def bill(store: ObjectStore) -> pd.DataFrame:
    """folder, holds, objects, mb, usd_per_month (storage), usd_written (their PUTs): list prices of S3 Standard."""
    return pd.DataFrame(count_bill(store))


def lag(settings: Settings) -> pd.DataFrame:
    """topic, partition, committed, high, behind; empty without a broker of one's own.

    Raises:
        UserError: the broker cannot be reached.
    """
    columns = ["topic", "partition", "committed", "high", "behind"]
    if not settings.kafka_bootstrap:
        return pd.DataFrame(columns=columns)
    found = [(part.topic, part.partition, part.committed, part.high, part.behind) for part in probe(settings)]
    return pd.DataFrame(found, columns=columns)

"""The tasks of the daily and monthly chain, as the rest of the platform calls them.

Belongs here: names only. Each takes settings and store, writes its own objects and returns a receipt per day; only
`health_month` returns its table. Not here: how (compaction.py, daily.py, sessions.py, health.py).
"""

from __future__ import annotations

from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.health import health_month
from ev_platform.engine.items import TaskError, WorkItem
from ev_platform.engine.receipts import CompactionReceipt, DayReceipt, TableReceipt
from ev_platform.engine.sessions import stitch_days

__all__ = [
    "CompactionReceipt",
    "DayReceipt",
    "TableReceipt",
    "TaskError",
    "WorkItem",
    "clean_day",
    "compact_day",
    "health_month",
    "segment_day",
    "stitch_days",
]

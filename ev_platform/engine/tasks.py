"""The tasks of the daily and monthly chain, as the rest of the platform calls them.

Belongs here: names only. The daily ones of the lake take settings and store, write their own objects and return a
receipt per day; those of results return tables (`stitch_days` writes, because it touches
days it was not asked for). Not here: how (compaction.py, daily.py, sessions.py, health.py, usage.py, history.py).
"""

from __future__ import annotations

from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.health import health_month
from ev_platform.engine.history import among_peers, consumption, health_ahead, health_filtered, newest_battery
from ev_platform.engine.items import TaskError, WorkItem
from ev_platform.engine.receipts import CompactionReceipt, DayReceipt, TableReceipt
from ev_platform.engine.sessions import stitch_days
from ev_platform.engine.usage import usage_days

__all__ = [
    "CompactionReceipt",
    "DayReceipt",
    "TableReceipt",
    "TaskError",
    "WorkItem",
    "among_peers",
    "clean_day",
    "compact_day",
    "consumption",
    "health_ahead",
    "health_filtered",
    "health_month",
    "newest_battery",
    "segment_day",
    "stitch_days",
    "usage_days",
]

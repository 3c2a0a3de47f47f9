"""Alerts: what operators are told, where, how often, and when it is over. Knows nothing of Dagster.

`rules.py` turns figures into alerts, `ledger.py` remembers the open ones, `channels.py` delivers. See README.md.
"""

from ev_platform.alerts.alert import Alert
from ev_platform.alerts.ledger import Alerts

__all__ = ["Alert", "Alerts"]

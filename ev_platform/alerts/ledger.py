"""Open alerts, one small object each in `ops/alerts/`: repeats are counted and not sent, what is over is told once.

Belongs here: when an alert is sent. Several processes tell at once, so an entry is replaced by compare-and-swap, and
only who wins sends.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from ev_platform.alerts.alert import Alert
from ev_platform.alerts.channels import deliver
from ev_platform.lake.layout import ALERTS_PREFIX, alert_key
from ev_platform.lake.store import ObjectStore, Versioned
from ev_platform.settings import Settings

MOST_SWAPS = 20
NEVER = datetime.min.replace(tzinfo=UTC).isoformat()


@dataclass(frozen=True)
class Open:
    """An alert that is not over: since when, seen how often, sent last when (UTC, ISO 8601)."""

    key: str
    title: str
    since: str
    seen: int
    sent: str


class Alerts:
    """Tells operators what is wrong, once, and what is over."""

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self._settings = settings
        self._store = store
        self._repeat = timedelta(hours=settings.alert_repeat_hours)

    def tell(self, alert: Alert, now: datetime | None = None) -> bool:
        """Send, unless the same key is open and was sent lately; returns whether it was sent."""
        now = now or datetime.now(UTC)
        place = alert_key(alert.key)
        for _ in range(MOST_SWAPS):
            before = self._store.read(place)
            known = _decode(before)
            due = known is None or now - datetime.fromisoformat(known.sent) >= self._repeat
            entry = Open(alert.key, alert.title, now.isoformat(), 0, now.isoformat()) if known is None else known
            entry = replace(entry, seen=entry.seen + 1, sent=now.isoformat() if due else entry.sent)
            if not self._store.swap(place, _encode(entry), before.version):
                continue
            if due and not deliver(self._settings, alert.title, alert.text()):
                self._store.put(place, _encode(replace(entry, sent=NEVER)))  # nobody was told: due again at once
                return False
            return due
        return False  # others tell the same thing right now

    def announce(self, alert: Alert) -> None:
        """Send something that happened once and is not a state, so it never ends and is not remembered."""
        deliver(self._settings, alert.title, alert.text())

    def recovered(self, key: str, now: datetime | None = None) -> bool:
        """Say that it is over, if it was open; returns whether it was."""
        now = now or datetime.now(UTC)
        place = alert_key(key)
        known = _decode(self._store.read(place))
        if known is None:
            return False
        lasted = now - datetime.fromisoformat(known.since)
        text = f"Over after {_duration(lasted)}, seen {known.seen} time{'s' if known.seen > 1 else ''}."
        if deliver(self._settings, f"recovered: {known.title}", text):
            self._store.delete([place])
        return True

    def update(self, looked_at: Collection[str], found: Sequence[Alert], now: datetime | None = None) -> None:
        """What one look found: tell it, and everything else that was looked at is over."""
        for alert in found:
            self.tell(alert, now)
        open_keys = set(self.open_keys())
        for key in sorted(open_keys.intersection(looked_at) - {alert.key for alert in found}):
            self.recovered(key, now)

    def open_alerts(self) -> list[Open]:
        """All open alerts, sorted by key."""
        found = (_decode(Versioned(data, None)) for _, data in self._store.get_many(self._store.keys(ALERTS_PREFIX)))
        return sorted((entry for entry in found if entry), key=lambda entry: entry.key)

    def open_keys(self) -> list[str]:
        """Keys of all open alerts."""
        return [entry.key for entry in self.open_alerts()]


def _encode(entry: Open) -> bytes:
    return json.dumps(asdict(entry), sort_keys=True).encode()


def _decode(stored: Versioned) -> Open | None:
    return Open(**json.loads(stored.data)) if stored.data is not None else None


def _duration(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"

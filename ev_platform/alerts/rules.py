"""Figures → alerts: each rule one pure function with a fixed key, so that a look which finds nothing ends it.

Belongs here: when a figure is worth waking somebody. Not here: where figures come from (defs/ops/health.py).
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime, time, timedelta

from ev_platform.alerts.alert import Alert

YESTERDAY_DUE = time(6, 30)
"""UTC. The nightly schedule's last call is at 06:00; a day that is missing then does not come by itself."""

FEW_MESSAGES = 100
"""Below this many messages an hour a rate of dead letters says nothing."""

QUOTA = "quota:"
"""Before a provider's name."""

LAG, BROKER, DEAD_LETTERS, SENSOR, YESTERDAY = "lag", "broker", "dead_letters", "sensor", "yesterday"


def lag_too_high(messages: int, most: int) -> Alert | None:
    """More unread messages than a healthy drain ever leaves."""
    if messages <= most:
        return None
    text = f"{messages:,} messages wait, more than EV_ALERT_LAG_MESSAGES = {most:,}. Look at the runs of the job drain."
    return Alert(LAG, "Kafka lag is too high", text)


def broker_silent(error: str) -> Alert:
    """The broker does not answer the sensor's question."""
    return Alert(BROKER, "Kafka does not answer", error)


def dead_letter_rate(dead: int, messages: int, most_percent: float) -> Alert | None:
    """A share of unreadable messages that looks like a changed format rather than like dirt."""
    if messages < FEW_MESSAGES or dead * 100 <= messages * most_percent:
        return None
    share = f"{dead:,} of the last hour's {messages:,} messages ({dead / messages:.1%})"
    text = f"{share} could not be read, see dead_letter/."
    return Alert(DEAD_LETTERS, "Too many dead letters", text)


def sensor_standing_still(last_tick: datetime | None, now: datetime, most_minutes: float) -> Alert | None:
    """The sensor that drives the consumer has not ticked; one that never ticked was never switched on."""
    if last_tick is None or now - last_tick <= timedelta(minutes=most_minutes):
        return None
    minutes = (now - last_tick).total_seconds() / 60
    text = f"No tick of kafka_lag for {minutes:.0f} minutes: is it switched off, or its daemon overloaded?"
    return Alert(SENSOR, "The sensor kafka_lag stands still", text)


def yesterday_missing(now: datetime, raw_days: Set[str], made_days: Set[str]) -> Alert | None:
    """The last closed day is not compacted although the night is over; silent before the first day was ever made."""
    yesterday = (now - timedelta(days=1)).date().isoformat()
    if now.time() < YESTERDAY_DUE or not made_days or yesterday in made_days:
        return None
    why = "its raw data wait" if yesterday in raw_days else "no raw data arrived for it"
    return Alert(YESTERDAY, f"{yesterday} is missing", f"lake/compressed has no {yesterday}: {why}.")


def quota_nearly_used(provider: str, left: int, kept_back: int) -> Alert | None:
    """Polls leave some requests of the day to what cannot wait; somebody uses those, too."""
    if left >= kept_back:
        return None
    text = f"{left} requests of {provider} are left in these 24 hours; polls keep {kept_back} back. Who else asks?"
    return Alert(f"{QUOTA}{provider}", f"The quota of {provider} is nearly used", text)

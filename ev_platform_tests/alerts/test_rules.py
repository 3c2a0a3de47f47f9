"""Each rule at its edge: one figure on the quiet side, one on the other."""

from datetime import UTC, datetime, timedelta

import pytest

from ev_platform.alerts import rules

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)
MADE = {"2026-11-03", "2026-11-04"}


@pytest.mark.parametrize(
    ("quiet", "loud"),
    [
        (rules.lag_too_high(500, 500), rules.lag_too_high(501, 500)),
        (rules.dead_letter_rate(50, 1000, 5.0), rules.dead_letter_rate(51, 1000, 5.0)),
        (rules.dead_letter_rate(99, 99, 5.0), rules.dead_letter_rate(100, 100, 5.0)),
        (
            rules.sensor_standing_still(NOON - timedelta(minutes=10), NOON, 10),
            rules.sensor_standing_still(NOON - timedelta(minutes=11), NOON, 10),
        ),
        (rules.sensor_standing_still(None, NOON, 10), rules.broker_silent("no answer")),
        (rules.quota_nearly_used("bmw", 4, 4), rules.quota_nearly_used("bmw", 3, 4)),
        (rules.yesterday_missing(NOON, MADE, MADE), rules.yesterday_missing(NOON, MADE, MADE - {"2026-11-04"})),
        (
            rules.yesterday_missing(NOON.replace(hour=6, minute=29), set(), {"2026-11-03"}),
            rules.yesterday_missing(NOON.replace(hour=6, minute=30), set(), {"2026-11-03"}),
        ),
    ],
)
def test_the_edge_of_each_rule(quiet, loud):
    assert quiet is None
    assert loud is not None
    assert loud.title
    assert loud.message


def test_a_platform_that_never_made_a_day_misses_none():
    assert rules.yesterday_missing(NOON, set(), set()) is None


def test_a_missing_yesterday_says_whether_data_wait():
    assert "raw data wait" in rules.yesterday_missing(NOON, MADE, {"2026-11-03"}).message
    assert "no raw data arrived" in rules.yesterday_missing(NOON, set(), {"2026-11-03"}).message

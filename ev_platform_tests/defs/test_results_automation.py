"""Results follow what they are made of: the day of a late message, then the tables over the whole history."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY, SEGMENTS_KEY
from ev_platform.defs.raw.assets import RAW_TESLA
from ev_platform.defs.results.assets import BATTERY_HEALTH_KEY, SESSIONS_KEY
from ev_platform.defs.results.history import HISTORY_KEYS
from ev_platform.defs.results.usage import DAILY_KEYS

CHAIN = [RAW_TESLA, COMPRESSED_KEY, CLEANED_KEY, SEGMENTS_KEY, SESSIONS_KEY]
TODAY = datetime(2026, 11, 6, 12, tzinfo=UTC)
DAY = "2026-11-03"


class Daemon:
    """Evaluates as the daemon does, and makes at once what it asks for."""

    def __init__(self, definitions, instance):
        self.definitions, self.instance, self.cursor = definitions, instance, None
        self.look()

    def look(self):
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=TODAY
        )
        self.cursor = result.cursor
        keys = [*DAILY_KEYS.values(), *HISTORY_KEYS, BATTERY_HEALTH_KEY]
        return {key: found for key in keys if (found := set(result.get_requested_partitions(key)))}

    def settle(self):
        """Everything asked for until nothing more is, as {key: partitions}, and the number of looks that took."""
        asked = {}
        for looks in range(10):
            found = self.look()
            if not found:
                return asked, looks
            for key, partitions in found.items():
                asked.setdefault(key, set()).update(partitions)
                made(self.instance, key, *partitions)
        raise AssertionError("the graph never comes to rest")


def made(instance, key, *partitions):
    for partition in partitions:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


@pytest.fixture(scope="module")
def definitions():
    return load_definitions()


def test_a_days_results_its_month_and_the_history_follow_and_come_to_rest(definitions, instance):
    daemon = Daemon(definitions, instance)
    for key in CHAIN:
        made(instance, key, DAY)
    asked, _ = daemon.settle()
    assert {key: asked.get(key) for key in DAILY_KEYS.values()} == {key_0: {DAY} for key_0 in DAILY_KEYS.values()}
    assert asked[BATTERY_HEALTH_KEY] == {"2026-11"}
    assert all(key in asked for key in HISTORY_KEYS)
    assert daemon.settle() == ({}, 0)


def test_a_session_filed_anew_re_opens_only_its_own_day(definitions, instance):
    """Stitching the next night re-files a charge over midnight: its day's results are made again."""
    daemon = Daemon(definitions, instance)
    for key in CHAIN:
        made(instance, key, DAY, "2026-11-04")
    daemon.settle()
    made(instance, SESSIONS_KEY, DAY)
    asked, _ = daemon.settle()
    assert asked[DAILY_KEYS["charging"]] == {DAY}
    assert asked[BATTERY_HEALTH_KEY] == {"2026-11"}

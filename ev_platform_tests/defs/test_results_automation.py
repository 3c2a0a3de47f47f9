"""Results follow what they are made of: the day of a late message, then the tables over the whole history."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.lake.assets import CLEANED_KEY, COMPRESSED_KEY, SEGMENTS_KEY
from ev_platform.defs.partitions import DAYS
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


def test_a_session_filed_anew_re_opens_its_day_and_the_next_which_it_may_reach_into(definitions, instance):
    """Stitching the next night re-files a charge over midnight: its days' results are made again."""
    daemon = Daemon(definitions, instance)
    for key in CHAIN:
        made(instance, key, DAY, "2026-11-04", "2026-11-05")
    daemon.settle()
    made(instance, SESSIONS_KEY, DAY)
    asked, _ = daemon.settle()
    assert asked[DAILY_KEYS["charging"]] == {DAY, "2026-11-04"}
    assert asked[BATTERY_HEALTH_KEY] == {"2026-11"}


def test_what_is_written_between_a_request_and_the_next_look_is_followed(definitions, instance):
    daemon = Daemon(definitions, instance)
    for key in CHAIN:
        made(instance, key, DAY)
    trips = DAILY_KEYS["trips"]
    assert daemon.look()[trips] == {DAY}
    made(instance, trips, DAY)
    made(instance, SESSIONS_KEY, DAY)  # after the trips were made of what it was before
    assert daemon.look()[trips] == {DAY}
    made(instance, trips, DAY)
    assert trips not in daemon.look()


def test_a_day_before_written_by_the_run_that_also_made_the_days_results_is_followed(definitions, instance):
    """One run per day of everything: the second one re-files sessions of the first one's day."""
    daemon = Daemon(definitions, instance)
    for key in [*CHAIN, *DAILY_KEYS.values()]:
        made(instance, key, DAY, "2026-11-04")
    daemon.settle()

    keys = [SESSIONS_KEY, *DAILY_KEYS.values()]

    @dg.multi_asset(specs=[dg.AssetSpec(key, partitions_def=DAYS) for key in keys])
    def everything(context):
        context.log_event(dg.AssetMaterialization(SESSIONS_KEY, partition=DAY))
        for key in keys:
            yield dg.MaterializeResult(key)

    dg.materialize([everything], instance=instance, partition_key="2026-11-04")
    assert daemon.look()[DAILY_KEYS["trips"]] == {DAY}


def test_a_day_without_data_is_not_asked_for_because_of_its_neighbours(definitions, instance):
    daemon = Daemon(definitions, instance)
    for key in CHAIN:
        made(instance, key, DAY)
    asked, _ = daemon.settle()
    assert asked[DAILY_KEYS["trips"]] == {DAY}

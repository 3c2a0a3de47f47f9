"""Live production: only what is newer is sent, newest wins, nulls stay nulls, and batch and live are one view."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ev_platform.energy import live, served
from ev_platform.energy.live_rows import TABLE, UnreadableMessage, live_row
from ev_platform.errors import UserError
from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.lake.live_store import Since, open_live_store
from ev_platform.simulate.open_data import grid
from ev_platform_tests.energy.worlds import place, small_world
from ev_platform_tests.mock_control import MockCluster

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAYS = (date(2026, 11, 1), date(2026, 11, 2))
SETTLED = datetime(2026, 11, 2, tzinfo=UTC)
numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster():
    with MockCluster() as running:
        yield running


@pytest.fixture
def own(cluster, tmp_path):
    world = small_world(days=DAYS, definitive_until=SETTLED, consolidated_until=SETTLED, now=NOON)
    with place(tmp_path, world) as found:
        name = f"electricity_production_{next(numbers)}"
        found.settings = found.settings.with_changes(
            kafka_bootstrap=cluster.bootstrap, energy_topic=name, kafka_group=name, kafka_timeout_seconds=20
        )
        yield found


def rows(place, **chosen):
    store = open_live_store(place.settings)
    try:
        return store.rows(TABLE, **chosen)
    finally:
        store.close()


def later(place, hours):
    """Time goes on at the portal."""
    place.server.world.now = NOON + timedelta(hours=hours)
    place.server.world.forget()


def test_a_first_tick_brings_what_is_not_settled_and_a_second_one_nothing(own):
    own.grid("grid_load_regional", DAYS[:1])
    first = live.tick(own.settings, own.store, NOON)
    # settled until the last half-hour of the 1st, which began at 23:30: its second quarter-hour is newer than that
    assert first.polled == first.sent == first.read == first.stored == 12 * (4 * 12 + 1)
    assert first.newest == "2026-11-02T11:45:00.000000Z"
    second = live.tick(own.settings, own.store, NOON)
    assert (second.polled, second.sent, second.read, second.stored) == (0, 0, 0, 0)


def test_only_what_is_newer_than_the_watermark_is_sent(own):
    live.tick(own.settings, own.store, NOON)
    later(own, 1)
    receipt = live.tick(own.settings, own.store, NOON + timedelta(hours=1))
    assert (receipt.polled, receipt.sent, receipt.stored) == (48, 48, 48)


def test_rows_of_the_future_are_never_sent(own):
    live.tick(own.settings, own.store, NOON)
    assert max(row["instant"] for row in rows(own)) < NOON.isoformat()


def test_a_region_that_is_late_is_not_forgotten(own):
    world = own.server.world
    whole = world.rows("eco2mix_regional_tr")
    world._made["eco2mix_regional_tr"] = [
        row for row in whole if row["code_insee_region"] != "32" or row["date_heure"] < NOON - timedelta(hours=2)
    ]
    live.tick(own.settings, own.store, NOON)
    world._made["eco2mix_regional_tr"] = whole
    assert live.tick(own.settings, own.store, NOON).sent == 8
    assert len({row["instant"] for row in rows(own, where={"region_code": "32"})}) == len(
        {row["instant"] for row in rows(own)}
    )


def test_values_are_those_of_the_portal_and_hydro_counts(own):
    live.tick(own.settings, own.store, NOON)
    world, region = own.server.world.grid, grid.REGIONS[4]
    row = rows(own, where={"region_code": region.code}, since=Since("instant", NOON - timedelta(hours=1)))[0]
    truth = grid.quarter(world, region, NOON - timedelta(hours=1))
    assert row["consumption_mw"] == truth["consumption"]
    assert row["hydro_mw"] == truth["hydro"] > 0
    production = sum(truth[kind] for kind in grid.KINDS)
    assert row["production_mw"] == production
    assert row["difference_mw"] == truth["consumption"] - production
    assert row["hydro_percent"] == pytest.approx(100 * truth["hydro"] / production)
    assert sum(row[f"{kind}_percent"] for kind in grid.KINDS) == pytest.approx(100)


def message(**changes):
    body = {
        "code_insee_region": "32", "date_heure": "2026-11-02T10:00:00+00:00", "nature": "Données temps réel",
        "consommation": 5000, "thermique": 100, "nucleaire": 4000, "eolien": 0, "solaire": None, "hydraulique": 2,
        "bioenergies": 98, "pompage": -30, "ech_physiques": 830, "sent_at": "2026-11-02T10:20:00+00:00",
    }  # fmt: skip
    return json.dumps({**body, **changes}).encode()


def test_null_is_not_zero_and_pumping_is_no_production():
    row = live_row(message())
    assert row["production_mw"] == 4200
    assert row["solar_mw"] is None
    assert row["solar_percent"] is None
    assert row["wind_percent"] == 0
    nothing = live_row(message(**dict.fromkeys(("thermique", "nucleaire", "eolien", "hydraulique", "bioenergies"))))
    assert (nothing["production_mw"], nothing["difference_mw"], nothing["hydro_percent"]) == (None, None, None)
    zero = live_row(message(**dict.fromkeys(("thermique", "nucleaire", "eolien", "hydraulique", "bioenergies"), 0)))
    assert (zero["production_mw"], zero["hydro_percent"]) == (0, None)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"7", message(code_insee_region=None), message(code_insee_region=""), message(date_heure=None),
     message(date_heure="2026-11-02T10:00:00"), message(date_heure="yesterday"), message(date_heure=7)],
)  # fmt: skip
def test_what_is_no_row_says_why(data):
    with pytest.raises(UnreadableMessage, match=r"."):
        live_row(data)


FIELDS = st.sampled_from(["consommation", "hydraulique", "nature", "libelle_region", "sent_at", "eolien"])
SMALL = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
ANY = st.none() | st.text() | SMALL | st.booleans() | st.lists(st.none(), max_size=2)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no fault of ours
@given(st.dictionaries(FIELDS, ANY))
def test_any_value_in_a_message_makes_a_row_or_a_null(values):
    row = live_row(message(**values))
    assert row["consumption_mw"] is None or isinstance(row["consumption_mw"], float)


def test_an_unreadable_message_is_kept_and_stops_nobody(own):
    live.produce(own.settings, own.settings.energy_topic, [(b"32", b"no json"), (b"32", message())])
    store = open_live_store(own.settings)
    assert live.consume(own.settings, own.store, store) == (2, 1, 1)
    assert live.consume(own.settings, own.store, store) == (0, 0, 0)
    store.close()
    letters = list(read_dead_letters(own.store))
    assert [(letter.value, letter.reason) for letter in letters] == [(b"no json", "not_json")]
    assert letters[0].source == own.settings.energy_topic


def test_newest_wins_whatever_the_order_of_messages(own):
    kinds = [
        ("Données temps réel", 1),
        ("Données temps réel", 3),
        ("Données consolidées", 2),
        ("Données temps réel", 9),
    ]
    for order in itertools.permutations(kinds):
        region = f"{next(numbers):02d}"
        pairs = [
            (
                b"k",
                message(
                    code_insee_region=region, nature=nature, sent_at=f"2026-11-02T1{n}:00:00+00:00", consommation=n
                ),
            )
            for nature, n in order
        ]
        live.produce(own.settings, own.settings.energy_topic, pairs)
        store = open_live_store(own.settings)
        live.consume(own.settings, own.store, store)
        assert [row["consumption_mw"] for row in store.rows(TABLE, {"region_code": region})] == [2]
        store.close()


def test_a_tick_that_died_before_its_commit_is_repeated_without_harm(own, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(live.kafka, "commit", lambda *_: "the broker is gone")
        with pytest.raises(UserError):
            live.tick(own.settings, own.store, NOON)
    before = rows(own)
    assert before
    receipt = live.tick(own.settings, own.store, NOON)
    assert (receipt.sent, receipt.stored) == (0, 0)
    assert receipt.read == len(before)
    assert rows(own) == before


def test_a_broker_that_does_not_take_the_messages_leaves_the_watermark(own):
    away = own.settings.with_changes(kafka_bootstrap="127.0.0.1:1", kafka_timeout_seconds=1)
    with pytest.raises(UserError, match="EV_KAFKA_BOOTSTRAP"):
        live.tick(away, own.store, NOON)
    assert live.tick(own.settings, own.store, NOON).sent > 0


def test_without_a_broker_it_says_what_to_set(own):
    with pytest.raises(UserError, match="EV_KAFKA_BOOTSTRAP"):
        live.tick(own.settings.with_changes(kafka_bootstrap=""), own.store, NOON)


# -- the served view and the overlap ----------------------------------------------------------------------------------


def test_the_view_is_batch_to_the_last_settled_instant_and_live_after_it(own):
    own.grid("grid_load_regional", DAYS)
    live.tick(own.settings, own.store, NOON)
    store = open_live_store(own.settings)
    view = served.served_view(own.store, store, days=1)
    store.close()
    last = served.last_settled(own.store)
    assert last == SETTLED - timedelta(minutes=30)
    batch, current = view.filter(pl.col("source") == "batch"), view.filter(pl.col("source") == "live")
    assert batch["instant"].max() == last
    assert current["instant"].min() == SETTLED
    assert batch.height == 12 * 48
    assert current.height == 12 * 4 * 12
    assert view.group_by("region_code", "instant").len()["len"].max() == 1
    hours = view.filter(pl.col("region_code") == "32")["slot_minutes"].sum() / 60
    assert hours == 24 + 12


def test_without_settled_data_the_view_is_live_and_without_both_it_is_empty(own):
    store = open_live_store(own.settings)
    assert served.served_view(own.store, store).is_empty()
    live.tick(own.settings, own.store, NOON)
    assert set(served.served_view(own.store, store)["source"]) == {"live"}
    store.close()


def settle(place):
    """The portal settles the day that was live before."""
    world = place.server.world
    world.consolidated_until, world.definitive_until, world.revision = NOON, NOON, world.revision + 1
    world.forget()
    place.grid("grid_load_regional", DAYS)


def test_the_overlap_agrees_and_a_wrong_live_store_shows(own):
    own.grid("grid_load_regional", DAYS)
    live.tick(own.settings, own.store, NOON)
    store = open_live_store(own.settings)
    assert served.overlap(own.store, store).compared == 0
    settle(own)
    found = served.overlap(own.store, store)
    assert found.compared == 12 * 24
    assert found.ok
    assert 0 < found.largest_percent < 1
    wrong = [
        {**row, "consumption_mw": row["consumption_mw"] * 1.3, "rank": 9}
        for row in store.rows(TABLE, {"region_code": "32"})
    ]
    store.upsert(TABLE, ["region_code", "instant"], wrong, ["rank", "sent_at"])
    bad = served.overlap(own.store, store)
    assert not bad.ok
    assert bad.worst.startswith("region 32")
    store.close()

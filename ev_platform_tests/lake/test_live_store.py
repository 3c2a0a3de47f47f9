"""The contract of the live store, the same on every store that can be started."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pymongo
import pytest

from ev_platform.errors import SettingError, UserError
from ev_platform.lake.live_store import Position, Since, count_events, open_live_store
from ev_platform.settings import load_settings
from ev_platform_tests.lake.live_stores import SERVERS

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    with SERVERS[request.param](folder) as url:
        yield url, folder


@pytest.fixture
def opened(server):
    """A function that opens the store of this server, as another process would."""
    url, folder = server
    stores = []

    def another():
        stores.append(open_live_store(load_settings(live_store=url, state_dir=folder)))
        return stores[-1]

    yield another
    for store in stores:
        store.close()


@pytest.fixture
def table(request):
    """A table of the test's own: the server is shared."""
    return (
        "t_"
        + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:40]
        + f"_{random.randrange(10**9)}"
    )


def mix(region="32", at=NOON, rank=1, seen=0, **values):
    return {"region": region, "instant": at, "rank": rank, "seen": seen, **values}


def put(store, table, *rows):
    return store.upsert(table, ["region", "instant"], rows, ["rank", "seen"])


def test_newest_wins_whatever_the_order_and_a_repeat_changes_nothing(opened, table):
    store = opened()
    versions = [mix(rank=r, seen=s, mw=10 * r + s) for r in (1, 2, 3) for s in (1, 2, 3)]
    random.Random(3).shuffle(versions)
    for row in versions * 2:
        put(store, table, row)
    assert [row["mw"] for row in store.rows(table)] == [33]
    assert put(store, table, mix(rank=3, seen=3, mw=99), mix(rank=2, seen=9, mw=98)) == 0
    assert put(store, table, mix(rank=3, seen=4, mw=34)) == 1
    assert [row["mw"] for row in opened().rows(table)] == [34]


def test_of_one_call_too_only_the_newest_of_a_key_is_stored(opened, table):
    store = opened()
    assert put(store, table, mix(seen=1, mw=1), mix(seen=3, mw=3), mix(seen=2, mw=2)) == 1
    assert [row["mw"] for row in store.rows(table)] == [3]


@pytest.mark.parametrize(
    "newest", [[9, 10], [-2, -1], [-1, 0.5], [99.5, 100], [None, 0], ["a", "b"], [NOON, NOON + timedelta(seconds=1)]]
)
def test_versions_are_compared_as_values_not_as_text(opened, table, newest):
    old, new = newest
    for first, second in ((old, new), (new, old)):
        store = opened()
        for value in (first, second):
            store.upsert(table, ["k"], [{"k": str(first), "v": value}], ["v"])
        stored = next(row for row in store.rows(table) if row["k"] == str(first))["v"]
        assert stored == (new if not isinstance(new, datetime) else "2026-11-01T12:00:01.000000Z")


def test_nulls_zeros_booleans_and_texts_come_back_as_they_went_in(opened, table):
    row = mix(a=None, b=0, c=0.1 + 0.2, d=True, e="é'\"{$x}", f=-(2**53), g="")
    put(opened(), table, row)
    assert opened().rows(table) == [{**row, "instant": "2026-11-01T12:00:00.000000Z"}]


def test_a_null_of_a_newer_row_replaces_a_value(opened, table):
    store = opened()
    put(store, table, mix(seen=1, mw=5))
    put(store, table, mix(seen=2, mw=None))
    assert store.rows(table)[0]["mw"] is None


def test_times_of_any_zone_are_one_instant(opened, table):
    store = opened()
    put(store, table, mix(seen=1, mw=1))
    put(store, table, mix(at=NOON.astimezone(timezone(timedelta(hours=2))), seen=2, mw=2))
    assert [row["mw"] for row in store.rows(table)] == [2]


def test_rows_are_chosen_by_equality_by_window_and_by_limit(opened, table):
    store = opened()
    put(store, table, *(mix(region, NOON + timedelta(hours=h), mw=h) for region in ("11", "32") for h in range(-3, 9)))
    mine = store.rows(table, {"region": "32"}, Since("instant", NOON + timedelta(hours=2)), limit=3)
    assert [(row["region"], row["mw"]) for row in mine] == [("32", 6), ("32", 7), ("32", 8)]
    assert len(store.rows(table, since=Since("instant", NOON))) == 18
    assert [row["mw"] for row in store.rows(table, {"region": "11"}, Since("mw", -1), limit=2)] == [7, 8]
    assert store.rows(table, {"region": "99"}) == []
    assert store.rows(table, limit=0) == []
    assert len(store.rows(table, limit=100)) == 24


def test_a_window_moves_on(opened, table):
    store = opened()
    put(store, table, *(mix(at=NOON + timedelta(hours=h)) for h in range(5)), {**mix("11"), "instant": "never"})
    assert store.delete_before(table, "instant", NOON + timedelta(hours=2)) == 2
    assert store.delete_before(table, "instant", NOON + timedelta(hours=2)) == 0
    assert store.delete_before(table, "missing", 7) == 0
    assert len(opened().rows(table)) == 4


def test_keys_that_look_alike_stay_apart(opened, table):
    store = opened()
    pairs = [("a", "b,c"), ("a,b", "c"), ('a"', "b"), ("a", '"b'), ("1", "2"), ("12", "")]
    store.upsert(table, ["x", "y"], [{"x": x, "y": y, "v": 1} for x, y in pairs], ["v"])
    assert len(store.rows(table)) == len(pairs)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"k": None, "v": 1}, ValueError),
        ({"v": 1}, ValueError),
        ({"k": "a", "v": [1]}, TypeError),
        ({"k": "a", "$v": 1}, ValueError),
        ({"k": "a", "v": datetime(2026, 1, 1)}, ValueError),  # noqa: DTZ001 - the fault itself
    ],
)
def test_what_no_store_can_keep_is_refused_by_all(opened, table, row, error):
    store = opened()
    with pytest.raises(error):
        store.upsert(table, ["k"], [{"k": "good", "v": 1}, row], ["v"])
    assert store.rows(table) == []


# -- counters ---------------------------------------------------------------------------------------------------------

KEY = ["device", "minute"]


def event(device="d1", minute=0, n=1, **more):
    return {"device": device, "minute": minute, "n": n, **more}


def test_counters_add_up_once_per_position(opened, table):
    store = opened()
    assert store.position(table, "topic:0") == 0
    assert store.add_counts(table, KEY, [event(), event(), event("d2", n=5)], Position("topic:0", 0, 3))
    assert not opened().add_counts(table, KEY, [event(), event(), event("d2", n=5)], Position("topic:0", 0, 3))
    assert store.add_counts(table, KEY, [event(n=2)], Position("topic:1", 0, 1))
    assert [(row["device"], row["n"]) for row in opened().rows(table)] == [("d1", 4), ("d2", 5)]
    assert opened().position(table, "topic:0") == 3


def test_an_overlap_is_refused_and_adds_nothing(opened, table):
    store = opened()
    store.add_counts(table, KEY, [event()], Position("topic:0", 10, 20))
    with pytest.raises(ValueError, match="overlaps"):
        store.add_counts(table, KEY, [event()], Position("topic:0", 15, 25))
    assert store.rows(table)[0]["n"] == 1
    assert store.position(table, "topic:0") == 20


def test_sums_of_fractions_nulls_booleans_and_new_columns(opened, table):
    store = opened()
    store.add_counts(table, KEY, [event(kwh=0.5, off=True), event(kwh=None, off=False)], Position("s", 0, 2))
    store.add_counts(table, KEY, [event(kwh=0.25, late=1)], Position("s", 2, 3))
    assert store.rows(table) == [{"device": "d1", "minute": 0, "n": 3, "kwh": 0.75, "off": 1, "late": 1}]


def test_counts_of_texts_are_refused(opened, table):
    with pytest.raises(TypeError, match="added up"):
        opened().add_counts(table, KEY, [event(n="one")], Position("s", 0, 1))


def test_two_tables_count_the_same_source_apart(opened, table):
    store = opened()
    store.add_counts(table, KEY, [event()], Position("s", 0, 5))
    store.add_counts(table + "_b", KEY, [event()], Position("s", 0, 5))
    assert store.rows(table + "_b")[0]["n"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_however_the_source_is_cut_and_repeated_each_event_counts_once(opened, table, seed):
    """A consumer that dies after adding and before committing reads again from an older offset, in other batches."""
    rng = random.Random(seed)
    events = [(offset, event(f"d{rng.randrange(3)}", rng.randrange(2))) for offset in range(0, 300, 3)]
    truth = Counter((row["device"], row["minute"]) for _, row in events)
    store, at = opened(), 0
    while at < len(events):
        size = rng.randrange(1, 20)
        count_events(store, table, KEY, "topic:0", events[at : at + size])
        at = at + size if rng.random() < 0.6 else max(at - rng.randrange(20), 0)
        if rng.random() < 0.2:
            store = opened()
    assert {(row["device"], row["minute"]): row["n"] for row in store.rows(table)} == truth


def atomic(server):
    """Skips on a server that loses one of two plain `$inc` at once: FerretDB 1 does, MongoDB itself never."""
    url, _ = server
    if url.startswith("mongodb"):
        tries, collection = 100, pymongo.MongoClient(url).get_default_database()["probe"]
        collection.insert_one({"_id": 0, "n": 0})
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda _: collection.update_one({"_id": 0}, {"$inc": {"n": 1}}), range(tries)):
                pass
        found = collection.find_one_and_delete({"_id": 0})["n"]
        if found != tries:
            pytest.skip(f"this server's updates are not atomic: {found} of {tries} increments at once were kept")


def test_two_consumers_at_once_count_once(server, opened, table):
    """A consumer that lost its partition without knowing it works on beside the new one."""
    atomic(server)
    events = [(offset, event(f"d{offset % 4}")) for offset in range(200)]
    errors = []

    def consume(size):
        store = opened()
        try:
            for at in range(0, len(events), size):
                count_events(store, table, KEY, "topic:0", events[at : at + size])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=consume, args=(size,)) for size in (7, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(row["n"] for row in opened().rows(table)) == 200


def test_two_writers_at_once_leave_the_newest(server, opened, table):
    atomic(server)

    def write(parity):
        store = opened()
        for seen in range(parity, 60, 2):
            put(store, table, mix(seen=seen, mw=seen))

    threads = [threading.Thread(target=write, args=(parity,)) for parity in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["mw"] for row in opened().rows(table)] == [59]


# -- choosing a store -------------------------------------------------------------------------------------------------


def test_another_kind_of_store_is_a_wrong_setting_that_shows_no_password(tmp_path):
    with pytest.raises(SettingError, match="EV_LIVE_STORE") as caught:
        open_live_store(load_settings(live_store="mysql://me:hidden@host", state_dir=tmp_path))
    assert "hidden" not in str(caught.value)


def test_a_state_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="EV_STATE_DIR"):
        open_live_store(load_settings(state_dir=tmp_path / "file"))


def test_a_batch_that_was_left_half_counted_is_finished_by_the_next_one(server, opened, table, monkeypatch):
    """Without transactions (MongoDB) a batch is taken first and counted then: whoever dies in between loses nothing."""
    url, _ = server
    if not url.startswith("mongodb"):
        pytest.skip("one transaction there")
    store = opened()
    collection = store._db[table]
    seen = []

    class Dying:
        def __getattr__(self, name):
            return getattr(collection, name)

        def update_one(self, *args, **kwargs):
            if seen:
                raise KeyboardInterrupt
            seen.append(collection.update_one(*args, **kwargs))

    monkeypatch.setattr(store, "_db", {table: Dying(), "_counted": store._db["_counted"]})
    with pytest.raises(KeyboardInterrupt):
        store.add_counts(table, KEY, [event("d1"), event("d2"), event("d3")], Position("s", 0, 3))
    assert len(collection.distinct("_id")) == 1
    again = opened()
    assert count_events(again, table, KEY, "s", [(offset, event(f"d{offset + 1}")) for offset in range(4)]) == 1
    assert [(row["device"], row["n"]) for row in again.rows(table)] == [("d1", 1), ("d2", 1), ("d3", 1), ("d4", 1)]

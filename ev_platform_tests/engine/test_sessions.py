"""stitch_days: equal however the days are cut, ordered and changed; and the proof that each part of it is needed."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from ev_platform.engine import sessions
from ev_platform.engine.items import TaskError
from ev_platform.engine.sessions import stitch_days
from ev_platform.engine.tasks import clean_day, compact_day, segment_day
from ev_platform.lake.layout import part_key
from ev_platform.lake.schemas import SEGMENTS, SESSIONS
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, shard_of, to_parquet
from ev_platform.transform.stitch import stitch
from ev_platform_tests.engine.fleet_lake import DAYS as FLEET_DAYS
from ev_platform_tests.engine.fleet_lake import fill_fleet, vehicles
from ev_platform_tests.engine.lakes import contents, small_settings, vin

DAYS = [(date(2026, 11, 1) + timedelta(days=n)).isoformat() for n in range(9)]


def piece(number, kind, start, end, soc, **more):
    rate = {"charge": 1.5, "drive": -8.0, "idle": 0.0}[kind] * (end - start).total_seconds() / 3600
    row = dict.fromkeys(SEGMENTS.names) | {
        "vin": vin(number),
        "kind": kind,
        "asleep": False,
        "start": start,
        "end": end,
        "open_start": False,
        "open_end": False,
        "soc_start": soc,
        "soc_end": soc + rate,
        "energy_kwh": abs(rate) * 0.7,
        "energy_method": "counter",
        "energy_method_reason": "",
        "odometer_start_km": 100.0,
        "odometer_end_km": 100.0 + (50.0 if kind == "drive" else 0.0),
        "distance_km": 50.0 if kind == "drive" else 0.0,
        "charge_type": "ac" if kind == "charge" else None,
        "inferred": False,
        "truncated": False,
        "n_samples": 100,
        "gap_seconds": 60.0,
        "confidence": 0.9,
        "reasons": [],
    }
    return row | more


def random_day(draw: random.Random, number, day):
    """Pieces of one vehicle and day that tile it; often one kind for the whole day, so that sessions run through it."""
    begin = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    first, last = (
        begin + timedelta(seconds=draw.randint(0, 40)),
        begin + timedelta(seconds=86_400 - draw.randint(1, 40)),
    )
    kinds = draw.choice([["charge"], ["charge"], ["drive"], ["idle"], ["charge", "drive"], ["idle", "charge", "idle"]])
    bounds = [first, *sorted(first + (last - first) * draw.random() for _ in kinds[1:]), last]
    rows, soc = [], draw.uniform(20, 40)
    for kind, start, end in zip(kinds, bounds, bounds[1:], strict=False):
        if kind == "drive" and (end - start).total_seconds() > 30_000:
            soc = 95.0
        rows.append(piece(number, kind, start, end, soc))
        soc = rows[-1]["soc_end"]
    rows[0]["open_start"] = rows[-1]["open_end"] = True
    return [] if draw.random() < 0.1 else rows


def put_segments(store, day, rows, shards=1):
    for shard in range(shards):
        mine = [row for row in rows if shard_of(row["vin"], shards) == shard]
        key = part_key("segments", day, shard)
        if mine:
            store.put(key, to_parquet(pa.Table.from_pylist(mine, schema=SEGMENTS)))
        else:
            store.delete([key])


def sessions_of(store):
    """All filed sessions; each stands under the day it starts on, in its vehicle's shard."""
    tables = [SESSIONS.empty_table()]
    for key, data in contents(store, "results/sessions").items():
        table = from_parquet(data)
        assert len(table) > 0
        assert {f"date={start:%Y-%m-%d}" for start in table["start"].to_pylist()} == {key.split("/")[2]}
        tables.append(table)
    return pa.concat_tables(tables).sort_by([("vin", "ascending"), ("start", "ascending")])


def all_at_once(store):
    """What stitching the whole history in one go gives: the independent way."""
    tables = [from_parquet(data) for data in contents(store, "segments").values()]
    return stitch(pa.concat_tables([SEGMENTS.empty_table(), *tables]))


def play(url, seed, rounds=14):
    """Days change in any order and are stitched singly, in pairs or in ranges; in the end each was stitched."""
    draw = random.Random(seed)
    store = ObjectStore(url)
    shards = draw.choice([1, 2])
    settings = small_settings(store, shards=shards)
    days: dict[str, list] = {}
    waiting = draw.sample(DAYS, len(DAYS))
    for _ in range(rounds):
        changed = [waiting.pop()] if waiting and draw.random() < 0.8 else draw.sample(DAYS, draw.randint(1, 3))
        for day in changed:
            days[day] = [row for number in range(3) for row in random_day(draw, number, day)]
            put_segments(store, day, days[day], shards)
        waiting = [day for day in waiting if day not in changed]
        stitch_days(settings, store, changed)
    for day in waiting:
        days[day] = [row for number in range(3) for row in random_day(draw, number, day)]
        put_segments(store, day, days[day], shards)
        stitch_days(settings, store, [day])
    return store


@pytest.mark.parametrize("seed", range(8))
def test_the_result_does_not_depend_on_the_order_of_changes(tmp_path, seed):
    store = play(str(tmp_path / "lake"), seed)
    wanted = all_at_once(store)
    found = sessions_of(store)
    assert found.select(["vin", "start", "end", "kind", "n_pieces"]).to_pylist() == (
        wanted.select(["vin", "start", "end", "kind", "n_pieces"]).to_pylist()
    )
    assert found.equals(wanted)
    before = contents(store, "results")
    receipts = stitch_days(small_settings(store), store, DAYS)
    assert contents(store, "results") == before
    assert not any(receipt.objects_written or receipt.objects_deleted for receipt in receipts.values())


@pytest.mark.parametrize("naive", ["only the days asked", "no following through whole days", "no days beyond"])
def test_each_part_of_the_look_around_is_needed(tmp_path, naive, monkeypatch):
    if naive == "only the days asked":
        monkeypatch.setattr(sessions, "_affected", lambda pieces, edge, step: {})
    elif naive == "no following through whole days":
        monkeypatch.setattr(sessions._Pieces, "passing", lambda self, day, vins: frozenset())
    else:
        monkeypatch.setattr(sessions, "_needed", lambda pieces, edge, step, affected: affected)
    stores = (play(str(tmp_path / str(seed)), seed) for seed in range(8))
    assert any(not sessions_of(store).equals(all_at_once(store)) for store in stores)


def test_an_earlier_day_that_was_never_stitched_is_filed_whole_or_not_at_all(tmp_path):
    """One vehicle's charge runs back through it; the run must not leave a file with that vehicle alone."""
    store = ObjectStore(str(tmp_path))
    for day in DAYS[:3]:
        begin = datetime.fromisoformat(f"{day}T00:00:05+00:00")
        end = begin + timedelta(seconds=86_390)
        rows = [piece(number, kind, begin, end, 20.0) for number, kind in enumerate(("charge", "idle"))]
        put_segments(store, day, [row | {"open_start": True, "open_end": True} for row in rows])
    stitch_days(small_settings(store), store, DAYS[2:3])
    filed = from_parquet(store.get(part_key("results/sessions", DAYS[0])))
    assert set(filed["vin"].to_pylist()) == {vin(0), vin(1)}
    assert sessions_of(store).equals(all_at_once(store))


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    store = ObjectStore(str(tmp_path_factory.mktemp("fleet")))
    fill_fleet(store)
    settings = small_settings(store)
    for day in FLEET_DAYS:
        compact_day(settings, store, day)
        clean_day(settings, store, day)
        segment_day(settings, store, day)
    return contents(store, "segments", "ref")


def fresh(segmented, folder):
    store = ObjectStore(str(folder))
    store.put_many(segmented.items())
    return store


def test_a_simulated_fleet_is_filed_alike_however_its_days_are_cut(segmented, tmp_path):
    found = []
    orders = [[FLEET_DAYS], [[day] for day in FLEET_DAYS], [[day] for day in reversed(FLEET_DAYS)]]
    orders += [[FLEET_DAYS[1:3], FLEET_DAYS[:1], FLEET_DAYS[2:]], [FLEET_DAYS[::2], FLEET_DAYS[1::2]]]
    for n, order in enumerate(orders):
        store = fresh(segmented, tmp_path / str(n))
        for days in order:
            receipts = stitch_days(small_settings(store), store, days)
            assert set(days) <= set(receipts)
        found.append(contents(store, "results"))
    assert found[1:] == found[:1] * (len(orders) - 1)
    pieces = pa.concat_tables([from_parquet(data) for key, data in segmented.items() if key.startswith("segments")])
    assert sessions_of(store).equals(stitch(pieces, vehicles()))
    assert max(sessions_of(store)["n_pieces"].to_pylist()) > 1


def test_receipts_name_the_days_asked_and_the_days_that_changed(segmented, tmp_path):
    store = fresh(segmented, tmp_path)
    settings = small_settings(store)
    stitch_days(settings, store, FLEET_DAYS)
    assert list(stitch_days(settings, store, FLEET_DAYS[1:2])) == FLEET_DAYS[1:2]
    store.delete([part_key("results/sessions", FLEET_DAYS[0])])
    receipts = stitch_days(settings, store, FLEET_DAYS[1:2])
    assert list(receipts) == FLEET_DAYS[:2]
    assert [receipt.objects_written for receipt in receipts.values()] == [1, 0]
    store.delete(store.keys("segments"))
    gone = stitch_days(settings, store, FLEET_DAYS)
    assert [receipt.objects_deleted for receipt in gone.values()] == [1] * len(FLEET_DAYS)
    assert store.keys("results") == []
    assert stitch_days(settings, store, []) == {}


def test_an_unreadable_segments_part_is_named(segmented, tmp_path):
    store = fresh(segmented, tmp_path)
    store.put(part_key("segments", FLEET_DAYS[1]), b"no")
    with pytest.raises(TaskError, match=r"segments/date=2026-11-02/part-0000\.parquet cannot be read"):
        stitch_days(small_settings(store), store, FLEET_DAYS)


class _Interrupted(ObjectStore):
    """Another run makes the segments of a day anew, and stitches it, just before our first result is written."""

    other = None

    def put(self, key, data):
        if self.other and key.startswith("results/sessions"):
            other, self.other = self.other, None
            other()
        super().put(key, data)


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "without the check it goes stale"])
def test_two_runs_that_stitch_the_same_midnight_at_once(tmp_path, monkeypatch, checked):
    if not checked:
        monkeypatch.setattr(sessions._Pieces, "unchanged", lambda self: True)
    store, rival = _Interrupted(str(tmp_path)), ObjectStore(str(tmp_path))
    settings = small_settings(store)
    midnight = datetime.fromisoformat("2026-11-02T00:00:00+00:00")
    evening = piece(1, "charge", midnight - timedelta(hours=2), midnight - timedelta(seconds=5), 30.0, open_end=True)
    morning = piece(1, "charge", midnight + timedelta(seconds=5), midnight + timedelta(hours=2), 33.0, open_start=True)
    put_segments(store, DAYS[0], [evening])

    def other_run():
        put_segments(rival, DAYS[1], [morning])
        stitch_days(settings, rival, [DAYS[1]])

    store.other = other_run
    stitch_days(settings, store, [DAYS[0]])
    found = contents(rival, "results")
    stitch_days(settings, rival, DAYS[:2])
    assert (contents(rival, "results") == found) is checked

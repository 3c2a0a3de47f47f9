"""Changes of the input that must not change the result: order, repeats, company, and the cut between days."""

import itertools
import random
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ev_platform.lake.schemas import VEHICLES
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import links, passes_through, stitch
from ev_platform_tests.transform.faults import damage
from ev_platform_tests.transform.fleet import HOUR, commuter, compressed, day_of, next_day, shifted, vehicles

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAYS = ["2026-11-03", "2026-11-04", "2026-11-05"]


@cache
def fleet():
    return [damage(commuter(i, days=3, seed=7, period_s=60), 7, rate=0.03) for i in range(5)]


@cache
def raw(day):
    return compressed(fleet(), day)


@cache
def pieces(day):
    return segment(clean(raw(day), vehicles(fleet())).table, day, vehicles(fleet()))


@cache
def reference(day):
    return clean(raw(day), vehicles(fleet()))


def without_repeats(counts):
    return counts.filter(pa.compute.not_equal(counts["rule"], "repeat"))


@FEW
@given(seed=st.integers(0, 2**32))
def test_row_order_does_not_matter(seed):
    day = DAYS[seed % 3]
    order = np.random.default_rng(seed).permutation(raw(day).num_rows)
    result = clean(raw(day).take(pa.array(order)), vehicles(fleet()))
    assert result.table.equals(reference(day).table)
    assert result.counts.equals(reference(day).counts)
    rows = result.table.num_rows
    shuffled = result.table.take(pa.array(np.random.default_rng(seed + 1).permutation(rows)))
    assert segment(shuffled, day, vehicles(fleet())).equals(pieces(day))


@FEW
@given(seed=st.integers(0, 2**32), share=st.floats(0.01, 1.0))
def test_repeated_rows_do_not_matter(seed, share):
    day = DAYS[seed % 3]
    noise = np.random.default_rng(seed)
    rows = raw(day).num_rows
    again = raw(day).take(pa.array(noise.choice(rows, size=max(1, int(rows * share)), replace=True)))
    resent = again.set_column(
        again.schema.get_field_index("offset"), "offset", pa.compute.add(again["offset"], 500_000)
    )
    resent = resent.cast(again.schema)
    for extra in (again, resent):
        mixed = pa.concat_tables([raw(day), extra])
        result = clean(mixed.take(pa.array(noise.permutation(mixed.num_rows))), vehicles(fleet()))
        if extra is again:
            assert result.table.equals(reference(day).table)
            assert without_unmapped(without_repeats(result.counts))["rule"].unique().to_pylist()
        assert result.table.num_rows == reference(day).table.num_rows


def without_unmapped(counts):
    return counts.filter(pa.compute.not_equal(counts["rule"], "unmapped"))


@FEW
@given(chosen=st.sets(st.integers(0, 4), min_size=1), day=st.sampled_from(DAYS))
def test_company_does_not_matter(chosen, day):
    vins = pa.array(sorted(fleet()[i].vin for i in chosen))
    registry = vehicles(fleet())
    part = raw(day).filter(pa.compute.is_in(raw(day)["vin"], vins))
    result = clean(part, registry)
    wanted = reference(day)
    assert result.table.equals(wanted.table.filter(pa.compute.is_in(wanted.table["vin"], vins)))
    assert result.counts.equals(wanted.counts.filter(pa.compute.is_in(wanted.counts["vin"], vins)))
    own = segment(result.table, day, registry)
    assert own.equals(pieces(day).filter(pa.compute.is_in(pieces(day)["vin"], vins)))


@FEW
@given(seed=st.integers(0, 2**32))
def test_stitching_takes_pieces_in_any_order_and_company(seed):
    noise = random.Random(seed)
    everything = pa.concat_tables([pieces(day) for day in DAYS])
    wanted = stitch(everything, vehicles(fleet()))
    order = list(range(everything.num_rows))
    noise.shuffle(order)
    assert stitch(everything.take(pa.array(order)), vehicles(fleet())).equals(wanted)
    vin = noise.choice(fleet()).vin
    alone = everything.filter(pa.compute.equal(everything["vin"], vin))
    assert stitch(alone, vehicles(fleet())).equals(wanted.filter(pa.compute.equal(wanted["vin"], vin)))


def starting(sessions, day):
    return sessions.filter([day_of(t.value // 1000) == day for t in sessions["start"].to_pandas()])


def test_sessions_of_a_day_need_only_its_neighbours():
    """Unless a vehicle passes through a day in one session, the days before and after decide."""
    everything = {day: pieces(day) for day in DAYS}
    wanted = starting(stitch(pa.concat_tables(everything.values()), vehicles(fleet())), DAYS[0])
    assert passes_through(everything[DAYS[1]]) == set()
    assert links(everything[DAYS[0]], everything[DAYS[1]]) == {life.vin for life in fleet()}
    near = starting(stitch(pa.concat_tables([everything[DAYS[0]], everything[DAYS[1]]]), vehicles(fleet())), DAYS[0])
    assert near.equals(wanted)
    alone = starting(stitch(everything[DAYS[0]], vehicles(fleet())), DAYS[0])
    assert not alone.equals(wanted)


@pytest.mark.parametrize(
    ("hours", "kinds"), [(5.0, set()), (5.75, {"charge"}), (12.25, {"drive"}), (14.0, set()), (17.25, {"drive"})]
)
def test_where_days_are_cut_does_not_matter(hours, kinds):
    """The same lives some hours later: midnight falls elsewhere, the sessions are the same.

    Energies may differ by what one reporting interval holds; days without any drive or charge do not occur here.
    """
    lives = [commuter(i, days=3, seed=3, period_s=30) for i in range(6)]
    wanted, found = sessions(lives, 0), sessions(lives, int(hours * HOUR))
    crossing = [row for row in found if row["n_pieces"] > 1]
    exact = ("vin", "kind", "asleep", "start", "end", "inferred", "truncated", "charge_type", "reasons", "n_samples")
    assert [[row[name] for name in exact] for row in found] == [[row[name] for name in exact] for row in wanted]
    for name, tolerance in (("soc_start", 0.02), ("soc_end", 0.02), ("energy_kwh", 0.3)):
        difference = [abs(a[name] - b[name]) for a, b in zip(found, wanted, strict=True) if a[name] is not None]
        assert max(difference) <= tolerance, name
    assert {row["kind"] for row in crossing} >= kinds


def sessions(lives, offset):
    """Session rows with times shifted back by the offset."""
    lives = [shifted(life, offset) for life in lives]
    registry = vehicles(lives)
    days = sorted({day_of(message.time) for life in lives for message in life.messages})
    parts = [segment(clean(compressed(lives, day), registry).table, day, registry) for day in days]
    assert all(next_day(a) == b for a, b in itertools.pairwise(days))
    rows = stitch(pa.concat_tables(parts), registry).to_pylist()
    for row in rows:
        row["start"] = row["start"].timestamp() * 1e6 - offset
        row["end"] = row["end"].timestamp() * 1e6 - offset
    return rows


def test_vehicle_without_registry_line():
    cleaned = clean(raw(DAYS[0]), VEHICLES.empty_table()).table
    found = segment(cleaned, DAYS[0], VEHICLES.empty_table())
    assert set(found["vin"].to_pylist()) == {life.vin for life in fleet()}
    assert found["energy_method"].to_pylist().count("soc_capacity") == 0
    assert found.num_rows > 20

"""Interval sets behave like sets of offsets."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest import intervals

offsets = st.sets(st.integers(0, 60))
pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda p: [p[0], p[0] + p[1]]), max_size=8)


def members(found):
    return {offset for first, last in found for offset in range(first, last + 1)}


def canonical(found):
    assert all(first <= last for first, last in found)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))
    return found


@given(offsets)
def test_round_trip(some):
    found = canonical(intervals.of_offsets(some))
    assert members(found) == some
    assert intervals.count(found) == len(some)
    assert intervals.of_array(np.array(sorted(some, reverse=True) * 2, dtype=np.int64)) == found


@given(st.lists(st.integers(0, 60)).map(sorted))
def test_append_in_order(some):
    found = []
    for offset in some:
        intervals.append(found, offset)
    assert canonical(found) == intervals.of_offsets(some)


@given(pairs, pairs, pairs)
def test_algebra(a, b, c):
    assert members(canonical(intervals.union(a, b, c))) == members(a) | members(b) | members(c)
    assert members(canonical(intervals.difference(a, b))) == members(a) - members(b)
    assert members(canonical(intervals.intersection(a, b))) == members(a) & members(b)


@given(pairs, st.integers(0, 60), st.integers(0, 60))
def test_clip(a, first, end):
    assert members(canonical(intervals.clip(a, first, end))) == {x for x in members(a) if first <= x < end}


@given(pairs)
def test_an_empty_range_is_empty(a):
    assert members(intervals.union(a, [[5, 4]])) == members(a)
    assert members(intervals.difference(a, [[5, 4]])) == members(a)

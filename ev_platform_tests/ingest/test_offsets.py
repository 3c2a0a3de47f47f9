"""Rounds cover their ranges exactly, in bounded portions, always the same way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest.offsets import OffsetRange, rounds

ranges = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 5)), st.tuples(st.integers(0, 50), st.integers(0, 80))
).map(lambda found: [OffsetRange(*place, start, start + size) for place, (start, size) in found.items()])


@given(ranges, st.integers(1, 60), st.randoms())
def test_rounds_cover_exactly(some, limit, random):
    found = rounds(some, limit)
    covered = [(one.place, offset) for part in found for one in part for offset in range(one.start, one.end)]
    assert sorted(covered) == sorted((one.place, offset) for one in some for offset in range(one.start, one.end))
    assert len(covered) == len(set(covered))
    for part in found:
        assert sum(one.size for one in part) <= max(limit, len(part))
        assert len({one.place for one in part}) == len(part)
    for place in {one.place for one in some}:
        mine = [one for part in found for one in part if one.place == place]
        assert [one.start for one in mine] == sorted(one.start for one in mine)
    random.shuffle(some)
    assert rounds(some, limit) == found


def test_a_partition_twice_is_refused():
    with pytest.raises(ValueError):
        rounds([OffsetRange("a", 0, 0, 5), OffsetRange("a", 0, 5, 9)], 10)

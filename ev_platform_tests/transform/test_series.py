"""The grouped-series vocabulary against plain loops, and its promise: no group sees another."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.transform.clean_rules import _longest_non_decreasing
from ev_platform.transform.series import (
    NONE,
    Groups,
    filled_row,
    first_in_runs,
    gap_before,
    last_before,
    last_in_runs,
    last_valid,
    max_runs,
    next_valid,
    run_of_row,
    run_starts,
    sum_runs,
)

MANY = settings(max_examples=150, deadline=None)


@st.composite
def frames(draw):
    """(group keys, valid, stop, times in us, values) of up to 30 rows."""
    sizes = draw(st.lists(st.integers(1, 6), max_size=6))
    keys = np.repeat(np.arange(len(sizes)), sizes)
    n = len(keys)
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    steps = np.array(draw(st.lists(st.integers(0, 50), min_size=n, max_size=n)), dtype=np.int64)
    values = draw(st.lists(st.floats(-1e6, 1e6), min_size=n, max_size=n))
    time = np.cumsum(steps) * 1_000_000
    return keys, np.array(draw(flags), bool), np.array(draw(flags), bool), time, np.array(values, dtype=float)


@MANY
@given(frames())
def test_last_and_next_valid(frame):
    keys, valid, _, _, _ = frame
    groups = Groups.of(keys)
    for i in range(len(keys)):
        same = [j for j in range(len(keys)) if keys[j] == keys[i] and valid[j]]
        assert last_valid(valid, groups)[i] == max((j for j in same if j <= i), default=NONE)
        assert next_valid(valid, groups)[i] == min((j for j in same if j >= i), default=NONE)
        assert last_before(valid, groups)[i] == max((j for j in same if j < i), default=NONE)


@MANY
@given(frames(), st.integers(0, 100))
def test_bounded_fill(frame, limit):
    keys, valid, stop, time, _ = frame
    groups = Groups.of(keys)
    found = filled_row(valid, last_valid(stop, groups), time, groups, float(limit))
    for i in range(len(keys)):
        wanted = NONE
        for j in range(i, -1, -1):
            if keys[j] != keys[i]:
                break
            if valid[j]:
                wanted = j if time[i] - time[j] <= limit * 1_000_000 else NONE
                break
            if stop[j]:
                break
        assert found[i] == wanted


@MANY
@given(frames())
def test_runs(frame):
    keys, label, _, time, values = frame
    groups = Groups.of(keys)
    starts = run_starts(groups, label)
    run = run_of_row(starts, len(keys))
    wanted = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1] or label[i] != label[i - 1]]
    assert starts.tolist() == wanted
    ends = (np.append(starts[1:], len(keys)) - 1)[: len(starts)]
    for number, (a, b) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        assert set(run[a : b + 1].tolist()) == {number}
        total = 0.0
        for value in values[a : b + 1].tolist():
            total += value
        assert sum_runs(values, run, len(starts))[number] == total
        assert max_runs(values, starts)[number] == max(values[a : b + 1])
        positive = [j for j in range(a, b + 1) if values[j] > 0]
        assert first_in_runs(values > 0, starts, ends, groups)[number] == min(positive, default=NONE)
        assert last_in_runs(values > 0, starts, ends, groups)[number] == max(positive, default=NONE)
    gaps = gap_before(time, groups)
    for i in range(len(keys)):
        inside = i > 0 and keys[i] == keys[i - 1]
        assert gaps[i] == ((time[i] - time[i - 1]) / 1e6 if inside else np.inf)


@MANY
@given(frames(), st.floats(1e9, 1e15))
def test_sums_do_not_depend_on_what_stands_before(frame, large):
    """A difference of one running sum over the batch would; that is why there is none."""
    keys, _, _, _, values = frame
    if not len(keys):
        return
    run = run_of_row(Groups.of(keys).starts, len(keys))
    alone = sum_runs(values, run, run[-1] + 1)
    company = sum_runs(np.append(large / 3, values), np.append(0, run + 1), run[-1] + 2)
    assert company[1:].tolist() == alone.tolist()


@MANY
@given(st.lists(st.integers(0, 12), min_size=1, max_size=25))
def test_longest_non_decreasing(values):
    chain = _longest_non_decreasing([float(v) for v in values])
    kept = [values[i] for i in chain]
    assert chain == sorted(set(chain))
    assert kept == sorted(kept)
    best = [1] * len(values)
    for i in range(len(values)):
        best[i] = 1 + max((best[j] for j in range(i) if values[j] <= values[i]), default=0)
    assert len(chain) == max(best)

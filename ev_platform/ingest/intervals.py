"""Sets of offsets as sorted, disjoint, inclusive [first, last] pairs: exact, and small because offsets come in runs.

Pure functions on lists; no class, because the same lists are what receipts store as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Intervals = list[list[int]]
"""Sorted, disjoint, not adjacent, both ends inclusive: the JSON form as well."""


def of_offsets(offsets: Iterable[int]) -> Intervals:
    """Intervals of offsets in any order, repeats allowed."""
    found: Intervals = []
    for offset in sorted(offsets):
        append(found, offset)
    return found


def append(intervals: Intervals, offset: int) -> None:
    """Add an offset that is not below the last one, in place: the cheap form for offsets read in order."""
    if intervals and offset <= intervals[-1][1] + 1:
        intervals[-1][1] = max(offset, intervals[-1][1])
    else:
        intervals.append([offset, offset])


def union(*sets: Iterable[Iterable[int]]) -> Intervals:
    """Offsets in any of the sets; their intervals may overlap and come in any order."""
    merged: Intervals = []
    for first, last in sorted((first, last) for one in sets for first, last in one):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(last, merged[-1][1])
        elif first <= last:
            merged.append([first, last])
    return merged


def difference(left: Iterable[Iterable[int]], right: Iterable[Iterable[int]]) -> Intervals:
    """Offsets in `left` that are not in `right`."""
    holes = union(right)
    found: Intervals = []
    at = 0
    for first, last in union(left):
        while at < len(holes) and holes[at][1] < first:
            at += 1
        scan = at
        while scan < len(holes) and holes[scan][0] <= last:
            if first < holes[scan][0]:
                found.append([first, holes[scan][0] - 1])
            first = holes[scan][1] + 1
            scan += 1
        if first <= last:
            found.append([first, last])
    return found


def intersection(left: Iterable[Iterable[int]], right: Iterable[Iterable[int]]) -> Intervals:
    """Offsets in both."""
    kept = union(left)
    return difference(kept, difference(kept, right))


def clip(intervals: Iterable[Iterable[int]], first: int, end: int) -> Intervals:
    """Offsets in [first, end)."""
    return intersection(intervals, [[first, end - 1]])


def count(intervals: Iterable[Iterable[int]]) -> int:
    """Number of offsets."""
    return sum(last - first + 1 for first, last in intervals)


def of_array(offsets: npt.NDArray[np.int64]) -> Intervals:
    """Intervals of an array of offsets in any order, repeats allowed; for millions of them."""
    unique = np.unique(offsets)
    if unique.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(unique) > 1)
    firsts = unique[np.concatenate(([0], breaks + 1))]
    lasts = unique[np.concatenate((breaks, [unique.size - 1]))]
    return [[int(first), int(last)] for first, last in zip(firsts, lasts, strict=True)]

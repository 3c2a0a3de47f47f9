"""Vocabulary for many time series laid end to end: last and next valid row, bounded fill, runs, sums per run.

A table of whole vehicles sorted by (vehicle, time) is a sequence of groups. Every function here looks only inside a
group, so a vehicle's result never depends on which other vehicles share the batch. That also rules out differences of
one running sum over the whole batch: they would round differently in other company (`sum_runs` adds run by run).

Belongs here: generic array kernels (NumPy). Not here: signals, thresholds, vehicles' states. Does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.transform import arrow

Floats = arrow.Floats
Ints = arrow.Ints
Bools = arrow.Bools

NONE = -1
"""Row number that stands for "there is none"."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Consecutive groups of rows. `first` and `last` give, for every row, the first and last row of its group."""

    starts: Ints
    first: Ints
    last: Ints
    here: Ints
    """The number of every row."""

    @property
    def rows(self) -> int:
        """Number of rows in all groups."""
        return len(self.first)

    @staticmethod
    def of(*keys: npt.NDArray[np.generic]) -> Groups:
        """Groups of equal consecutive keys (n values each)."""
        rows = len(keys[0])
        new = np.zeros(rows, dtype=bool)
        for key in keys:
            new[1:] |= key[1:] != key[:-1]
        if rows:
            new[0] = True
        starts = np.flatnonzero(new)
        lengths = np.diff(np.append(starts, rows))
        return Groups(starts, np.repeat(starts, lengths), np.repeat(starts + lengths - 1, lengths), np.arange(rows))


def last_valid(valid: Bools, groups: Groups) -> Ints:
    """For every row the latest row at or before it, in its group, where `valid`; NONE where there is none."""
    rows = np.maximum.accumulate(np.where(valid, groups.here, NONE))
    return np.where(rows >= groups.first, rows, NONE)


def next_valid(valid: Bools, groups: Groups) -> Ints:
    """For every row the earliest row at or after it, in its group, where `valid`; NONE where there is none."""
    far = groups.rows
    rows = np.minimum.accumulate(np.where(valid, groups.here, far)[::-1])[::-1]
    return np.where(rows <= groups.last, rows, NONE)


def last_before(valid: Bools, groups: Groups) -> Ints:
    """As `last_valid`, but strictly before the row."""
    rows = np.full(groups.rows, NONE, dtype=np.int64)
    rows[1:] = last_valid(valid, groups)[:-1]
    rows[groups.starts] = NONE
    return rows


def next_row_valid(valid: Bools, groups: Groups) -> Ints:
    """As `next_valid`, but strictly after the row."""
    rows = np.full(groups.rows, NONE, dtype=np.int64)
    rows[:-1] = next_valid(valid, groups)[1:]
    rows[groups.last] = NONE
    return rows


def take(values: npt.NDArray[np.generic], rows: Ints, missing: float) -> Floats:
    """values[rows] as floats, `missing` where the row is NONE."""
    if len(values) == 0:
        return np.full(len(rows), missing)
    return np.where(rows == NONE, missing, values[rows])


def seconds_between(time: Ints, earlier: Ints, later: Ints) -> Floats:
    """Seconds from row `earlier` to row `later` (times in us); infinite where either is NONE."""
    if len(time) == 0:
        return np.full(len(earlier), np.inf)
    known = (earlier != NONE) & (later != NONE)
    return np.where(known, (time[later] - time[earlier]) / 1e6, np.inf)


def filled_row(valid: Bools, stopped: Ints | int, time: Ints, groups: Groups, limit_s: float = np.inf) -> Ints:
    """Row whose observation stands in at every row: the latest valid one, at most `limit_s` old, no stop since.

    `stopped` is the row of the latest stop (`last_valid` of the rows that end a fill: the provider said "invalid",
    contact was lost before the row, a cut), or NONE. A row that is both valid and a stop starts a new fill with its own
    value.
    """
    rows = last_valid(valid, groups)
    holds = stopped <= rows
    if limit_s < np.inf:
        holds &= time - time[rows] <= limit_s * 1e6
    return np.where(holds, rows, NONE)


def gap_before(time: Ints, groups: Groups) -> Floats:
    """Seconds since the row before in the same group; infinite for the first row of a group."""
    gap = np.full(groups.rows, np.inf)
    gap[1:] = (time[1:] - time[:-1]) / 1e6
    gap[groups.starts] = np.inf
    return gap


def run_starts(groups: Groups, *labels: npt.NDArray[np.generic]) -> Ints:
    """First rows of the runs of equal consecutive labels inside the groups."""
    new = np.zeros(groups.rows, dtype=bool)
    for label in labels:
        new[1:] |= label[1:] != label[:-1]
    new[groups.starts] = True
    return np.flatnonzero(new)


def run_of_row(starts: Ints, rows: int) -> Ints:
    """For every row the number of the run it belongs to."""
    number = np.zeros(rows, dtype=np.int64)
    number[starts] = 1
    return np.cumsum(number) - 1


def sum_runs(values: Floats, run: Ints, n_runs: int) -> Floats:
    """Sum per run, added in row order run by run (never differences of a running sum over all vehicles)."""
    return np.bincount(run, weights=values, minlength=n_runs).astype(np.float64)


def count_runs(mask: Bools, run: Ints, n_runs: int) -> Ints:
    """Number of true rows per run."""
    return np.bincount(run[mask], minlength=n_runs).astype(np.int64)


def max_runs(values: Floats, starts: Ints) -> Floats:
    """Largest value per run, NaN ignored; NaN for a run without values. Runs tile the rows."""
    if len(starts) == 0:
        return np.zeros(0)
    return np.fmax.reduceat(values, starts)


def first_in_runs(valid: Bools, starts: Ints, ends: Ints, groups: Groups) -> Ints:
    """Row of the first valid value in each run [start, end] (both rows included); NONE without any."""
    rows = next_valid(valid, groups)[starts]
    return np.where((rows != NONE) & (rows <= ends), rows, NONE)


def last_in_runs(valid: Bools, starts: Ints, ends: Ints, groups: Groups) -> Ints:
    """Row of the last valid value in each run [start, end] (both rows included); NONE without any."""
    rows = last_valid(valid, groups)[ends]
    return np.where((rows != NONE) & (rows >= starts), rows, NONE)


def string_codes(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Codes (-1 for null) and sorted distinct values of a string column."""
    array = column.combine_chunks()
    encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    rank = np.empty(len(words) + 1, dtype=np.int64)
    rank[np.array(order, dtype=np.int64)] = np.arange(len(words))
    rank[-1] = -1
    codes = arrow.indices(encoded)
    return rank[codes], [words[i] for i in order]

"""Receipts of a service: whatever the checkpoints, together they say what one receipt of a drain would have said."""

from hypothesis import given
from hypothesis import strategies as st

from ev_platform.ingest import intervals
from ev_platform.ingest.receipts import RunningLedger
from ev_platform_tests.ingest.helpers import DAY_MS, T0

P = ("tesla_V", 0)
KINDS = ("2026-11-01", "2026-11-02", "dead", "tombstone", "marker")


def note(receipt, kind, offset):
    if kind in ("dead", "tombstone"):
        {"dead": receipt.dead_letter, "tombstone": receipt.tombstone}[kind](offset)
    elif kind != "marker":
        receipt.record(offset, kind)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.booleans(), st.integers(0, 30)), max_size=60))
def test_checkpoints_cut_without_a_trace(steps):
    ledger, parts, wanted, position = RunningLedger(), [], {kind: [] for kind in KINDS}, 0
    ledger.open(P, 0)
    for offset, (kind, checkpoint, behind) in enumerate(steps):
        receipt = ledger.partitions[P]
        wanted[kind].append(offset)
        ledger.saw(T0 + offset)
        note(receipt, kind, offset)
        if checkpoint:
            position = max(position, offset + 1 - behind)
            ledger.mark({P: offset + 1})
            part = ledger.below({P: position})
            again = ledger.below({P: position})
            assert part.encode() == again.encode()  # a checkpoint that failed says the same at the next try
            ledger.forget_below({P: position})
            parts += part.partitions.values()
    parts += ledger.below({P: len(steps)}).partitions.values()
    assert intervals.union(*([[p.start, p.end - 1]] for p in parts)) == ([[0, len(steps) - 1]] if steps else [])
    assert sum(p.end - p.start for p in parts) == len(steps)  # no offset in two receipts
    for day in KINDS[:2]:
        found = intervals.union(*(p.days.get(day, []) for p in parts))
        assert found == intervals.of_offsets(wanted[day])
    assert intervals.union(*(p.dead for p in parts)) == intervals.of_offsets(wanted["dead"])
    assert intervals.union(*(p.tombstones for p in parts)) == intervals.of_offsets(wanted["tombstone"])


def test_filed_under_the_newest_day_that_is_not_committed_yet():
    ledger = RunningLedger()
    ledger.open(P, 0)
    for offset in range(4):
        ledger.partitions[P].record(offset, "2026-11-01")
        ledger.saw(T0 + offset * DAY_MS)
        ledger.mark({P: offset + 1})
    assert ledger.below({P: 2}).encode()[0].startswith("ops/offsets/2026-11-04/")  # never too early
    ledger.forget_below({P: 4})
    ledger.partitions[P].record(4, "2026-11-01")
    ledger.saw(T0)
    ledger.mark({P: 5})
    assert ledger.below({P: 5}).encode()[0].startswith("ops/offsets/2026-11-01/")  # and not late for ever

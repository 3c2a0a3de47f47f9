"""The look at a whole batch: whatever it calls plain, the test of one payload alone finds nothing in either."""

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ev_platform.ingest import readable
from ev_platform.ingest.readable import plain, unreadable
from ev_platform_tests.ingest.helpers import payload

ODD = [
    b"1e400", b"1E+400", b"1e+0400", b"12.5e308", b"-1e999", b"9" * 320, b"1" * 199, b"1" * 200, b'"\xff"',
    b"[" * 70 + b"]" * 70, b"[[],[]" * 40, b'"Cell123"', b'"0e100"', b"1e-400", b"1.5e-05", b"2e22", b"NaN",
    b'"' + b"7" * 250 + b'"',
]  # fmt: skip
"""Values that are refused, or look much like one that is."""

values = st.one_of(
    st.sampled_from([payload(1), payload(2, pad="x" * 3000), b"", b"1", b"{}"]),
    st.binary(max_size=40),
    st.builds(lambda odd, at: b'{"a":' + b" " * at + odd + b',"vin":"x"}', st.sampled_from(ODD), st.integers(0, 120)),
    st.builds(lambda a, b: b'{"a":[' + a + b"," + b + b"]}", st.sampled_from(ODD), st.sampled_from(ODD)),
)


@settings(max_examples=500, deadline=None)
@given(batch=st.lists(values, max_size=12))
@example(batch=[])
@example(batch=[b'{"a":%b}' % odd for odd in ODD])
def test_what_is_called_plain_is_readable(batch):
    found = plain(batch)
    assert len(found) == len(batch)
    for value, says in zip(batch, found, strict=True):
        if says:
            assert unreadable(value) is None


def test_ordinary_messages_are_plain_in_any_company():
    """Or the look would be for nothing: one bad neighbour must not send the others to the slow test."""
    batch = [payload(n, n=n) for n in range(50)]
    assert all(plain(batch))
    bad = b'{"vin":"EVPTESLA000000001","a":1e400}'
    assert [n for n, says in enumerate(plain([*batch[:20], bad, *batch[20:]])) if not says] == [20]


@pytest.mark.parametrize("odd", [b"1e400", b"1E+400", b"1" * 320, b'"\xc3\x28"', b'{"b":' * 101 + b"[" * 101])
def test_each_kind_of_suspect_is_seen_wherever_it_stands(odd):
    """At every distance from the hundredth bytes that are looked at, and from the ends of the batch."""
    for at in range(260):
        batch = [b"{}", b'{"a":"' + b" " * at + b'",' + b'"c":' + odd + b"}", b"[1e1]"]
        assert plain(batch) == [True, False, True], at


def test_large_payloads_are_left_to_the_test_of_one_and_memory_stays_small(monkeypatch):
    seen = []
    whole = readable._plain
    monkeypatch.setattr(readable, "_plain", lambda values: seen.append(sum(map(len, values))) or whole(values))
    large = b'{"a":"' + b"x" * 40_000 + b'"}'
    batch = [large, *[b'{"a":"' + b"y" * 30_000 + b'"}'] * 100, large]
    assert plain(batch) == [False, *[True] * 100, False]
    assert max(seen) <= 96 * 1024 + 32_768


@pytest.mark.parametrize(
    ("broken", "value"),
    [("_E", b'{"a":1e400}'), ("_PLUS", b'{"a":1e+400}'), ("_BRACE", b'{"a":' + b"[" * 300 + b"]" * 300 + b"}")],
)
def test_the_property_would_see_a_test_that_is_missing(monkeypatch, broken, value):
    monkeypatch.setattr(readable, broken, np.uint8(1))
    assert plain([value]) == [True]
    with pytest.raises((orjson.JSONDecodeError, AssertionError)):
        assert unreadable(value) is None

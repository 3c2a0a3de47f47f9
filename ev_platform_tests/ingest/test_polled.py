"""Raw lines of polled and imported payloads: content identity, byte for byte, names that promise their bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.engine.quarantine import mismatch
from ev_platform.ingest.polled import PayloadError, content_hash, polled_line, polled_object, polled_objects
from ev_platform.lake.layout import PolledName, parse_temp_key

VIN = "VF1AG000X64744771"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), JSON), st.booleans())
def test_a_line_is_one_line_and_gives_the_payload_back(payload, pretty):
    text = json.dumps(payload, indent=1 if pretty else None).encode()
    line = polled_line(text, headers={"receivedat": "5"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = json.loads(line)
    assert found["d"] == payload
    assert found["h"] == {"receivedat": "5"}
    assert len(found["_h"]) == 64


def test_digits_of_a_payload_stay_as_they_were_sent():
    line = polled_line(b'{"a":9.10,"b":1E5}', "aa", source_ts=7)
    assert line == b'{"_h":"aa","_t":7,"h":{},"d":{"a":9.10,"b":1E5}}\n'


@pytest.mark.parametrize("bad", [b"[1]", b"", b'"x"', b'{"a":', b'{"a":"\xff"}', b'{"a":1e400}', b"[" * 400])
def test_what_cannot_be_read_again_is_refused(bad):
    with pytest.raises(PayloadError):
        polled_line(bad)


def test_the_name_promises_the_bytes():
    lines = [polled_line(b'{"a":1}'), polled_line(b'{"a":2}')]
    ((key, data),) = polled_objects("bmw", VIN, {"2026-11-02": lines, "2026-11-03": []})
    assert isinstance(parse_temp_key(key)[2], PolledName)
    assert mismatch(key, data) is None
    assert mismatch(key, data[:-9]) is not None
    assert polled_object("bmw", lines)[0] in key


def test_a_vin_that_is_no_path_segment_is_refused():
    with pytest.raises(PayloadError):
        polled_objects("bmw", "../../etc", {"2026-11-02": [b"{}\n"]})


@given(st.lists(st.text()), st.lists(st.text()))
def test_lists_of_parts_have_hashes_of_their_own(one, other):
    assert (content_hash(*one) == content_hash(*other)) == (one == other)

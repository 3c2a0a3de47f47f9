"""Redriving dead letters: what is readable now is stored once, with its old identity, whatever crashes in between."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ev_platform.engine.compaction import compact_day
from ev_platform.errors import UserError
from ev_platform.ingest.audit import audit, audit_day
from ev_platform.ingest.dead_letters import DeadMessage, dead_line, read_dead_letters, read_redriven
from ev_platform.ingest.drain import drain
from ev_platform.ingest.record import Dead, Reason, Router, encode_headers
from ev_platform.ingest.redrive import redrive
from ev_platform.lake.layout import dead_letter_key
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.ingest.helpers import (
    FakeMessage,
    Sent,
    committed,
    filled,
    identities,
    lake_objects,
    payload,
    vin,
)

OLD = "2026-10-15"


@pytest.fixture
def strict(settings, topic):
    """Rules that refuse a third of the messages; `settings` accepts them."""
    return settings.with_changes(start_day=date(2026, 11, 1))


@pytest.fixture
def drained(cluster, strict, store, topic):
    """Messages of two days, one of them before the first day, and garbage."""
    messages = []
    for number in range(90):
        day = OLD if number % 3 == 0 else "2026-11-01"
        one = Sent(
            payload(number % 4, day, n=number),
            number % 2,
            vin(number % 4).encode(),
            headers=[("txid", b"a-1"), ("odd", b"\xff")],
        )
        messages.append(one if number % 10 else Sent(b"garbage %d" % number, number % 2))
    filled(cluster, topic, messages, 2)
    drain(strict, store, None)
    return store


def stored_values(store):
    return sorted(json.loads(line)["d"]["n"] for key in store.keys("temp") for line in store.get(key).splitlines())


def test_todays_rules_decide(drained, settings, strict):
    before = lake_objects(drained)
    assert redrive(strict, drained, read_dead_letters(drained)).records == 0
    assert lake_objects(drained) == before
    days = []
    report = redrive(settings, drained, read_dead_letters(drained), stored=days.append)
    assert (report.letters, report.days, report.still_dead) == (36, {OLD: 27}, {"not_json": 9})
    assert days == [{OLD: 27}]
    assert {key: data for key, data in lake_objects(drained).items() if key in before} == before
    found = identities(drained)
    assert len(found) == len(set(found)) == 81
    assert stored_values(drained) == [n for n in range(90) if n % 10]
    assert [letter.reason for letter in read_dead_letters(drained)] == ["not_json"] * 9
    assert len(list(read_dead_letters(drained, redriven=True))) == 36
    assert redrive(settings, drained, read_dead_letters(drained)).records == 0


def test_the_lines_are_those_of_a_drain_that_knew_the_rules(drained, settings, cluster, topic):
    redrive(settings, drained, read_dead_letters(drained))
    other = ObjectStore("memory://")
    drain(settings.with_changes(kafka_group="other"), other, None)

    def lines(store):
        return sorted(line for key in store.keys("temp") for line in store.get(key).splitlines())

    assert lines(drained) == lines(other)


def test_the_audit_counts_every_offset_once(drained, settings):
    assert audit(drained, committed(settings)).ok
    redrive(settings, drained, read_dead_letters(drained))
    found = audit(drained, committed(settings))
    assert str(found) == "0 lost, 0 doubled"
    assert sum(part.stored for part in found.partitions) == 81
    assert sum(part.stored + part.dead for part in found.partitions) == 90
    assert audit_day(drained, OLD).expected == 27
    for day in (OLD, "2026-11-01"):
        compact_day(settings, drained, day)
        assert audit_day(drained, day).ok
    assert str(audit(drained, committed(settings))) == "0 lost, 0 doubled"


def test_a_redriven_record_that_is_lost_again_is_missed(drained, settings):
    redrive(settings, drained, read_dead_letters(drained))
    key = next(key for key in drained.keys("temp") if OLD in key)
    drained.delete([key])
    assert not audit_day(drained, OLD).ok
    assert not audit(drained, committed(settings)).ok


class Crash(BaseException):
    """A kill."""


class Crashing(ObjectStore):
    """Writes that a kill cuts off: the first `left` objects are stored, nothing after them."""

    left = 0

    def put_many(self, objects):
        for key, data in objects:
            if self.left == 0:
                raise Crash
            self.left -= 1
            self.put(key, data)


@pytest.mark.parametrize("left", range(12))
def test_killed_after_any_object(drained, settings, left):
    crashing = Crashing(drained.url)
    crashing.left = left
    try:
        redrive(settings, crashing, read_dead_letters(drained))
    except Crash:
        assert left < 10
        assert audit(drained, committed(settings)).ok
    report = redrive(settings, drained, read_dead_letters(drained))
    assert report.records in (0, 27)
    assert stored_values(drained) == [n for n in range(90) if n % 10]
    assert len(identities(drained)) == 81
    assert audit(drained, committed(settings)).ok


def test_a_list_written_first_would_lose_records(drained, settings, monkeypatch):
    """The control: with the steps in the wrong order the tests above see the loss."""
    from ev_platform.ingest import redrive as module

    objects, lists = module._objects, module._lists
    monkeypatch.setattr(module, "_objects", lists)
    monkeypatch.setattr(module, "_lists", objects)
    crashing = Crashing(drained.url)
    crashing.left = 2
    with pytest.raises(Crash):
        redrive(settings, crashing, read_dead_letters(drained))
    redrive(settings, drained, read_dead_letters(drained))
    assert not audit(drained, committed(settings)).ok


def test_two_redrives_with_other_filters_overlap_harmlessly(drained, settings):
    letters = list(read_dead_letters(drained))
    redrive(settings, drained, letters[:20])
    redrive(settings, drained, letters)  # somebody else read the list before
    assert len(set(identities(drained))) == 81
    compact_day(settings, drained, OLD)
    found = audit(drained, committed(settings))
    assert str(found) == "0 lost, 0 doubled"


def test_small_batches_make_the_same_records(drained, settings, monkeypatch):
    from ev_platform.ingest import redrive as module

    monkeypatch.setattr(module, "BATCH_BYTES", 2000)
    report = redrive(settings, drained, read_dead_letters(drained))
    assert report.records == 27
    assert stored_values(drained) == [n for n in range(90) if n % 10]
    assert audit(drained, committed(settings)).ok


def test_a_lake_that_cannot_be_written_is_one_line(drained, settings):
    class Full(ObjectStore):
        def put_many(self, objects):
            list(objects)
            raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="cannot be written"):
        redrive(settings, Full(drained.url), read_dead_letters(drained))


HEADER_NAMES = st.text(st.sampled_from("ab;#2"), min_size=1, max_size=3) | st.sampled_from(["a;base64", "a#2", "txid"])


@given(headers=st.lists(st.tuples(HEADER_NAMES, st.none() | st.binary(max_size=4) | st.just(b"YQ==")), max_size=4))
def test_headers_survive_the_way_back(headers):
    line = dead_line(FakeMessage(b"x", _headers=headers), Dead(Reason.NOT_JSON, ""))
    store = ObjectStore("memory://")
    store.put(dead_letter_key("2026-11-02", "tesla_V-00000-0-0-1-00000000.json"), line)
    (letter,) = read_dead_letters(store)
    again = DeadMessage(letter).headers()
    assert json.loads(encode_headers(again)) == letter.headers == json.loads(encode_headers(headers))


# -- whatever lies in dead_letter/ ------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["..", ".", "../../x", "a b", "tesla_V", "%2e%2e", "\u2025"]
)
FIELDS = st.one_of(st.none(), st.integers(-5, 2**70), st.text(max_size=4), st.lists(st.none(), max_size=1))


@hypothesis_settings(max_examples=200)
@given(
    source=NAMES,
    change=st.dictionaries(
        st.sampled_from(["p", "o", "t", "key_b64", "value_b64", "headers", "reason"]), FIELDS, max_size=2
    ),
    evil=st.sampled_from(["../../../../../x1", "EVPTESLA000000001/../..", "..", vin(1)]),
)
def test_no_dead_letter_can_write_outside_its_place(settings_like, source, change, evil):
    message = FakeMessage(payload(1).replace(vin(1).encode(), evil.encode()))
    body = json.loads(dead_line(message, Dead(Reason.BAD_VIN, ""))) | change
    line = json.dumps(body).encode() + b"\n"
    letters = []
    from ev_platform.ingest.dead_letters import _letter

    found = _letter(source, "2026-11-02", line)
    letters = [found] if found else []
    store = ObjectStore("memory://")
    redrive(settings_like, store, letters)
    for key in store.keys(""):
        top, *rest = key.split("/")
        assert top in ("temp", "ops")
        assert ".." not in rest
        if top == "temp":
            assert rest[0] == vin(1)
            assert len(rest) == 3


@pytest.fixture(scope="module")
def settings_like():
    from ev_platform.settings import Settings

    return Settings(_env_file=None)


def test_junk_among_dead_letters_is_left_out_with_a_warning(drained, caplog):
    drained.put("dead_letter/2026/11/01/notes.txt", b"hello\n{}\n")
    drained.put("dead_letter/readme-00000-0-0-1-00000000.json", dead_line(FakeMessage(b"x"), Dead(Reason.NOT_JSON, "")))
    assert len(list(read_dead_letters(drained))) == 36
    assert caplog.text.count("is no dead letter") == 3
    assert read_redriven(drained) == set()


def test_router_agrees_about_letters_without_timestamps():
    store = ObjectStore("memory://")
    message = FakeMessage(payload(1, "2026-11-30"), _timestamp=(0, -1))
    store.put(
        dead_letter_key("1970-01-01", "tesla_V-00000-0-0-1-00000000.json"), dead_line(message, Dead(Reason.BAD_VIN, ""))
    )
    (letter,) = read_dead_letters(store)
    assert Router(date(2020, 1, 1), 2**20).route(DeadMessage(letter)) == Router(date(2020, 1, 1), 2**20).route(message)

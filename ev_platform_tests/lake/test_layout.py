"""Keys: what is built can be parsed, and nothing a message says leaves its folder."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.lake import layout
from ev_platform.lake.layout import KafkaName, PolledName, parse_temp_key

DAY = "2026-11-01"
VIN = "EVPTESLA000000001"
topics = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)


@given(
    topic=topics,
    partition=st.integers(0, 99_999),
    first=st.integers(0, 2**63 - 1),
    last=st.integers(0, 2**63 - 1),
    n=st.integers(1, 10**6),
    crc=st.integers(0, 2**32 - 1),
)
def test_a_kafka_name_parses_back(topic, partition, first, last, n, crc):
    key = layout.temp_key(VIN, DAY, layout.kafka_object_name(topic, partition, first, last, n, crc))
    assert parse_temp_key(key) == (VIN, DAY, KafkaName(topic, partition, first, last, n, crc))


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_names_sort_like_offsets(a, b):
    names = [layout.kafka_object_name("t", 0, offset, offset, 1, 0) for offset in (a, b)]
    assert (names[0] < names[1]) == (a < b)


def test_a_polled_name_parses_back():
    key = layout.temp_key(VIN, DAY, f"bmw-{'a' * 64}-12.json")
    assert parse_temp_key(key) == (VIN, DAY, PolledName("bmw", "a" * 64, 12))


@pytest.mark.parametrize(
    "key",
    [
        "",
        "temp",
        f"temp/{VIN}/{DAY}",
        f"temp/{VIN}/{DAY}/notes.json",
        f"temp/{VIN}/{DAY}/x/tesla_V-00000-{0:020d}-{0:020d}-1-00000000.json",
        f"other/{VIN}/{DAY}/tesla_V-00000-{0:020d}-{0:020d}-1-00000000.json",
        f"temp/{VIN}/{DAY}/tesla_V-00000-{0:020d}-{0:020d}-1-00000000.json.part",
        f"temp/{VIN}/{DAY}/tesla_V-00000-{0:020d}-{0:020d}-1-0000000G.json",
    ],
)
def test_foreign_keys_are_not_parsed(key):
    assert parse_temp_key(key) is None


@given(st.text(max_size=20) | st.from_regex(r"[A-Z0-9./\\~%-]{17}\n?", fullmatch=True))
def test_a_valid_vin_is_one_harmless_path_segment(text):
    if layout.valid_vin(text):
        assert re.fullmatch("[A-Z0-9]{17}", text)
        assert not set("IOQ") & set(text)
    assert layout.valid_vin(VIN)


@pytest.mark.parametrize(
    "vin", ["../../x", "", VIN + "\n", VIN.lower(), VIN[:-1], VIN + "1", "EVPTESLA00000000O", "EVPTESLA00000000\u0661"]
)
def test_not_vins(vin):
    assert not layout.valid_vin(vin)


def test_every_key_lies_under_a_named_prefix():
    keys = [
        layout.temp_key(VIN, DAY, "x"),
        layout.dead_letter_key(DAY, "x"),
        layout.quarantine_key("temp/x"),
        layout.compressed_key(DAY, VIN),
        layout.part_key("cleaned", DAY),
        layout.part_key("segments", DAY, 3),
        layout.part_key("results/battery_health", "2026-11"),
        layout.table_key("ref/vehicles"),
        layout.offsets_receipt_key(DAY, "x"),
        layout.known_gap_key("t", 0, 1, 2),
        layout.LAKE_SETTINGS_KEY,
    ]
    assert {key.split("/")[0] for key in keys} <= set(layout.PREFIXES)
    assert layout.compressed_key(DAY, VIN) == f"compressed/2026/11/01/{VIN}.parquet"
    assert layout.vin_of_compressed(layout.compressed_key(DAY, VIN)) == VIN
    assert layout.part_key("segments", DAY, 3) == f"segments/date={DAY}/part-0003.parquet"
    assert layout.part_key("results/x", "2026-11") == "results/x/month=2026-11/part-0000.parquet"


def test_days():
    assert layout.utc_day(1793491199999) == "2026-10-31"
    start, end = layout.day_bounds(DAY)
    assert (start.isoformat(), end.isoformat()) == ("2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00")

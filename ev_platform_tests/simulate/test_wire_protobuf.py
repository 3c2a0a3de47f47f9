"""The same fleet in both formats: message by message the same record, and after ingest and cleaning the same table."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pytest

from ev_platform.ingest.record import Dead, Record, Router
from ev_platform.simulate.scenario import Scenario
from ev_platform.transform.clean import clean
from ev_platform.transform.compact import compact
from ev_platform_tests.ingest.helpers import FakeMessage
from ev_platform_tests.transform.compact_cases import buffer

FIRST = date(2026, 11, 1)


@pytest.fixture(scope="module")
def formats():
    decoded = Scenario(seed=11, vehicles=5, first_day=FIRST)
    return decoded, replace(decoded, protobuf=True)


def routed(scenario):
    """(vin, day) → lines of the first two days; and the dead letters by reason."""
    router, offsets = Router(FIRST, 2**20), [0] * scenario.partitions
    lines, dead = defaultdict(list), Counter()
    for number in range(2):
        for message in scenario.day_messages(FIRST + timedelta(days=number)):
            place = {"_partition": message.partition, "_offset": offsets[message.partition]}
            offsets[message.partition] += 1
            found = router.route(
                FakeMessage(
                    message.value, message.key, _timestamp=(1, message.timestamp_ms), _headers=message.headers, **place
                )
            )
            if isinstance(found, Record):
                lines[found.vin, found.day].append(found.line.rstrip(b"\n"))
            else:
                dead[found.reason.value if isinstance(found, Dead) else "tombstone"] += 1
    return lines, dead


def compacted(lines):
    tables = {}
    for (vin, day), found in sorted(lines.items()):
        result = compact([buffer(found)], None, vin, day)
        assert not result.bad_lines
        tables.setdefault(day, []).append(result.table)
    return {day: pa.concat_tables(parts) for day, parts in tables.items()}


def test_both_formats_make_the_same_tables(formats):
    decoded, binary = formats
    assert decoded.topic != binary.topic
    assert binary.topic.endswith("_V")
    (json_lines, json_dead), (pb_lines, pb_dead) = routed(decoded), routed(binary)
    assert pb_dead == Counter({"not_protobuf" if k == "not_json" else k: n for k, n in json_dead.items()})
    assert pb_dead == binary.dead_letters(FIRST, FIRST + timedelta(days=1))
    assert {place: len(lines) for place, lines in json_lines.items()} == {p: len(x) for p, x in pb_lines.items()}
    assert all(b'"b":"' in line for lines in pb_lines.values() for line in lines)
    decoded_tables, binary_tables = compacted(json_lines), compacted(pb_lines)
    registry = decoded.truth(FIRST + timedelta(days=1)).vehicles
    for day, table in decoded_tables.items():
        other = binary_tables[day]
        plain = [name for name in table.column_names if name != "text"]  # Go writes 80 where the simulator writes 80.0
        assert table.select(plain).equals(other.select(plain))
        assert clean(table, registry).table.equals(clean(other, registry).table)
    assert sum(map(len, decoded_tables.values())) > 5000


def test_the_same_seed_makes_the_same_bytes(formats):
    _, binary = formats
    again = replace(binary)
    assert binary.day_messages(FIRST) == again.day_messages(FIRST)

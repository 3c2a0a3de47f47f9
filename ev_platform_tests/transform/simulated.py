"""Simulated messages as the engine would hand them to this room: raw lines, compacted per vehicle and day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache

import pyarrow as pa

from ev_platform.simulate.scenario import Scenario
from ev_platform.transform.compact import compact


def compressed_days(scenario: Scenario, days: int) -> dict[str, pa.Table]:
    """COMPRESSED rows of every event day of the scenario's first days, everything that arrives later included."""
    offsets = [0] * scenario.partitions
    lines: dict[tuple[str, str], list[bytes]] = {}
    for number in range(days + 2):
        for message in scenario.day_messages(scenario.first_day + timedelta(days=number)):
            offset = offsets[message.partition]
            offsets[message.partition] += 1
            if message.expected or message.value is None:
                continue
            headers = {name: value.decode() for name, value in message.headers}
            record = json.loads(message.value)
            raw = b'{"_p":%d,"_o":%d,"_t":%d,"h":%s,"d":%s}\n' % (
                message.partition,
                offset,
                message.timestamp_ms,
                json.dumps(dict(sorted(headers.items()))).encode(),
                message.value,
            )
            lines.setdefault((record["createdAt"][:10], record["vin"]), []).append(raw)
    wanted = {(scenario.first_day + timedelta(days=n)).isoformat() for n in range(days)}
    result: dict[str, list[pa.Table]] = {day: [] for day in sorted(wanted)}
    for (day, vin), found in sorted(lines.items()):
        if day in wanted:
            result[day].append(compact([("tesla_V-00000.json", b"".join(found))], None, vin, day).table)
    return {day: pa.concat_tables(tables) for day, tables in result.items() if tables}


@cache
def simulated_day() -> tuple[str, pa.Table, pa.Table]:
    """One day of three vehicles with faults, and the registry."""
    scenario = Scenario(23, 3, date(2026, 11, 1))
    day = "2026-11-02"
    return day, compressed_days(scenario, 2)[day], scenario.truth(date(2026, 11, 2)).vehicles

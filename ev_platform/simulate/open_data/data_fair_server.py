"""Data Fair as the stand-in speaks it: rows by cursor, sums with `total_other`. No sockets here (server.py)."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from ev_platform.simulate.open_data.explore_server import Answer
from ev_platform.simulate.open_data.habits import AGG_MOST, LINES_DEFAULT, LINES_MOST

Rows = list[dict[str, Any]]
_TESTS = ("_eq", "_gte", "_lt")


def answer(rows: Rows, updated: str, path: list[str], query: Mapping[str, str], url: str) -> Answer:
    """The answer to `/datasets/{id}/…`; `url` is the address of the endpoint itself."""
    if not path:
        schema = [{"key": name, "type": "string"} for name in dict.fromkeys(name for row in rows for name in row)]
        return _json({"count": len(rows), "dataUpdatedAt": updated, "finalizedAt": updated, "schema": schema})
    if path == ["lines"]:
        return _lines(_kept(rows, query), query, url)
    if path == ["values_agg"]:
        return _sums(_kept(rows, query), query)
    return Answer(404, b"Dataset not found", {"Content-Type": "text/plain"})


def _lines(rows: Rows, query: Mapping[str, str], url: str) -> Answer:
    size, after = int(query.get("size", LINES_DEFAULT)), int(query.get("after", 0))
    if size > LINES_MOST:
        return Answer(400, b'"size" cannot be more than 10000', {"Content-Type": "text/plain"})
    page = rows[after : after + size]
    more = size > 0 and after + size < len(rows)
    following = f"{url}?{urlencode({**query, 'after': after + size})}" if more else None
    if query.get("format") == "csv":
        headers = {"Content-Type": "text/csv"} | ({"Link": f"<{following}>; rel=next"} if following else {})
        return Answer(200, _csv(page, rows), headers)
    found = {"total": len(rows), "results": page} | ({"next": following} if following else {})
    return _json(found)


def _csv(page: Rows, rows: Rows) -> bytes:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in (rows or page) for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(page)
    return text.getvalue().encode()


def _kept(rows: Rows, query: Mapping[str, str]) -> Rows:
    for given, value in query.items():
        for test in _TESTS:
            name = given.removesuffix(test)
            if given.endswith(test) and any(name in row for row in rows[:1]):
                rows = [row for row in rows if row.get(name) is not None and _holds(str(row[name]), test, value)]
    return rows


def _holds(text: str, test: str, value: str) -> bool:
    return {"_eq": text == value, "_gte": text >= value, "_lt": text < value}[test]


def _sums(rows: Rows, query: Mapping[str, str]) -> Answer:
    fields = query["field"].split(";")
    sizes = [min(int(size), AGG_MOST) for size in query.get("agg_size", "20").split(";")]
    return _json({"total": len(rows), **_level(rows, fields, sizes, query.get("metric_field", ""))})


def _level(rows: Rows, fields: list[str], sizes: list[int], metric: str) -> dict[str, Any]:
    groups: dict[Any, Rows] = defaultdict(list)
    for row in rows:
        groups[row.get(fields[0])].append(row)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0])))
    shown, others = ordered[: sizes[0]], ordered[sizes[0] :]
    buckets = []
    for value, members in shown:
        bucket: dict[str, Any] = {"value": value, "total": len(members)}
        bucket["metric"] = sum(row.get(metric) or 0 for row in members)
        if len(fields) > 1:
            bucket |= _level(members, fields[1:], sizes[1:], metric)
        buckets.append(bucket)
    return {"total_values": len(groups), "total_other": sum(len(members) for _, members in others), "aggs": buckets}


def _json(found: object) -> Answer:
    return Answer(200, orjson.dumps(found))

"""Explore v2.1 as the stand-in speaks it: a query over rows → status, headers and body. No sockets here (server.py)."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from ev_platform.simulate.open_data.habits import (
    BAD_LIMIT,
    BAD_PARAMETER,
    BAD_QUERY,
    BAD_WINDOW,
    OFFSET_MOST,
    RECORDS_DEFAULT,
    RECORDS_MOST,
)

Rows = list[dict[str, Any]]
_COMPARED = re.compile(r"(\w+)\s*(>=|<=|>|<|=)\s*(?:date)?'([^']*)'")
_PRESENT = re.compile(r"(\w+) is not null")
_REFINED = re.compile(r'(\w+):"?([^"]*)"?')


@dataclass
class Answer:
    """What a server sends; `cut_at` breaks the connection after so many bytes."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    cut_at: int | None = None


class BadQuery(Exception):
    """A 400 with its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def answer(rows: Rows, updated: str, path: list[str], query: Mapping[str, str], *, compat: bool = False) -> Answer:
    """The answer to `/catalog/datasets/{id}/…`; `path` is what follows the id."""
    try:
        if not path:
            return _describe(rows, updated)
        if path == ["records"]:
            return _records(rows, query)
        if path[0] == "exports" and len(path) == 2:
            return _export(rows, path[1], query, compat)
    except BadQuery as error:
        return Answer(400, orjson.dumps({"error_code": error.code, "message": error.message}))
    return Answer(404, orjson.dumps({"error_code": "NotFound", "message": "no such endpoint"}))


def _describe(rows: Rows, updated: str) -> Answer:
    fields = [{"name": name, "label": name, "type": "text"} for name in _fields(rows)]
    metas = {"default": {"modified": updated, "records_count": len(rows), "license": "Licence Ouverte v2.0"}}
    return Answer(200, orjson.dumps({"has_records": True, "fields": fields, "metas": metas}))


def _fields(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _records(rows: Rows, query: Mapping[str, str]) -> Answer:
    limit, offset = int(query.get("limit", RECORDS_DEFAULT)), int(query.get("offset", 0))
    if not -1 <= limit <= RECORDS_MOST:
        raise BadQuery(BAD_PARAMETER, BAD_LIMIT.format(value=limit))
    if offset + limit > OFFSET_MOST:
        raise BadQuery(BAD_PARAMETER, BAD_WINDOW.format(value=offset + limit))
    found = _selected(rows, {**query, "order_by": ""} if limit <= 1 else query)
    if "order_by" not in query:  # each replica has its own order, and nobody knows which one answers
        found = random.Random(random.randrange(4)).sample(found, len(found))  # noqa: S311 - no secret
    page = found[offset : offset + limit] if limit >= 0 else found[offset : offset + RECORDS_MOST]
    return Answer(200, orjson.dumps({"total_count": len(found), "results": [_shown(row, query) for row in page]}))


def _export(rows: Rows, kind: str, query: Mapping[str, str], compat: bool) -> Answer:
    found = [_shown(row, query) for row in _selected(rows, query)]
    if int(query.get("limit", -1)) >= 0:
        found = found[: int(query["limit"])]
    body = {"jsonl": _json_lines, "json": orjson.dumps, "csv": _csv}[kind](found)
    if int(query.get("offset", 0)) > 0:
        message = "Invalid parameter: offset is not allowed on exports"
        if compat:
            raise BadQuery(BAD_PARAMETER, message)
        broken = orjson.dumps({"error_code": BAD_PARAMETER, "message": message})
        return Answer(200, body[: len(body) // 2].rpartition(b"\n")[0] + b"\n" + broken)
    return Answer(200, body, {"Content-Type": "text/csv" if kind == "csv" else "application/json"})


def _json_lines(rows: Rows) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def _csv(rows: Rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _fields(rows), delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return ("\ufeff" + text.getvalue()).encode()


def _selected(rows: Rows, query: Mapping[str, str]) -> Rows:
    zone = ZoneInfo(query.get("timezone", "UTC"))
    kept = rows
    for condition in filter(None, re.split(r"\s+and\s+", query.get("where", ""))):
        kept = _where(kept, condition.strip(), zone)
    if refine := query.get("refine"):
        found = _REFINED.fullmatch(refine)
        if found is None:
            raise BadQuery(BAD_PARAMETER, f"Invalid refine: {refine}")
        kept = [row for row in kept if _text(row.get(found[1])).startswith(found[2].replace("/", "-"))]
    for name in reversed([part for part in query.get("order_by", "").split(",") if part]):
        kept = sorted(kept, key=lambda row: _sortable(row.get(name)))
    return kept


def _where(rows: Rows, condition: str, zone: ZoneInfo) -> Rows:
    if found := _PRESENT.fullmatch(condition):
        return [row for row in rows if row.get(found[1]) is not None]
    if found := _COMPARED.fullmatch(condition):
        name, sign, given = found.groups()
        bound: Any = given
        if any(isinstance(row.get(name), datetime) for row in rows[:1]):
            bound = datetime.fromisoformat(given)
            bound = bound if bound.tzinfo else bound.replace(tzinfo=zone)
        test = {">=": "__ge__", "<=": "__le__", ">": "__gt__", "<": "__lt__", "=": "__eq__"}[sign]
        return [row for row in rows if row.get(name) is not None and bool(getattr(row[name], test)(bound))]
    raise BadQuery(BAD_QUERY, f"Syntax error in the where clause near {condition!r}")


def _shown(row: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    zone = ZoneInfo(query.get("timezone", "UTC"))
    return {
        name: value.astimezone(zone).isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _sortable(value: object) -> tuple[bool, Any]:
    return value is None, value if isinstance(value, datetime) else _text(value)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return "" if value is None else str(value)

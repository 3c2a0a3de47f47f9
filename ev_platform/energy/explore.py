"""Opendatasoft Explore API v2.1 (ODRÉ), which Data Fair's compatible layer speaks too.

Exports only, in JSON lines, cut by time: `records` gives at most 10,000 rows and, unordered, gives some of them twice
and others never. An export never carries an offset: the portal answers 200 and puts the error inside the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import requests

from ev_platform.energy.http import BrokenExport, PortalError, get
from ev_platform.energy.portal import Described, Piece
from ev_platform.energy.sources import Source, partition_bounds

CHUNK_BYTES = 1 << 20


class ExplorePortal:
    """See `Portal`."""

    suffix = "jsonl"

    def __init__(self, session: requests.Session, source: Source) -> None:
        self._session, self._source = session, source
        self._url = f"{source.base_url}/catalog/datasets/{source.dataset}"

    def describe(self) -> Described:
        """See `Portal.describe`."""
        found = get(self._session, self._url).json()
        default = (found.get("metas") or {}).get("default") or {}
        updated = default.get("data_processed") or default.get("modified") or ""
        return Described(tuple(field["name"] for field in found.get("fields") or ()), str(updated))

    def total(self, partition: str) -> int:
        """See `Portal.total`."""
        query = {**self._query(partition), "limit": 1}
        return int(get(self._session, f"{self._url}/records", query).json()["total_count"])

    def pieces(self, partition: str, cursor: str | None = None) -> Iterator[Piece]:
        """See `Portal.pieces`: one export is one piece."""
        data = self.export(self._query(partition))
        yield Piece(data, count_lines(data), None)

    def newer_than(self, watermark: str) -> bytes:
        """Rows whose time is after `watermark` (ISO 8601), as JSON lines."""
        conditions = [f"{self._source.field} > '{watermark}'", self._source.where]
        return self.export(self._base() | {"where": " and ".join(filter(None, conditions))})

    def export(self, query: dict[str, Any]) -> bytes:
        """An export as received.

        Raises:
            BrokenExport: it broke off, or an error stands inside it.
        """
        response = get(self._session, f"{self._url}/exports/jsonl", query, stream=True)
        try:
            data = b"".join(response.iter_content(CHUNK_BYTES))
        except requests.RequestException as error:
            raise BrokenExport(f"the export of {self._source.dataset} broke off ({type(error).__name__})") from error
        finally:
            response.close()
        check_lines(data, self._source.dataset)
        return data

    def _base(self) -> dict[str, Any]:
        return {"timezone": "UTC", "order_by": ",".join(self._source.key)}

    def _query(self, partition: str) -> dict[str, Any]:
        if self._source.cut == "year":
            query = {"refine": f'{self._source.field}:"{partition}"'}
            return self._base() | query | ({"where": self._source.where} if self._source.where else {})
        start, end = (instant.strftime("%Y-%m-%dT%H:%M:%SZ") for instant in partition_bounds(partition))
        name = self._source.field
        conditions = [f"{name} >= '{start}'", f"{name} < '{end}'", self._source.where]
        return self._base() | {"where": " and ".join(filter(None, conditions))}


def count_lines(data: bytes) -> int:
    """Rows of JSON lines."""
    return data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


def check_lines(data: bytes, name: str) -> None:
    """Look at the end of an export: that is where it breaks.

    Raises:
        BrokenExport: its last line is no row; the message shows it.
        PortalError: the stream is an error from its first byte on.
    """
    if not data.strip():
        return
    last = data.rstrip(b"\n").rpartition(b"\n")[2]
    try:
        row = orjson.loads(last)
    except orjson.JSONDecodeError:
        shown = last[-200:].decode(errors="replace")
        raise BrokenExport(f"the export of {name} did not end well, its last line is {shown!r}") from None
    if not isinstance(row, dict) or {"error_code", "errorcode"} & row.keys():
        only = last == data.strip()
        kind = PortalError if only else BrokenExport
        raise kind(f"the export of {name} holds an error: {last[:200].decode(errors='replace')}")

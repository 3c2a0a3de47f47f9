"""Data Fair (Enedis, Agence ORE): rows by cursor, sums on the server.

Pages are followed by the `Link` header (`after=`), never by page numbers; 10,000 rows each, as CSV.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import requests

from ev_platform.energy.http import BrokenExport, PortalError, get
from ev_platform.energy.portal import Described, Piece
from ev_platform.energy.sources import Source, partition_bounds

PAGE_ROWS = 10_000
MOST_BUCKETS = 1_000


class DataFairPortal:
    """See `Portal`."""

    suffix = "csv"

    def __init__(self, session: requests.Session, source: Source, page_rows: int = PAGE_ROWS) -> None:
        self._session, self._source, self._page_rows = session, source, page_rows
        self._url = f"{source.base_url}/datasets/{source.dataset}"

    def describe(self) -> Described:
        """See `Portal.describe`."""
        found = get(self._session, self._url).json()
        return Described(tuple(f["key"] for f in found.get("schema") or ()), str(found.get("dataUpdatedAt") or ""))

    def total(self, partition: str) -> int:
        """See `Portal.total`."""
        return int(get(self._session, f"{self._url}/lines", {**self._filters(partition), "size": 0}).json()["total"])

    def pieces(self, partition: str, cursor: str | None = None) -> Iterator[Piece]:
        """See `Portal.pieces`; the cursor is the address of the next page."""
        query = {**self._filters(partition), "size": self._page_rows, "format": "csv"}
        url: str | None = cursor or f"{self._url}/lines"
        params: Mapping[str, Any] | None = None if cursor else query
        while url:
            if not self._own(url):
                raise PortalError(f"{self._source.dataset}: its next page lies on another host: {url.split('?')[0]}")
            response = get(self._session, url, params)
            following = response.links.get("next", {}).get("url")
            url, params = urljoin(response.url, following) if following else None, None
            rows = count_rows(response.content, self._source.dataset)
            if rows == 0 and url:
                raise BrokenExport(f"{self._source.dataset}: an empty page that names a next one")
            yield Piece(response.content, rows, url)

    def sums(self, levels: Sequence[str], metric: str, partition: str) -> list[dict[str, Any]]:
        """Sums of a field per combination of `levels`, made by the server.

        Raises:
            PortalError: a level has more values than the server shows (`total_other`): the sum would lack them.
        """
        query = {
            **self._filters(partition),
            "field": ";".join(levels),
            "agg_size": ";".join([str(MOST_BUCKETS)] * len(levels)),
            "metric": "sum",
            "metric_field": metric,
        }
        found = get(self._session, f"{self._url}/values_agg", query).json()
        return list(_leaves(found, levels, {}, self._source.dataset))

    def _own(self, url: str) -> bool:
        return url.split("/", 3)[:3] == self._source.base_url.split("/", 3)[:3]

    def _filters(self, partition: str) -> dict[str, Any]:
        name = self._source.field
        if self._source.cut == "year" and name == "annee":
            return {f"{name}_eq": partition}
        start, end = (instant.date().isoformat() for instant in partition_bounds(partition))
        return {f"{name}_gte": start, f"{name}_lt": end}


def count_rows(data: bytes, name: str) -> int:
    """Rows of a CSV page without its header; a line break inside quotes is no row.

    Raises:
        BrokenExport: a row has another number of fields than the header.
    """
    if data.count(b'"') == 0:
        lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()
        widths = {line.count(b",") for line in lines}
        count = len(lines)
    else:
        rows = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) if row]
        widths, count = {len(row) for row in rows}, len(rows)
    if len(widths) > 1:
        raise BrokenExport(f"{name}: a page whose rows do not fit its header")
    return max(count - 1, 0)


def _leaves(
    node: Mapping[str, Any], levels: Sequence[str], labels: dict[str, Any], name: str
) -> Iterator[dict[str, Any]]:
    if node.get("total_other"):
        raise PortalError(
            f"{name}: the server left out {node['total_other']} rows of {levels[0]} (more than {MOST_BUCKETS} values)"
        )
    for bucket in node.get("aggs", ()):
        here = {**labels, levels[0]: bucket["value"]}
        if len(levels) > 1:
            yield from _leaves(bucket, levels[1:], here, name)
        else:
            yield {**here, "total": bucket["total"], "metric": bucket.get("metric")}

"""Kafka headers and unknown keys of a record: what has a column of its own, and the JSON text `extra` of the rest.

Belongs here: headers of fleet-telemetry and the form of `extra`. Not here: identity and lines (compact_lines.py).

`extra` is a JSON object with up to four parts: `headers`, `record` (unknown keys of the record), `line` (unknown keys
of the envelope; under the empty name the whole line, when one of its objects names a key twice) and `datum` (unknown
keys of the one datum). Numbers in it are spelled as they were sent. Null when there is nothing to keep.
"""

from __future__ import annotations

from typing import Any

from ev_platform.ingest.lexeme import to_json

CONSTANT_HEADERS = {"timestamp": "0", "version": "0"}
"""Headers that fleet-telemetry always sends with these values; only other values are worth keeping."""

_LONGEST_MILLISECONDS = 13
"""Digits of a time in milliseconds until the year 2286; longer ones stay text in `extra`."""


def extra_with(extra: str | None, **parts: object) -> str | None:
    """JSON text of `extra` with more parts; empty parts are left out."""
    more = "".join(f',"{name}":{to_json(part)}' for name, part in sorted(parts.items()) if part)
    if not more:
        return extra
    return f"{extra[:-1]}{more}}}" if extra else "{" + more[1:] + "}"


class Headers:
    """Reads the headers of one vehicle's records; remembers the last ones, because the rest hardly ever changes."""

    def __init__(self, vin: str) -> None:
        self._vin = vin
        self._rest: dict[str, Any] = {}
        self._extra: str | None = None

    def one(self, headers: object) -> tuple[int | None, str | None, str | None]:
        """(received_ms, txid, extra) of one record's headers; takes them out of the dict."""
        if type(headers) is not dict:
            return None, None, None if headers is None else extra_with(None, headers=headers)
        received = txid = None
        if _is_milliseconds(headers.get("receivedat")):
            received = int(headers.pop("receivedat"))
        if type(headers.get("txid")) is str:
            txid = headers.pop("txid")
        return received, txid, self._extra_of(headers)

    def many(self, headers: list[dict[str, str]]) -> tuple[list[int | None], list[str | None], list[str | None]]:
        """The same for many records, by columns."""
        received = [one.pop("receivedat", "") for one in headers]
        if max(map(len, received)) > _LONGEST_MILLISECONDS or not _all_digits(received):
            rows = [
                self.one({"receivedat": text, **one} if text else one)
                for text, one in zip(received, headers, strict=True)
            ]
            return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
        txid = [one.pop("txid", None) for one in headers]
        if headers.count(headers[0]) == len(headers):
            extra = [self._extra_of(headers[0])] * len(headers)
        else:
            extra = [self._extra_of(one) for one in headers]
        return list(map(int, received)), txid, extra

    def _extra_of(self, rest: dict[str, Any]) -> str | None:
        if rest != self._rest:
            usual = {**CONSTANT_HEADERS, "vin": self._vin}
            kept = {name: rest[name] for name in sorted(rest) if name not in usual or rest[name] != usual[name]}
            self._rest, self._extra = rest, extra_with(None, headers=kept)
        return self._extra


def _is_milliseconds(text: object) -> bool:
    return type(text) is str and len(text) <= _LONGEST_MILLISECONDS and text.isascii() and text.isdigit()


def _all_digits(texts: list[str]) -> bool:
    joined = "".join(texts)
    return joined.isascii() and joined.isdigit() and "" not in texts

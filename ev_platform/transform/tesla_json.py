"""Tesla Fleet Telemetry records, decoded JSON, to rows: one row per datum, nested parts dotted, nothing left out.

Belongs here: the shape of Tesla's records (github.com/teslamotors/fleet-telemetry, protos/vehicle_data.proto and its
proto3 JSON form; the older untyped form, in which every value is a string). Not here: lines, identity, order
(compact_lines.py, compact_merge.py), units and meaning (signals, cleaning).

How a value is read back from (kind, number, text, status):
* `text` null: 0 or 1 of a kind in `BOOL_KINDS` is a bool, anything else is the JSON number `spell(number)`;
* `text` set: the JSON number or string with exactly these characters (proto3 JSON takes `80` and `"80"` for the same
  number), `true` / `false` for a bool in a kind that should hold none, a JSON text where status is `unparsed`;
* status `invalid`: `{"invalid": true}`, or NaN / Infinity in `text`; `missing`: `{}` (kind null), `null`, or no value
  at all (kind `null`, `absent`); `empty`: a record without data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ev_platform.ingest.lexeme import Lexeme, to_json
from ev_platform.transform.compact_lexeme import EXACT_INTEGER, spell, split_number, to_number

NUMBER_KINDS = frozenset({"doubleValue", "floatValue", "intValue", "longValue"})
BOOL_KINDS = frozenset({"booleanValue", "doorValue", "tireLocationValue"})
STRUCT_KINDS = frozenset({"locationValue", "doorValue", "tireLocationValue", "timeValue"})
READ_AS_NUMBER = NUMBER_KINDS | {"stringValue"}
_NOT_A_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})
_KNOWN_KEYS = frozenset({"vin", "createdAt", "isResend", "data", "alerts", "errors"})
_CONNECTIVITY_KEYS = ("connectionId", "status", "networkInterface")
_DEEPEST = 4
"""Parts of alerts and errors nested deeper stay JSON text."""


class Rows:
    """Columns under construction, one list per column; rare columns are sparse (row number → value)."""

    __slots__ = ("extra", "kind", "number", "signal", "status", "text", "unit")

    def __init__(self) -> None:
        self.signal: list[str | None] = []
        self.kind: list[str | None] = []
        self.number: list[float | None] = []
        self.text: list[str | None] = []
        self.status: dict[int, str] = {}
        self.unit: dict[int, str] = {}
        self.extra: dict[int, dict[str, Any]] = {}

    def add(
        self, signal: str | None, kind: str | None, number: float | None, text: str | None, status: str = "ok"
    ) -> None:
        """One row."""
        if status != "ok":
            self.status[len(self.signal)] = status
        self.signal.append(signal)
        self.kind.append(kind)
        self.number.append(number)
        self.text.append(text)

    @staticmethod
    def of(
        signal: list[str | None], kind: list[str | None], number: list[float | None], text: list[str | None]
    ) -> Rows:
        """Rows of finished columns, all of status `ok`."""
        rows = Rows()
        rows.signal, rows.kind, rows.number, rows.text = signal, kind, number, text
        return rows

    def extend(self, other: Rows) -> None:
        """Append other rows."""
        first = len(self.signal)
        self.signal += other.signal
        self.kind += other.kind
        self.number += other.number
        self.text += other.text
        self.status |= {first + row: value for row, value in other.status.items()}

    def truncate(self, rows: int) -> None:
        """Forget the rows of a record that turned out to be unreadable."""
        for column in (self.signal, self.kind, self.number, self.text):
            del column[rows:]
        for sparse in (self.status, self.unit, self.extra):
            for row in [row for row in sparse if row >= rows]:
                del sparse[row]


def add_record(rows: Rows, record: dict[str, Any]) -> dict[str, Any] | None:
    """Rows of one record: vehicle data, alerts, errors or connectivity; returns the keys that have no column.

    A record with nothing in it leaves one row of status `empty`, so that its identity is stored too.
    """
    before = len(rows.signal)
    data = record.get("data")
    if type(data) is list:
        _add_data(rows, data)
    elif data is not None:
        rows.add(None, "data", None, to_json(data), "unparsed")
    unknown = None
    usual = len(record) == 4 and "data" in record and "vin" in record and "createdAt" in record
    if not (usual and type(record.get("isResend")) is bool):
        unknown = _add_other(rows, record)
    if len(rows.signal) == before:
        rows.add(None, None, None, None, "empty")
    return unknown


def _add_data(rows: Rows, data: list[Any]) -> None:
    """The hot loop: the usual forms are handled here, everything else by `_add_datum` and `add_value`."""
    signals, kinds, numbers, texts = rows.signal.append, rows.kind.append, rows.number.append, rows.text.append
    for datum in data:
        try:
            signal = datum["key"]
            ((kind, value),) = datum["value"].items()
            if len(datum) != 2 or type(signal) is not str:
                raise TypeError
        except (KeyError, TypeError, ValueError, AttributeError):
            _add_datum(rows, datum)
            continue
        what = type(value)
        if what is float and value % 1:  # a whole float is spelled 80.0, not 80
            numbers(value)
            texts(None)
        elif what is str and kind not in READ_AS_NUMBER:
            numbers(None)
            texts(value)
        elif what is int and -EXACT_INTEGER <= value <= EXACT_INTEGER and kind not in BOOL_KINDS:
            numbers(value)
            texts(None)
        elif what is bool and kind == "booleanValue":
            numbers(1 if value else 0)
            texts(None)
        else:
            add_value(rows, signal, kind, value)
            continue
        signals(signal)
        kinds(kind)


def _add_datum(rows: Rows, datum: object) -> None:
    """One datum of any shape."""
    key = datum.get("key") if isinstance(datum, dict) else None
    if not isinstance(datum, dict) or not isinstance(key, str | int) or isinstance(key, bool):
        rows.add(None, None, None, to_json(datum), "unparsed")
        return
    first, signal = len(rows.signal), str(key)  # an enum number unknown to the server comes as a number
    value = datum.get("value")
    if isinstance(value, dict):
        if len(value) == 1:
            ((kind, inner),) = value.items()
            add_value(rows, signal, kind, inner)
        elif value:
            rows.add(signal, None, None, to_json(value), "unparsed")
        else:
            rows.add(signal, None, None, None, "missing")
    elif value is None:
        rows.add(signal, "null" if "value" in datum else "absent", None, None, "missing")
    else:
        rows.add(signal, None, None, to_json(value), "unparsed")
    rest = {name: item for name, item in datum.items() if name not in ("key", "value")}
    if isinstance(rest.get("unit"), str) and not isinstance(rest["unit"], Lexeme):
        rows.unit[first] = rest.pop("unit")
    if rest:
        rows.extra[first] = rest


def add_value(rows: Rows, signal: str, kind: str, value: object) -> None:
    """One member of a value: a scalar, or a struct of scalars that becomes one row per part."""
    if kind == "invalid":
        if value is True:
            rows.add(signal, kind, None, None, "invalid")
        else:
            rows.add(signal, kind, None, to_json(value), "unparsed")
    elif type(value) is dict and value and kind in STRUCT_KINDS:
        for part, inner in value.items():
            if type(inner) is float and inner % 1:
                rows.signal.append(f"{signal}.{part}")
                rows.kind.append(kind)
                rows.number.append(inner)
                rows.text.append(None)
            else:
                _add_scalar(rows, f"{signal}.{part}", kind, inner)
    else:
        _add_scalar(rows, signal, kind, value)


def _add_scalar(rows: Rows, signal: str, kind: str, value: object) -> None:
    if isinstance(value, bool):
        rows.add(signal, kind, 1 if value else 0, None if kind in BOOL_KINDS else str(value).lower())
    elif isinstance(value, int | float | Lexeme):
        number, text = split_number(value)
        if text is None and number in (0, 1) and kind in BOOL_KINDS:
            text = spell(number)  # a number, not a bool
        rows.add(signal, kind, number, text)
    elif isinstance(value, str):
        status = "invalid" if kind in NUMBER_KINDS and value in _NOT_A_NUMBER else "ok"
        rows.add(signal, kind, to_number(value) if kind in READ_AS_NUMBER else None, value, status)
    elif value is None:
        rows.add(signal, kind, None, None, "missing")
    else:
        rows.add(signal, kind, None, to_json(value), "unparsed")


# -- records other than vehicle data ----------------------------------------------------------------------------------


def _add_other(rows: Rows, record: dict[str, Any]) -> dict[str, Any] | None:
    """Alerts, errors and connectivity; returns the keys that belong to none of them."""
    _add_events(rows, "alert", record.get("alerts"))
    _add_events(rows, "error", record.get("errors"))
    known = _KNOWN_KEYS
    if "connectionId" in record or ("status" in record and "data" not in record):
        for name in _CONNECTIVITY_KEYS:
            if name in record:
                _add_tree(rows, f"connectivity.{name}", "connectivity", record[name])
        known = known.union(_CONNECTIVITY_KEYS)
    unknown = {key: value for key, value in record.items() if key not in known}
    if not isinstance(record.get("isResend", False), bool):
        unknown["isResend"] = record["isResend"]
    return unknown or None


def _add_events(rows: Rows, kind: str, events: object) -> None:
    """Each alert or error as rows `{kind}.{name}.{part}`; one without parts as `{kind}.{name}`."""
    if not isinstance(events, list):
        if events is not None:
            rows.add(None, kind, None, to_json(events), "unparsed")
        return
    for event in events:
        name = event.get("name") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(name, str):
            rows.add(None, kind, None, to_json(event), "unparsed")
            continue
        _add_tree(rows, f"{kind}.{name}", kind, {part: value for part, value in event.items() if part != "name"})


def _add_tree(rows: Rows, signal: str, kind: str, value: object, depth: int = 0) -> None:
    if isinstance(value, dict) and value and depth < _DEEPEST:
        for part, inner in value.items():
            _add_tree(rows, f"{signal}.{part}", kind, inner, depth + 1)
    elif isinstance(value, dict | list):
        rows.add(signal, kind, None, to_json(value))
    else:
        _add_scalar(rows, signal, kind, value)


PARSERS: dict[str, Callable[[Rows, dict[str, Any]], dict[str, Any] | None]] = {"tesla": add_record}
"""Provider → function that turns one of its records into rows."""

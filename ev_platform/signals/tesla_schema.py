"""Tesla's protobuf records, built at run time from field numbers that are data (tesla_wire.csv, tesla_enums.csv).

Belongs here: the message classes of the four kinds of records, and which kind a message is. Not here: what is done with
one (ingest/protobuf.py routes it, transform/tesla_protobuf.py makes rows of it). A new field or word is one CSV line;
what has no line yet is kept under its number.

Why the protobuf runtime and no reader of our own: it comes with Dagster anyway, its parser is C, it validates what it
reads, and it keeps unknown fields.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

DIRECTORY = Path(__file__).parent

RECORDS: dict[str, str] = {
    "V": "vehicle_data.Payload",
    "alerts": "vehicle_alerts.VehicleAlerts",
    "errors": "vehicle_error.VehicleErrors",
    "connectivity": "vehicle_connectivity.VehicleConnectivity",
}
"""Record type, as fleet-telemetry names it in the header `txtype` and at the end of the topic → message."""

MOST_ENTRIES = 20_000
"""Most data, alerts or errors of one record: Tesla has some 260 fields, and two bytes must not become a row each."""

_ENTRIES = {"V": "data", "alerts": "alerts", "errors": "errors"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _END_SECOND = -62_135_596_800, 253_402_300_800
"""Years 1 to 9999: what protobuf's Timestamp may hold."""
_TIMESTAMP = "google.protobuf.Timestamp"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
}


def record_type(source: str, txtype: str | None) -> str:
    """Kind of a record: its header `txtype`, else the end of its topic, else vehicle data.

    Args:
        source: Kafka topic, `{namespace}_{type}`.
        txtype: header of that name, None if there is none.
    """
    if txtype in RECORDS:
        return str(txtype)
    ending = source.rpartition("_")[2]
    return ending if ending in RECORDS else "V"


@lru_cache(maxsize=1)
def record_classes() -> dict[str, Any]:
    """Record type → protobuf message class."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for package, file in _files().items():
        file.name, file.package, file.syntax = f"{package}.proto", package, "proto3"
        file.dependency.append("google/protobuf/timestamp.proto")
        pool.Add(file)
    return {kind: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for kind, name in RECORDS.items()}


def entries(kind: str, message: Any) -> int:  # noqa: ANN401 - generated class
    """Number of data, alerts or errors of a record."""
    return len(getattr(message, _ENTRIES[kind])) if kind in _ENTRIES else 1


def timestamp_text(seconds: int, nanos: int) -> str | None:
    """A protobuf Timestamp as its JSON form spells it: 0, 3, 6 or 9 digits after the second, `Z`.

    Returns:
        None when it is outside of what a Timestamp may hold.
    """
    if not (_FIRST_SECOND <= seconds < _END_SECOND and 0 <= nanos < 10**9):
        return None
    text = f"{_minute(seconds // 60)}:{seconds % 60:02d}"
    if not nanos:
        return f"{text}Z"
    digits = f"{nanos:09d}"
    end = 3 if digits.endswith("000000") else 6 if digits.endswith("000") else 9
    return f"{text}.{digits[:end]}Z"


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    return f"{_EPOCH + timedelta(minutes=minutes):%Y-%m-%dT%H:%M}".rjust(16, "0")


def _files() -> dict[str, Any]:
    """File descriptors by package."""
    files: dict[str, Any] = {}
    enums: dict[tuple[str, str], Any] = {}
    for line in _lines("tesla_enums.csv"):
        place = line["package"], line["enum"]
        file = files.setdefault(line["package"], descriptor_pb2.FileDescriptorProto())
        if place not in enums:
            enums[place] = file.enum_type.add(name=line["enum"])
        enums[place].value.add(name=line["word"], number=int(line["number"]))
    messages: dict[tuple[str, str], Any] = {}
    for line in _lines("tesla_wire.csv"):
        package, name = line["package"], line["message"]
        file = files.setdefault(package, descriptor_pb2.FileDescriptorProto())
        if (package, name) not in messages:
            messages[package, name] = file.message_type.add(name=name)
        _add_field(messages[package, name], line, (package, line["type"]) in enums)
    return files


def _add_field(message: Any, line: dict[str, str], is_enum: bool) -> None:  # noqa: ANN401 - generated class
    field = message.field.add(name=line["field"], number=int(line["number"]), label=_Field.LABEL_OPTIONAL)
    if line["form"] in ("repeated", "map"):
        field.label = _Field.LABEL_REPEATED
    if line["form"] == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0
    if line["form"] == "map":
        entry = message.nested_type.add(name=f"{line['field'].title()}Entry")
        entry.options.map_entry = True
        for number, part in enumerate(("key", "value"), 1):
            entry.field.add(name=part, number=number, label=_Field.LABEL_OPTIONAL, type=_SCALARS[line["type"]])
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{line['package']}.{message.name}.{entry.name}"
    elif line["type"] in _SCALARS:
        field.type = _SCALARS[line["type"]]
    else:
        name = _TIMESTAMP if line["type"] == "Timestamp" else f"{line['package']}.{line['type']}"
        field.type, field.type_name = _Field.TYPE_ENUM if is_enum else _Field.TYPE_MESSAGE, f".{name}"


def _lines(file: str) -> Iterator[dict[str, str]]:
    with (DIRECTORY / file).open(encoding="utf-8", newline="") as text:
        yield from csv.DictReader(line for line in text if not line.startswith("#"))

"""What an exported file looks like: a mapping, read from TOML and checked line by line. Format: docs/import.md.

Belongs here: the shape of a mapping, the mappings that ship with the package, and the errors of wrong ones. Not here:
reading files (import_files.py) or rows (import_rows.py). A mapping is data: a new export format is a TOML file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ev_platform.errors import UserError
from ev_platform.lake.layout import valid_vin

READY = Path(__file__).parent.parent / "signals" / "mappings"
"""Folder of the mappings that ship with the package."""

EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
"""Formats of a number that counts from 1970, in microseconds per unit."""

ISO = "iso"
"""Format of RFC 3339 and ISO 8601 times, with an offset or without one."""

Ambiguous = Literal["dead_letter", "earliest", "latest"]
_AMBIGUOUS = ("dead_letter", "earliest", "latest")
_NAME = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class FileShape:
    """How cells are written. `header`: None decides by the first line; `names`: columns of a file without one."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    header: bool | None = None
    names: tuple[str, ...] = ()
    skip_lines: int = 0
    nulls: tuple[str, ...] = ("", "null", "NULL", "NaN", "nan", "\\N")


@dataclass(frozen=True)
class VinRule:
    """Where the VIN stands: a fixed one, a column (its cells translated by `values`), or the file's name."""

    value: str = ""
    columns: tuple[str, ...] = ()
    values: Map[str, str] = field(default_factory=dict)
    file_name: str = ""


@dataclass(frozen=True)
class TimeRule:
    """One way to read the time: columns joined by a blank, formats tried in order, the zone of times without offset."""

    columns: tuple[str, ...]
    formats: tuple[str, ...] = (ISO,)
    zone: str = "UTC"
    ambiguous: Ambiguous = "dead_letter"


@dataclass(frozen=True)
class ColumnRule:
    """What becomes of a column: the signal's name in the lake; value * scale + offset; words; the unit sent with it."""

    signal: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    values: Map[str, str] = field(default_factory=dict)

    @property
    def converts(self) -> bool:
        """Whether what is stored differs from the cell; the cell is kept beside it then, under the column's name."""
        return self.scale != 1.0 or self.offset != 0.0 or bool(self.values)


@dataclass(frozen=True)
class Mapping:
    """One format of exported files."""

    name: str
    provider: str
    vin: VinRule
    times: tuple[TimeRule, ...]
    file: FileShape = FileShape()
    columns: Map[str, tuple[ColumnRule, ...]] = field(default_factory=dict)
    constants: Map[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    description: str = ""

    def with_vin(self, vin: str) -> Mapping:
        """The same for a file of this one vehicle.

        Raises:
            UserError: it is no VIN.
        """
        if not valid_vin(vin):
            raise UserError(f"--vin {vin!r} is no VIN (17 characters, no I, O, Q)")
        return _replaced(self, vin=VinRule(value=vin))

    def with_zone(self, zone: str) -> Mapping:
        """The same with another zone of times that have no offset.

        Raises:
            UserError: there is no such zone.
        """
        _check_zone("--zone", zone)
        return _replaced(self, times=tuple(TimeRule(t.columns, t.formats, zone, t.ambiguous) for t in self.times))


def _replaced(mapping: Mapping, **changes: Any) -> Mapping:  # noqa: ANN401
    return Mapping(**{**{name: getattr(mapping, name) for name in mapping.__dataclass_fields__}, **changes})


def ready_mappings() -> list[str]:
    """Names of the mappings that ship with the package."""
    return sorted(path.stem for path in READY.glob("*.toml"))


def load_mapping(name: str) -> Mapping:
    """A mapping by file name, or by the name of one that ships with the package.

    Raises:
        UserError: there is no such file, or a line of it is wrong; the message says where and what is wanted.
    """
    path = Path(name).expanduser()
    if not path.suffix and not path.exists():
        path = READY / f"{name}.toml"
        if not path.exists():
            raise UserError(f"--mapping {name}: no such file; ready mappings: {', '.join(ready_mappings())}")
    try:
        with path.open("rb") as file:
            return parse_mapping(path.stem, tomllib.load(file))
    except OSError as error:
        raise UserError(f"--mapping {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"--mapping {path}: not TOML: {error}") from error


def parse_mapping(name: str, document: dict[str, Any]) -> Mapping:
    """A mapping of a parsed TOML document.

    Raises:
        UserError: see `load_mapping`.
    """
    where = f"mapping {name}"
    _only(where, document, {"provider", "description", "file", "vin", "time", "columns", "constants", "drop"})
    provider = document.get("provider", "")
    if not isinstance(provider, str) or not _NAME.fullmatch(provider):
        raise UserError(f"{where}: provider is {provider!r}, wanted a name of a-z, 0-9 and _")
    times = document.get("time")
    if not isinstance(times, list) or not times:
        raise UserError(f"{where}: [[time]] is missing: say which columns hold the time, and in which format")
    shape = _table(f"{where} [file]", document.get("file", {}), FileShape)
    _check_shape(f"{where} [file]", shape)
    constants = document.get("constants", {})
    return Mapping(
        name=name,
        provider=provider,
        vin=_vin(f"{where} [vin]", document.get("vin", {})),
        times=tuple(_time(f"{where} [[time]] {number}", one) for number, one in enumerate(times, start=1)),
        file=shape,
        columns=_columns(f"{where} [columns]", document.get("columns", {})),
        constants={key: str(value) for key, value in _dict(f"{where} [constants]", constants).items()},
        drop=frozenset(_words(f"{where}: drop", document.get("drop", []))),
        description=str(document.get("description", "")),
    )


def _vin(where: str, given: object) -> VinRule:
    rule: VinRule = _table(where, given, VinRule)
    if bool(rule.value) + bool(rule.columns) + bool(rule.file_name) > 1:
        raise UserError(f"{where}: give one of value, columns, file_name")
    named = [rule.value] if rule.value else list(rule.values.values())
    if wrong := [vin for vin in named if not valid_vin(vin)]:
        raise UserError(f"{where}: {wrong[0]!r} is no VIN (17 characters, no I, O, Q)")
    if rule.file_name:
        _check_pattern(where, rule.file_name)
    return rule


def _check_pattern(where: str, pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise UserError(f"{where}: file_name {pattern!r} is no regular expression: {error}") from error
    if groups != 1:
        raise UserError(f"{where}: file_name {pattern!r} must have one group, which is the VIN")


def _time(where: str, given: object) -> TimeRule:
    rule: TimeRule = _table(where, given, TimeRule)
    if not rule.columns or not rule.formats:
        raise UserError(f"{where}: columns and formats must not be empty")
    for form in rule.formats:
        if form != ISO and form not in EPOCHS and "%" not in form:
            raise UserError(f"{where}: format {form!r}: wanted {ISO}, {', '.join(EPOCHS)} or a form such as %Y-%m-%d")
    if rule.ambiguous not in _AMBIGUOUS:
        raise UserError(f"{where}: ambiguous is {rule.ambiguous!r}, wanted one of {', '.join(_AMBIGUOUS)}")
    _check_zone(where, rule.zone)
    return rule


def _check_zone(where: str, zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(f"{where}: there is no time zone {zone!r}; wanted a name such as UTC or Europe/Paris") from None


def _check_shape(where: str, shape: FileShape) -> None:
    if len(shape.delimiter) != 1 or len(shape.decimal) != 1 or len(shape.thousands) > 1:
        raise UserError(f"{where}: delimiter and decimal are one character, thousands at most one")
    if shape.decimal in (shape.thousands, shape.delimiter) and shape.decimal == shape.thousands:
        raise UserError(f"{where}: decimal and thousands are both {shape.decimal!r}")
    try:
        "".encode(shape.encoding)
    except LookupError:
        raise UserError(f"{where}: there is no encoding {shape.encoding!r}") from None


def _columns(where: str, given: object) -> dict[str, tuple[ColumnRule, ...]]:
    """A column may become several signals: its rule is a name, a table, or a list of tables."""
    return {
        column: tuple(_column(f"{where} {column!r}", rule) for rule in (rules if isinstance(rules, list) else [rules]))
        for column, rules in _dict(where, given).items()
    }


def _column(where: str, given: object) -> ColumnRule:
    rule: ColumnRule = _table(where, {"signal": given} if isinstance(given, str) else given, ColumnRule)
    if not rule.signal:
        raise UserError(f"{where}: signal must not be empty")
    if rule.scale == 0:
        raise UserError(f"{where}: scale must not be 0")
    return rule


# -- checked reading of tables ----------------------------------------------------------------------------------------


def _dict(where: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise UserError(f"{where}: wanted a table")
    return given


def _words(where: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list) or any(not isinstance(word, str) for word in given):
        raise UserError(f"{where}: wanted a list of texts")
    return tuple(given)


def _only(where: str, given: Map[str, object], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise UserError(f"{where}: {unknown[0]!r} is not known here; wanted {', '.join(sorted(known))}")


def _table(where: str, given: object, kind: type[Any]) -> Any:  # noqa: ANN401 - an instance of `kind`
    """An instance of a dataclass of a TOML table: keys, and the types of their values, are checked."""
    table = _dict(where, given)
    fields = kind.__dataclass_fields__
    _only(where, table, set(fields))
    values: dict[str, Any] = {}
    for name, value in table.items():
        wanted = str(fields[name].type)
        if wanted.startswith("tuple"):
            values[name] = _words(f"{where}: {name}", value)
        elif wanted.startswith("Map"):
            values[name] = {str(key): str(item) for key, item in _dict(f"{where}: {name}", value).items()}
        elif not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and "bool" not in wanted):
            raise UserError(f"{where}: {name} is {value!r}, wanted {wanted}")
        else:
            values[name] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise UserError(f"{where}: {str(error).partition(') ')[2]}") from None


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "Ambiguous": (str,),
    "float": (int, float),
    "int": (int,),
    "bool | None": (bool,),
}

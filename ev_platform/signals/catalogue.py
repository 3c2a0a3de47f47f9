"""The signal catalogue: typed, checked at load, read from the CSV files beside this module.

Belongs here: the shape of a canonical signal, a unit conversion and a provider's mapping, and the checks that keep a
wrong line from becoming wrong values. Not here: applying them to data (transform/clean).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import pyarrow as pa

from ev_platform.errors import UserError

Kind = Literal["double", "boolean", "word", "text"]
KINDS: dict[str, pa.DataType] = {
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "word": pa.string(),
    "text": pa.string(),
}
INVALID_WORD = "invalid"
"""Value in words.csv that means: the provider says it does not know. It ends a fill."""
KEY_FIELDS = ("vin", "time", "provider")
QUALITY = "quality"
DIRECTORY = Path(__file__).parent

_INTERVAL = re.compile(r"^([\[(])(-?[\d.]+) (-?[\d.]+)([\])])$")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


@dataclass(frozen=True, slots=True)
class CanonicalSignal:
    """One column of the cleaned table.

    Bounds are physical limits (a value outside is nulled); `*_open` says that the bound itself is outside. Fill limits
    say for how many seconds an observation may stand in for missing ones. The step limits (units per hour, plus a
    tolerance) say how steeply a vehicle can change; None where no step is infeasible.
    """

    name: str
    kind: Kind
    unit: str
    minimum: float
    maximum: float
    minimum_open: bool
    maximum_open: bool
    fill_parked_s: float
    fill_driving_s: float
    max_rise_per_h: float | None
    max_fall_per_h: float | None
    step_tolerance: float
    vss: str
    description: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """value * factor + offset gives the canonical unit."""

    canonical_unit: str
    factor: float
    offset: float


@dataclass(frozen=True, slots=True)
class ProviderSignal:
    """How one signal of one provider's feed becomes a canonical one.

    `unit` is the declared unit of the feed (never guessed from values); `factor` is a further factor, for example -1
    for a feed with the opposite sign. `prefixes` are taken off enum names. `sentinels` are values that mean "not
    available", compared before conversion. `priority` orders signals of one provider with the same canonical signal:
    the smallest wins.
    """

    provider: str
    signal: str
    canonical: str
    unit: str
    factor: float
    prefixes: tuple[str, ...]
    sentinels: frozenset[str]
    priority: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that cleaning needs to know about names, units and words."""

    signals: Mapping[str, CanonicalSignal]
    units: Mapping[str, Conversion]
    mapping: Mapping[tuple[str, str], ProviderSignal]
    words: Mapping[tuple[str, str], str]

    def conversion(self, mapped: ProviderSignal, sent_unit: str | None) -> tuple[float, float] | None:
        """(factor, offset) from provider to canonical unit; None if the unit sent cannot become the canonical one."""
        signal = self.signals[mapped.canonical]
        found = self.units.get(sent_unit or mapped.unit)
        if found is None or found.canonical_unit != signal.unit:
            return None
        return found.factor * mapped.factor, found.offset * mapped.factor

    def word(self, mapped: ProviderSignal, raw: str) -> str | None:
        """Canonical word of a provider's word or enum name; None when it is not in the vocabulary."""
        text = raw.strip()
        for prefix in mapped.prefixes:
            if text.startswith(prefix) and len(text) > len(prefix):
                text = text.removeprefix(prefix)
                break
        return self.words.get((mapped.canonical, text.lower()))


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV file without comment and empty lines, each with "file:line" for messages."""
    lines = path.read_text(encoding="utf-8").splitlines()
    numbered = [(n, text) for n, text in enumerate(lines, start=1) if text.strip() and not text.startswith("#")]
    if not numbered or tuple(next(csv.reader([numbered[0][1]]))) != columns:
        raise UserError(f"{path.name}: first line must be {','.join(columns)}")
    for number, text in numbered[1:]:
        cells = next(csv.reader([text]))
        if len(cells) != len(columns):
            raise UserError(f"{path.name}:{number}: {len(cells)} cells, wanted {len(columns)} ({','.join(columns)})")
        yield f"{path.name}:{number}", dict(zip(columns, (cell.strip() for cell in cells), strict=True))


def _number(where: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}: {column} is {text!r}, wanted a number") from None
    if not math.isfinite(value):
        raise UserError(f"{where}: {column} is {text!r}, wanted a finite number")
    return value


def _optional(where: str, column: str, text: str) -> float | None:
    return _number(where, column, text) if text else None


def _interval(where: str, text: str) -> tuple[float, float, bool, bool]:
    found = _INTERVAL.match(text)
    if not found:
        raise UserError(f"{where}: range is {text!r}, wanted an interval such as [0 100] or (0 100]")
    low, high = _number(where, "range", found[2]), _number(where, "range", found[3])
    if low >= high:
        raise UserError(f"{where}: range {text!r} is empty")
    return low, high, found[1] == "(", found[4] == ")"


SIGNAL_COLUMNS = (
    *("name", "kind", "unit", "range", "fill_parked_s", "fill_driving_s"),
    *("max_rise_per_h", "max_fall_per_h", "step_tolerance", "vss", "description"),
)


def _signals(path: Path) -> dict[str, CanonicalSignal]:
    signals: dict[str, CanonicalSignal] = {}
    for where, row in _rows(path, SIGNAL_COLUMNS):
        name, kind = row["name"], row["kind"]
        if not _NAME.match(name) or name in (*KEY_FIELDS, QUALITY):
            raise UserError(f"{where}: {name!r} cannot be the name of a canonical signal")
        if name in signals:
            raise UserError(f"{where}: {name} stands twice")
        if kind not in KINDS:
            raise UserError(f"{where}: kind is {kind!r}, wanted one of {', '.join(KINDS)}")
        if {bool(row["unit"]), bool(row["range"])} != {kind == "double"}:
            raise UserError(f"{where}: a unit and a range belong to kind double, and only to it")
        low, high, low_open, high_open = (
            _interval(where, row["range"]) if kind == "double" else (-math.inf, math.inf, False, False)
        )
        signals[name] = CanonicalSignal(
            name=name,
            kind=kind,  # type: ignore[arg-type]
            unit=row["unit"],
            minimum=low,
            maximum=high,
            minimum_open=low_open,
            maximum_open=high_open,
            fill_parked_s=_number(where, "fill_parked_s", row["fill_parked_s"]),
            fill_driving_s=_number(where, "fill_driving_s", row["fill_driving_s"]),
            max_rise_per_h=_optional(where, "max_rise_per_h", row["max_rise_per_h"]),
            max_fall_per_h=_optional(where, "max_fall_per_h", row["max_fall_per_h"]),
            step_tolerance=_optional(where, "step_tolerance", row["step_tolerance"]) or 0.0,
            vss=row["vss"],
            description=row["description"],
        )
        if row["vss"] and not row["vss"].startswith("Vehicle."):
            raise UserError(f"{where}: vss is {row['vss']!r}, wanted a path that starts with Vehicle.")
    return signals


def _units(path: Path) -> dict[str, Conversion]:
    units: dict[str, Conversion] = {}
    for where, row in _rows(path, ("unit", "canonical_unit", "factor", "offset")):
        if row["unit"] in units:
            raise UserError(f"{where}: unit {row['unit']} stands twice")
        factor = _number(where, "factor", row["factor"])
        if factor == 0:
            raise UserError(f"{where}: factor must not be 0")
        units[row["unit"]] = Conversion(row["canonical_unit"], factor, _number(where, "offset", row["offset"]))
    return units


def _words(path: Path, signals: Mapping[str, CanonicalSignal]) -> dict[tuple[str, str], str]:
    words: dict[tuple[str, str], str] = {}
    for where, row in _rows(path, ("canonical", "word", "value")):
        signal = signals.get(row["canonical"])
        if signal is None or signal.kind != "word":
            raise UserError(f"{where}: {row['canonical']!r} is no canonical signal of kind word")
        key = (row["canonical"], row["word"].lower())
        if key in words:
            raise UserError(f"{where}: {row['canonical']} has the word {row['word']!r} twice")
        words[key] = row["value"]
    for name, signal in signals.items():
        if signal.kind == "word" and not any(canonical == name for canonical, _ in words):
            raise UserError(f"{path.name}: no words for {name}")
    return words


MAPPING_COLUMNS = ("signal", "canonical", "unit", "factor", "prefix", "sentinels")


def _mapping(path: Path, known: Catalogue) -> dict[tuple[str, str], ProviderSignal]:
    provider, mapping = path.stem, {}
    for priority, (where, row) in enumerate(_rows(path, MAPPING_COLUMNS)):
        signal = known.signals.get(row["canonical"])
        if signal is None:
            raise UserError(f"{where}: {row['canonical']!r} is not in canonical.csv")
        if (provider, row["signal"]) in mapping:
            raise UserError(f"{where}: {row['signal']} stands twice")
        mapped = ProviderSignal(
            provider=provider,
            signal=row["signal"],
            canonical=row["canonical"],
            unit=row["unit"],
            factor=_optional(where, "factor", row["factor"]) or 1.0,
            prefixes=tuple(row["prefix"].split()),
            sentinels=frozenset(row["sentinels"].split()),
            priority=priority,
        )
        if signal.kind == "double" and known.conversion(mapped, None) is None:
            raise UserError(f"{where}: units.csv does not say how {row['unit'] or 'no unit'} becomes {signal.unit}")
        if signal.kind != "double" and (row["unit"] or row["factor"]):
            raise UserError(f"{where}: {row['canonical']} has no unit")
        mapping[(provider, row["signal"])] = mapped
    return mapping


OWN_NAMES = "generic"
"""Provider of imported files whose columns are named as the canonical signals (docs/import.md)."""


def _own_names(known: Catalogue) -> dict[tuple[str, str], ProviderSignal]:
    """Every canonical signal under its own name and in its own unit."""
    return {
        (OWN_NAMES, signal.name): ProviderSignal(
            OWN_NAMES, signal.name, signal.name, signal.unit, 1.0, (), frozenset(), priority
        )
        for priority, signal in enumerate(known.signals.values())
    }


def load_catalogue(directory: Path) -> Catalogue:
    """The catalogue of a directory: canonical.csv, units.csv, words.csv and providers/{provider}.csv.

    Raises:
        UserError: a file is missing or a line is wrong; the message names file and line.
    """
    try:
        signals = _signals(directory / "canonical.csv")
        units = _units(directory / "units.csv")
        known = Catalogue(signals, units, {}, _words(directory / "words.csv", signals))
        mapping = _own_names(known)
        for path in sorted((directory / "providers").glob("*.csv")):
            mapping |= _mapping(path, known)
    except OSError as error:
        raise UserError(f"signal catalogue {directory}: {error.strerror}: {error.filename}") from error
    return Catalogue(signals, units, mapping, known.words)


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue that ships with the package, read once."""
    return load_catalogue(DIRECTORY)


@lru_cache(maxsize=1)
def cleaned_schema() -> pa.Schema:
    """Schema of the cleaned table: key (vin, time, provider), one column per canonical signal, `quality`.

    Every signal's field metadata carries its unit, its COVESA VSS path (where VSS has one) and what it means.
    """
    fields = [
        pa.field("vin", pa.string(), metadata={"description": "vehicle identification number"}),
        pa.field("time", pa.timestamp("us", tz="UTC"), metadata={"description": "time inside the record, UTC"}),
        pa.field("provider", pa.string(), metadata={"description": "who sent it"}),
    ]
    for signal in catalogue().signals.values():
        metadata = {"description": signal.description}
        metadata |= {"unit": signal.unit} if signal.unit else {}
        metadata |= {"vss": signal.vss} if signal.vss else {}
        fields.append(pa.field(signal.name, KINDS[signal.kind], metadata=metadata))
    what = "flags of the row: rule:column for a value changed by a rule, invalid:column where the provider knows none"
    fields.append(pa.field(QUALITY, pa.list_(pa.string()), metadata={"description": what}))
    return pa.schema(fields)

"""First half of cleaning, one signal at a time: what a provider sent under one name becomes canonical values.

Belongs here: units, words, sentinels, unreadable values (all from the signal catalogue). Not here: from long to wide
(clean_widen.py), rules that look at more than one value (clean_rules.py). Pure: arrays in, arrays out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ev_platform.signals import INVALID_WORD, Catalogue, ProviderSignal
from ev_platform.transform.clean_tables import INVALID, NULLED, OK, CountLog
from ev_platform.transform.series import NONE, Bools, Floats, Ints

TRUE_WORDS = frozenset({"true", "1", "yes", "on", "plugged_in", "connected", "plugged"})
FALSE_WORDS = frozenset({"false", "0", "no", "off", "disconnected", "unplugged"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE | re.ASCII)


@dataclass(slots=True)
class Words:
    """A string column: `code` per row into `distinct` (sorted), NONE where nothing was sent."""

    code: Ints
    distinct: list[str]

    def take(self, rows: Ints) -> Words:
        """The chosen rows."""
        return Words(self.code[rows], self.distinct) if self.distinct else Words(self.code[: len(rows)], [])


@dataclass(slots=True)
class Readings:
    """What one provider sent under one name, a value per row, as it stands in compressed.

    `state` says per row whether it can be used (see clean_tables); `mark` counts why it cannot.
    """

    canonical: str
    number: Floats
    text: Words
    unit: Words
    status: Words
    vehicle: Ints
    time: Ints
    log: CountLog
    state: Ints

    @property
    def ok(self) -> Bools:
        """Rows that are still usable."""
        return np.asarray(self.state == OK, dtype=bool)

    def mark(self, rule: str, mask: Bools, state: int) -> None:
        """Rows that are still usable and in `mask` get `state`, counted under `rule`."""
        if mask.any():
            chosen = np.flatnonzero(mask & self.ok)
            self.state[chosen] = state
            self.log.add(rule, self.canonical, self.vehicle[chosen], self.time[chosen])

    def mark_status(self) -> None:
        """The compressed status: `invalid` and `missing` end a fill, anything else that is not ok is unreadable."""
        for code, status in enumerate(self.status.distinct):
            if status != "ok":
                self.mark(status, self.status.code == code, INVALID if status in ("invalid", "missing") else NULLED)


def values_of(known: Catalogue, target: ProviderSignal, readings: Readings, labels: list[str]) -> Floats:
    """Canonical value per reading, NaN where its state is not OK.

    Numbers are in the canonical unit, booleans 0 and 1, words and texts positions in `labels`, which grows as needed.
    """
    readings.mark_status()
    kind = known.signals[target.canonical].kind
    if kind == "double":
        values = _doubles(readings)
        _mark_sentinels(target, values, readings)
        values = _converted(known, target, values, readings)
    elif kind == "boolean":
        values = _booleans(readings)
    else:
        values = _coded(known, target, readings, labels, free=kind == "text")
    return np.where(readings.ok, values, np.nan)


def _doubles(readings: Readings) -> Floats:
    """Numbers, read from the text where only text was sent."""
    values = readings.number.copy()
    unread = np.isnan(values) & readings.ok & (readings.text.code != NONE)
    need = np.flatnonzero(unread)
    if len(need):
        codes, of_row = np.unique(readings.text.code[need], return_inverse=True)
        parsed = [_parsed(readings.text.distinct[code]) for code in codes.tolist()]
        values[need] = np.array([np.nan if number is None else number for number in parsed])[of_row]
        not_finite = np.array([number is not None and not np.isfinite(number) for number in parsed])
        unread[need] = not_finite[of_row]
        readings.mark("not_finite", unread, INVALID)
    readings.mark("not_finite", np.isinf(values), INVALID)
    return values


def _parsed(text: str) -> float | None:
    """Number that a text spells; None where it spells none."""
    spelled = text.strip()
    return float(spelled) if _NUMBER.fullmatch(spelled) else None


def _mark_sentinels(target: ProviderSignal, values: Floats, readings: Readings) -> None:
    """Values that mean "not available"."""
    for sentinel in sorted(target.sentinels):
        try:
            mask = values == float(sentinel)
        except ValueError:
            words = readings.text.distinct
            mask = readings.text.code == (words.index(sentinel) if sentinel in words else NONE - 1)
        readings.mark("sentinel", mask, INVALID)


def _converted(known: Catalogue, target: ProviderSignal, values: Floats, readings: Readings) -> Floats:
    """Values in the canonical unit: of the unit sent with the value, else of the feed's declared unit."""
    readings.mark("unreadable", np.isnan(values), NULLED)
    unit = readings.unit
    if not unit.distinct and (conversion := known.conversion(target, None)) is not None:
        return values * conversion[0] + conversion[1]
    out = np.full(len(values), np.nan)
    for code in np.unique(unit.code).tolist():
        rows = unit.code == code
        conversion = known.conversion(target, None if code == NONE else unit.distinct[code])
        if conversion is None:
            readings.mark("unknown_unit", rows, NULLED)
        else:
            out[rows] = values[rows] * conversion[0] + conversion[1]
    return out


def _spellings(readings: Readings) -> tuple[Ints, list[str]]:
    """Codes and distinct texts of readings, a number standing for itself where no text was sent; NONE without both."""
    found, codes = np.unique(readings.text.code, return_inverse=True)
    words = ["" if code == NONE else readings.text.distinct[code] for code in found.tolist()]
    bare = np.flatnonzero(readings.text.code == NONE)
    if len(bare):
        numbers, of_row = np.unique(readings.number[bare], return_inverse=True)
        place = np.array([NONE if np.isnan(x) else len(words) + i for i, x in enumerate(numbers.tolist())])
        codes[bare] = place[of_row]
        words += [str(int(x)) if x.is_integer() else repr(x) for x in numbers.tolist()]
    return codes, words


def _booleans(readings: Readings) -> Floats:
    """1 for true, 0 for false; the older string form too."""
    number = readings.number
    values = np.where(np.isnan(number), np.nan, (number != 0).astype(np.float64))
    if np.isnan(values[readings.ok]).any():
        codes, words = _spellings(readings)
        meaning = [1.0 if w.lower() in TRUE_WORDS else 0.0 if w.lower() in FALSE_WORDS else np.nan for w in words]
        values = np.where(np.isnan(values), np.array([*meaning, np.nan])[codes], values)
    readings.mark("unreadable", np.isnan(values), NULLED)
    return values


def _coded(known: Catalogue, target: ProviderSignal, readings: Readings, labels: list[str], free: bool) -> Floats:
    """Codes into `labels` (extended as needed) of words and free texts.

    A word outside the vocabulary means that the state has changed into something unknown: it ends a fill.
    """
    codes, raw = _spellings(readings)
    sentinel = np.array([*(word in target.sentinels for word in raw), False])
    words = [word if free else known.word(target, word) for word in raw]
    invalid = np.array([*(word == INVALID_WORD and not free for word in words), False])
    unknown = np.array([*(word is None for word in words), True])
    meaning = np.full(len(raw) + 1, np.nan)
    for code in np.unique(codes[codes != NONE]).tolist():
        word = words[code]
        if word is not None and not invalid[code]:
            if word not in labels:
                labels.append(word)
            meaning[code] = labels.index(word)
    readings.mark("sentinel", sentinel[codes], INVALID)
    readings.mark("invalid", invalid[codes], INVALID)
    readings.mark("unknown_word", unknown[codes], INVALID)
    return np.asarray(meaning[codes], dtype=np.float64)

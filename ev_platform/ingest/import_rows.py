"""From rows of a file to raw lines: VIN, event day, content identity, and the JSON text of each row; all by column.

Belongs here: the form of an imported record, and the reasons why a row becomes a dead letter. Pure: frames in,
frames out. Not here: reading files (import_files.py), what is stored already (importer.py).

The record of a row is `{"vin","createdAt","row":{signal: cell, …},"units":{signal: unit}}`. A cell that is a plain
number is written as that number, any other as a string, both digit for digit. Empty cells are left out. A cell that a
rule of the mapping changed stands beside the result under its column's own name, so that the file can be recomputed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson
import polars as pl

from ev_platform.ingest.import_files import ROW, BadRow, Batch
from ev_platform.ingest.import_mapping import ColumnRule, FileShape, Mapping, TimeRule
from ev_platform.ingest.import_time import parse_times
from ev_platform.lake.layout import VIN_PATTERN, valid_vin
from ev_platform.signals import catalogue

CLOCK_AHEAD_S = 300
"""A row may be this much later than the import itself; beyond it the clock of whoever wrote it was wrong."""

_JSON_NUMBER = r"^-?(?:0|[1-9][0-9]{0,14}|(?:0|[1-9][0-9]{0,5})\.[0-9]{0,8}[1-9])$"
"""Numbers that a double gives back as they were written; others (`9.10`, `+5`, 17 digits) stay strings."""

LINE_COLUMNS = {"vin": pl.String, "day": pl.String, "hash": pl.String, "line": pl.String}


@dataclass(frozen=True)
class Lines:
    """Raw lines of a batch (`LINE_COLUMNS`, one row each, without line breaks), and the rows that became none."""

    frame: pl.DataFrame
    bad: list[tuple[str, BadRow]]
    """(event day, or "" where it is unknown; the row)."""


@dataclass(frozen=True)
class Period:
    """Event times that an import accepts: from the first day, up to its own clock."""

    start_day: date
    now: datetime


def encode(batch: Batch, mapping: Mapping, file_name: str, period: Period) -> Lines:
    """Raw lines of a batch.

    Raises:
        LookupError: the file lacks the columns of time or VIN; the message says what is wanted.
    """
    frame = batch.frame
    time, why_no_time = _times(frame, mapping)
    vin = _vins(frame, mapping, file_name)
    judged = frame.select(ROW).with_columns(time.alias("time"), why_no_time.alias("why"), vin.alias("vin"))
    judged = _judge(judged, period)
    good = judged["reason"].is_null()
    bad = [("", row) for row in batch.bad] + _bad_rows(frame, judged, ~good)
    kept, keys = frame.filter(good), judged.filter(good)
    if not len(kept):
        return Lines(pl.DataFrame(schema=LINE_COLUMNS), bad)
    payload = _payloads(kept, keys, mapping)
    digests = [hashlib.sha256(b"%d:%b" % (len(data), data)).hexdigest() for data in map(str.encode, payload)]
    lines = keys.select("vin", "day").with_columns(pl.Series("hash", digests), payload.alias("payload"))
    head = pl.concat_str(pl.lit('{"_h":"'), "hash", pl.lit('","h":{},"d":'), "payload", pl.lit("}"))
    return Lines(lines.with_columns(head.alias("line")).select(*LINE_COLUMNS), bad)


# -- whose row, and when ----------------------------------------------------------------------------------------------


def _times(frame: pl.DataFrame, mapping: Mapping) -> tuple[pl.Series, pl.Series]:
    """Times by the first rule whose columns the file has; where a row has none by it, by the next ones."""
    usable = [rule for rule in mapping.times if set(rule.columns) <= set(frame.columns)]
    if not usable:
        wanted = " or ".join(" + ".join(rule.columns) for rule in mapping.times)
        raise LookupError(f"no column of time; mapping {mapping.name} wants {wanted}")
    time, why = parse_times(_joined(frame, usable[0], mapping.file), usable[0])
    for rule in usable[1:]:
        open_rows = time.is_null()
        if not open_rows.any():
            break
        more, more_why = parse_times(_joined(frame, rule, mapping.file), rule)
        time = time.zip_with(~open_rows, more)
        why = why.zip_with(~open_rows, more_why)
    return time, why


def _joined(frame: pl.DataFrame, rule: TimeRule, shape: FileShape) -> pl.Series:
    parts = [pl.when(~pl.col(name).is_in(list(shape.nulls))).then(pl.col(name)) for name in rule.columns]
    return frame.select(pl.concat_str(parts, separator=" ")).to_series()


def _vins(frame: pl.DataFrame, mapping: Mapping, file_name: str) -> pl.Series:
    rule = mapping.vin
    fixed = rule.value
    if rule.file_name:
        found = re.search(rule.file_name, file_name)
        if found is None:
            raise LookupError(f"the name {file_name!r} holds no VIN as mapping {mapping.name} describes it")
        fixed = found.group(1).upper()
    if fixed:
        return pl.Series("vin", [fixed]).new_from_index(0, len(frame))
    column = next((name for name in rule.columns if name in frame.columns), None)
    if column is None:
        wanted = " or ".join(rule.columns) or "[vin] in the mapping"
        raise LookupError(f"no column of the VIN; mapping {mapping.name} wants {wanted}, or give --vin")
    cells = frame[column].str.strip_chars().str.strip_chars('"$ ')
    if rule.values:
        return cells.replace_strict(rule.values, default=cells, return_dtype=pl.String)
    return cells.str.to_uppercase()


def _judge(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Columns `day`, `reason` (null for a good row)."""
    latest = int(period.now.timestamp() + CLOCK_AHEAD_S) * 1_000_000
    micros = pl.col("time").dt.epoch("us")
    vins = rows["vin"].unique().to_list()
    good_vins = [vin for vin in vins if vin is not None and valid_vin(vin)]
    return rows.with_columns(pl.col("time").dt.strftime("%Y-%m-%d").alias("day")).with_columns(
        pl.when(pl.col("why").is_not_null())
        .then(pl.col("why"))
        .when(pl.col("vin").is_null() | (pl.col("vin") == ""))
        .then(pl.lit("no_vin"))
        .when(~pl.col("vin").is_in(good_vins))
        .then(pl.lit("bad_vin"))
        .when(pl.col("day") < period.start_day.isoformat())
        .then(pl.lit("before_start"))
        .when(micros > latest)
        .then(pl.lit("clock_ahead"))
        .alias("reason")
    )


def _bad_rows(frame: pl.DataFrame, judged: pl.DataFrame, bad: pl.Series) -> list[tuple[str, BadRow]]:
    """Rows that are no records, each with its cells as JSON."""
    if not bad.any():
        return []
    cells = frame.filter(bad).drop(ROW).to_dicts()
    found = []
    for row, judgement in zip(cells, judged.filter(bad).iter_rows(named=True), strict=True):
        text = orjson.dumps({name: cell for name, cell in row.items() if cell is not None}).decode()
        shown = judgement["vin"] if judgement["reason"] in ("bad_vin", "no_vin") else str(judgement["time"])
        detail = f"vin {shown!r}: {VIN_PATTERN.pattern}" if "vin" in judgement["reason"] else f"time {shown}"
        found.append((judgement["day"] or "", BadRow(judgement[ROW], judgement["reason"], detail, text)))
    return found


# -- the record -------------------------------------------------------------------------------------------------------


def _payloads(frame: pl.DataFrame, keys: pl.DataFrame, mapping: Mapping) -> pl.Series:
    """JSON text of each record."""
    signals: dict[str, pl.Series] = {}
    units: dict[str, str] = {}
    for column in frame.columns:
        if column == ROW or column in mapping.drop or (column in mapping.vin.columns and not mapping.vin.values):
            continue  # a VIN that was not translated stands in the record already
        cells = _cells(frame[column], mapping.file)
        rules = mapping.columns.get(column, (ColumnRule(column),))
        changed = [rule for rule in rules if rule.converts]
        if changed and len(changed) == len(rules):
            signals.setdefault(column, _as_json(cells))
        for rule in rules:
            value = _converted(cells, rule)
            there = signals.get(rule.signal)
            signals[rule.signal] = value if there is None else there.zip_with(there.is_not_null(), value)
            if rule.unit:
                units[rule.signal] = rule.unit
    for name, text in mapping.constants.items():
        signals[name] = pl.Series(name, [orjson.dumps(text).decode()]).new_from_index(0, len(frame))
    return _assembled(keys, signals, units)


def _assembled(keys: pl.DataFrame, signals: dict[str, pl.Series], units: dict[str, str]) -> pl.Series:
    """`{"vin":…,"createdAt":…,"row":{…},"units":{…}}`; null cells leave nothing behind."""
    named = pl.DataFrame([values.alias(f"s{number}") for number, values in enumerate(signals.values())])
    parts: list[pl.Expr] = []
    for number, name in enumerate(signals):
        key = orjson.dumps(name).decode() + ":"
        parts.append(pl.concat_str(pl.lit("," + key), pl.col(f"s{number}")).fill_null(""))
    cells = named.select(pl.concat_str(parts).str.slice(1)).to_series() if parts else pl.Series([""])
    when = keys["time"].dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    tail = '},"units":' + orjson.dumps(dict(sorted(units.items()))).decode() + "}" if units else "}}"
    rows = pl.DataFrame({"vin": keys["vin"], "when": when, "cells": cells})
    joined = pl.concat_str(
        pl.lit('{"vin":"'), "vin", pl.lit('","createdAt":"'), "when", pl.lit('","row":{'), "cells", pl.lit(tail)
    )
    return rows.select(joined).to_series()


def _cells(column: pl.Series, shape: FileShape) -> pl.Series:
    """Cells without outer blanks, null where the mapping says so, numbers with a decimal point."""
    cells = column.str.strip_chars()
    cells = (
        pl.DataFrame({"c": cells}).select(pl.when(~pl.col("c").is_in(list(shape.nulls))).then(pl.col("c"))).to_series()
    )
    if shape.decimal != "." or shape.thousands:
        cells = _pointed(cells, shape)
    return cells.alias("c")


def _pointed(cells: pl.Series, shape: FileShape) -> pl.Series:
    """Numbers written in the file's way get a decimal point and lose their marks between thousands; texts stay."""
    mark, point = re.escape(shape.thousands), re.escape(shape.decimal)
    whole = rf"(?:[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|[0-9]+)" if shape.thousands else "[0-9]+"
    number = rf"^[+-]?{whole}(?:{point}[0-9]*)?$"
    plain = cells.str.replace_all(shape.thousands, "", literal=True) if shape.thousands else cells
    return plain.str.replace(shape.decimal, ".", literal=True).zip_with(cells.str.contains(number), cells)


def _as_json(cells: pl.Series) -> pl.Series:
    """Each cell as JSON: a plain number as it stands, anything else as a string."""
    number = cells.str.contains(_JSON_NUMBER)
    if number.all(ignore_nulls=True):
        return cells
    quoted = pl.DataFrame({"": cells}).select(pl.struct("").struct.json_encode().str.slice(4).str.head(-1)).to_series()
    # `zip_with` takes null for false, and the JSON of a null is the word null: put nulls back
    return cells.zip_with(number.fill_null(True), quoted)


def _converted(cells: pl.Series, rule: ColumnRule) -> pl.Series:
    """Cells after a rule: words replaced, numbers scaled; a cell that is no number stays what it is."""
    if rule.values:
        cells = cells.replace_strict(rule.values, default=cells, return_dtype=pl.String)
    if rule.scale == 1.0 and rule.offset == 0.0:
        return _as_json(cells)
    numbers = cells.cast(pl.Float64, strict=False)
    scaled = (numbers * rule.scale + rule.offset).round_sig_figs(15).cast(pl.String)
    return _as_json(scaled.zip_with(scaled.is_not_null(), cells))


def unknown_columns(columns: Sequence[str], mapping: Mapping) -> list[str]:
    """Columns that neither the mapping nor the signal catalogue speaks of; they are kept under their own names."""
    spoken = {*mapping.columns, *mapping.drop, *mapping.vin.columns, *(n for t in mapping.times for n in t.columns)}
    known = catalogue().mapping
    return [name for name in columns if name not in spoken and name != ROW and (mapping.provider, name) not in known]

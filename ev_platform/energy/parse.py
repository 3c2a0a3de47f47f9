"""Raw pieces of a source → one table of its fields: codes as text, figures as numbers, both spellings of moved names.

Pure: bytes in, Polars out. Not here: what the fields mean (refine_*.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import orjson
import polars as pl

from ev_platform.energy.http import PortalError
from ev_platform.energy.sources import Source


def parse(source: Source, pieces: Iterable[bytes]) -> pl.DataFrame:
    """The rows of all pieces, with exactly the source's columns.

    Raises:
        PortalError: a field that every row must have is not there: it was renamed or dropped.
    """
    read = _csv if source.protocol == "data_fair" else _json_lines
    frames = [read(source, piece) for piece in pieces if piece.strip()]
    if not frames:
        return pl.DataFrame(schema=_schema(source))
    return pl.concat(frames, rechunk=False)


def _schema(source: Source) -> dict[str, Any]:
    return dict.fromkeys(source.text, pl.String) | dict.fromkeys(source.number, pl.Float64)


def _names(source: Source, present: Iterable[str]) -> dict[str, str]:
    """Name in the file of each column that is there."""
    found, there = {}, set(present)
    for name in source.columns:
        given = name if name in there else source.old_names.get(name, name)
        if given in there:
            found[name] = given
        elif name not in source.optional:
            raise PortalError(
                f"{source.dataset}: the field {name} is gone; name the new one in the sources file ({source.name})"
            )
    return found


def _csv(source: Source, data: bytes) -> pl.DataFrame:
    header = data[: data.index(b"\n")] if b"\n" in data else data
    separator = ";" if header.count(b";") > header.count(b",") else ","
    present = header.decode("utf-8-sig").strip().replace('"', "").split(separator)
    names = _names(source, present)
    types = {given: _schema(source)[name] for name, given in names.items()}
    frame = pl.read_csv(
        io.BytesIO(data), separator=separator, columns=list(types), schema_overrides=types, null_values=[""]
    )
    return _whole(source, frame.select(pl.col(given).alias(name) for name, given in names.items()))


def _json_lines(source: Source, data: bytes) -> pl.DataFrame:
    rows = [orjson.loads(line) for line in data.splitlines() if line]
    # rows without a null's key happen (old versions of the API): the fields are those of all rows together
    names = _names(source, {name for row in rows for name in row} | set(source.optional))
    columns = {name: [row.get(given) for row in rows] for name, given in names.items()}
    text = set(source.text)
    return _whole(
        source,
        pl.DataFrame(
            {name: _text(values) if name in text else _numbers(values) for name, values in columns.items()},
            schema=_schema(source) if len(names) == len(source.columns) else None,
        ),
    )


def _text(values: list[Any]) -> pl.Series:
    return pl.Series([None if value is None or value == "" else str(value) for value in values], dtype=pl.String)


def _numbers(values: list[Any]) -> pl.Series:
    """Numbers also where they came as text; what is neither becomes null (`ND` stands for "not available")."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return pl.Series([None if value is None else float(value) for value in values], dtype=pl.Float64)
    return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String).cast(
        pl.Float64, strict=False
    )


def _whole(source: Source, frame: pl.DataFrame) -> pl.DataFrame:
    """All columns of the source in their order, in one type each; empty texts are nulls."""
    schema = _schema(source)
    return frame.select(
        (pl.col(name).cast(kind, strict=False) if name in frame.columns else pl.lit(None, kind).alias(name))
        for name, kind in schema.items()
    ).with_columns(pl.col(pl.String).replace("", None))

"""JSON numbers as they were written: parsing that keeps every digit, and writing it back.

Belongs here: the type `Lexeme` and both directions. Not here: which lines need it (transform/compact_lexeme.py).
"""

from __future__ import annotations

import json
from typing import Any

import orjson


class Lexeme(str):
    """A JSON number as it was written."""

    __slots__ = ()


class DuplicateKeysError(ValueError):
    """An object of the line names a key twice, so that a parsed form cannot hold the whole line."""


def loads_lexemes(line: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a line, every number as a `Lexeme`.

    Raises:
        DuplicateKeysError: some object names a key twice.
        ValueError: not JSON.
    """
    return json.loads(line, parse_float=Lexeme, parse_int=Lexeme, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateKeysError("a key is named twice")
    return found


def to_json(value: object) -> str:
    """JSON text of a parsed value, blanks removed, every `Lexeme` as it was written."""
    if isinstance(value, Lexeme):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(str(key))}:{to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return orjson.dumps(value).decode()

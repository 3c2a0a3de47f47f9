"""Numbers as they were written: a cheap proof that nothing is lost, and a second look for the lines where it fails.

Belongs here: the spelling of JSON numbers. Not here: what a value means (tesla_json.py), parsing with every digit
(ingest/lexeme.py).

A double reproduces most numbers as they were written, but not `9.10`, `1E5`, `80.0` or 20-digit integers, and orjson
keeps no spelling. So a parsed record is written back: when the line ends with those bytes, up to blanks after `:` and
`,`, every number in the record is spelled as orjson spells it. The proof: a line that ends so holds the record there,
because a balanced text cannot be a proper end of another balanced text; both texts have the same tokens except for the
spelling of numbers and the escapes in strings; and at the first token that differs one text goes on with a digit, a
point, an exponent or a backslash where the other has a delimiter, so the bytes would differ there too. Lines that fail
the test are parsed again with every number kept as a `Lexeme`; that costs three times as much and hits few lines.
"""

from __future__ import annotations

import re

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.ingest.lexeme import Lexeme

EXACT_INTEGER = 2**53
"""Integers up to here have a double of their own."""

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WHOLE_NUMBER = rf"\A{_NUMBER.pattern}\z"
_LONGEST_NUMBER = 400
"""Longer digit strings are kept as text only: Python refuses to convert integers of thousands of digits."""


def spelled_alike(line: bytes, record: object, before: bytes = b"", after: bytes = b"") -> bool:
    """Whether every number of a record that ends its line is spelled as orjson spells it (see the module's proof).

    Args:
        line: a valid JSON text that ends with `before`, the record, `after`.
        record: the record, parsed by orjson.
        before: name under which the record stands in the line, `"d":`; empty if it is the line.
        after: what closes the line, `}`; empty if the record is the line.
    """
    end = before + orjson.dumps(record) + after
    return line.endswith(end) or (b": " in line and tight(line).endswith(tight(end)))


def tight(text: bytes) -> bytes:
    """A JSON text without the one blank that some writers put after `:` and `,`; strings lose theirs too."""
    return text.replace(b": ", b":").replace(b", ", b",")


def spell(number: float) -> str:
    """How a stored double is read back when no text stands beside it: `80`, `9.1`, `1e+22`."""
    if number.is_integer() and abs(number) <= EXACT_INTEGER and str(number)[0:2] != "-0":
        return str(int(number))
    return orjson.dumps(number).decode()


def split_number(value: float | Lexeme) -> tuple[float | None, str | None]:
    """(number, text) of a JSON number; text only where `spell(number)` is not what was written.

    A plain int or float stands for orjson's own spelling of it. Numbers beyond the range of a double have no number.
    """
    text = str(value) if isinstance(value, Lexeme) else orjson.dumps(value).decode()
    number = to_number(text)
    return number, None if number is not None and spell(number) == text else text


def to_number(text: str) -> float | None:
    """The double nearest to a decimal number; None when the text is not one, or is beyond the range of a double."""
    if len(text) > _LONGEST_NUMBER or _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if abs(number) != float("inf") else None


def to_numbers(texts: pa.Array) -> pa.Array:
    """`to_number` of many texts at once."""
    plain = pc.and_(
        pc.match_substring_regex(texts, _WHOLE_NUMBER), pc.less_equal(pc.utf8_length(texts), _LONGEST_NUMBER)
    )
    numbers = pc.if_else(plain, texts, pa.scalar(None, pa.string())).cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))

"""The check digit of a VIN (position 9), where the market has one. Pure.

Sources: 49 CFR 565.15 (North America: weights, letters, remainder 10 = X); GB 16735 (China, the same sum). European
VINs may hold any character there, so a "wrong" one of theirs says nothing.
"""

from __future__ import annotations

_LETTERS = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_MARKETS = frozenset("12345L7")
"""First characters of the markets with a check digit: North America (1–5, 7), China (L)."""


def check_digit(vin: str) -> str:
    """The digit (or X) that stands at position 9 of a VIN of 17 valid characters."""
    total = sum(
        (int(char) if char.isdigit() else _LETTERS[char]) * weight for char, weight in zip(vin, _WEIGHTS, strict=True)
    )
    return "0123456789X"[total % 11]


def vin_check(vin: str) -> str:
    """`ok`, `wrong`, or `none` where the market has no check digit."""
    if vin[0] not in _MARKETS:
        return "none"
    return "ok" if vin[8] == check_digit(vin) else "wrong"

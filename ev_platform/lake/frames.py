"""Whether a Polars frame is in order already: cleaned parts are, and sorting them again costs more than using them.

Belongs here: that question. Not here: tables (tables.py), schemas.
"""

from __future__ import annotations

import polars as pl


def in_order(rows: pl.DataFrame, *keys: str) -> bool:
    """Whether every row is greater than the one before by `keys`, the first key first: so sorted, and no key twice.

    A null in a key counts as not in order.
    """
    greater = pl.lit(value=False)
    for key in reversed(keys):
        before = pl.col(key).shift(1)
        greater = (before < pl.col(key)) | ((before == pl.col(key)) & greater)
    return rows.height < 2 or bool(rows.select(greater.fill_null(value=False).slice(1).all()).item())

"""Times of imported rows: texts of any declared format and zone to UTC microseconds, a whole batch at once.

Belongs here: epochs, ISO 8601, strptime forms, zones with their gaps and folds. Not here: which columns hold the time
(import_mapping.py). Pure. Fractions are cut to microseconds, never rounded, so a time stays on its day.
"""

from __future__ import annotations

import polars as pl

from ev_platform.ingest.import_mapping import EPOCHS, ISO, TimeRule

UNREADABLE = "bad_time"
AMBIGUOUS = "ambiguous_time"
MISSING = "no_time"
NOT_THERE = "time_does_not_exist"

_ISO = (
    r"^\s*(?P<day>\d{4}-\d{2}-\d{2})(?:[Tt ](?P<clock>\d{2}:\d{2}(?::\d{2})?)(?:[.,](?P<fraction>\d+))?"
    r"\s*(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?\s*$"
)
_NUMBER = r"^\s*(?P<sign>-?)(?P<whole>\d{1,17})(?:[.,](?P<fraction>\d*))?\s*$"
_UTC = pl.Datetime("us", "UTC")
_LAST_US = 253_402_300_799_999_999


def parse_times(texts: pl.Series, rule: TimeRule) -> tuple[pl.Series, pl.Series]:
    """UTC times of texts.

    Args:
        texts: String; several columns joined by a blank.
        rule: formats, tried in order for each text, and the zone of those without an offset.

    Returns:
        (Datetime[us, UTC], null where there is none; String, why there is none, null where there is one).
    """
    texts = texts.str.strip_chars().rename("text")
    found = pl.Series("time", [None] * len(texts), dtype=_UTC)
    naive = pl.Series("naive", [None] * len(texts), dtype=pl.Datetime("us"))
    for form in rule.formats:
        if form in EPOCHS:
            found = found.zip_with(found.is_not_null(), _epoch(texts, EPOCHS[form]))
        else:
            local, offset = _iso(texts) if form == ISO else _form(texts, form)
            found = found.zip_with(found.is_not_null(), offset)
            naive = naive.zip_with(naive.is_not_null(), local)
    local = naive.zip_with(found.is_null(), pl.Series([None] * len(texts), dtype=pl.Datetime("us")))
    placed = _place(local, rule.zone, rule.ambiguous)
    found = found.zip_with(found.is_not_null(), placed)
    return found, _why(texts, local, found, rule.zone)


def _why(texts: pl.Series, local: pl.Series, found: pl.Series, zone: str) -> pl.Series:
    """Why there is no time, per row."""
    twice = _place(local, zone, "earliest")
    frame = pl.DataFrame({"text": texts, "local": local, "found": found, "twice": twice})
    return frame.select(
        pl.when(pl.col("found").is_not_null())
        .then(None)
        .when(pl.col("text").is_null() | (pl.col("text") == ""))
        .then(pl.lit(MISSING))
        .when(pl.col("local").is_null())
        .then(pl.lit(UNREADABLE))
        .when(pl.col("twice").is_null())
        .then(pl.lit(NOT_THERE))
        .otherwise(pl.lit(AMBIGUOUS))
    ).to_series()


def _place(local: pl.Series, zone: str, ambiguous: str) -> pl.Series:
    """Local times in a zone as UTC; null where the clock jumped over them, or had them twice and nobody says which."""
    fold = "null" if ambiguous == "dead_letter" else ambiguous
    placed = local.dt.replace_time_zone(zone, ambiguous=fold, non_existent="null")  # type: ignore[arg-type]
    return placed.dt.convert_time_zone("UTC")


def _epoch(texts: pl.Series, unit: int) -> pl.Series:
    """Numbers that count from 1970; `unit` microseconds each. Read digit by digit: a double has no room for them."""
    parts = texts.str.extract_groups(_NUMBER).struct.unnest()
    digits = len(str(unit)) - 1
    fraction = parts["fraction"].fill_null("").str.pad_end(digits, "0").str.slice(0, digits)
    whole = parts["whole"].cast(pl.Int64, strict=False)
    more = fraction.cast(pl.Int64, strict=False).fill_null(0) if digits else pl.Series([0] * len(texts))
    sign = pl.Series(parts["sign"] == "-").cast(pl.Int64) * -2 + 1
    microseconds = (whole * unit + more) * sign
    inside = (whole <= _LAST_US // unit) & (sign == 1)
    return microseconds.zip_with(inside.fill_null(False), pl.Series([None] * len(texts), dtype=pl.Int64)).cast(_UTC)


def _iso(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(local time of texts without an offset, UTC time of texts with one)."""
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    clock = parts["clock"].fill_null("00:00:00")
    clock = clock.zip_with(clock.str.len_bytes() == 8, clock + ":00")
    local = (parts["day"] + " " + clock).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    local += _fraction(parts["fraction"])
    offset = parts["offset"].str.replace_all(":", "", literal=True)
    minutes = offset.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
    minutes += offset.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    signed = minutes * (pl.Series(offset.str.starts_with("-")).fill_null(False).cast(pl.Int64) * -2 + 1)
    utc = (local - pl.Series(signed * 60_000_000).cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    sent = parts["offset"].is_not_null()
    nothing = pl.Series([None] * len(texts), dtype=pl.Datetime("us"))
    return local.zip_with(~sent, nothing), utc.zip_with(sent, nothing.dt.replace_time_zone("UTC"))


def _fraction(digits: pl.Series) -> pl.Series:
    """Digits behind the point as a duration, cut to microseconds."""
    cut = digits.fill_null("0").str.pad_end(6, "0").str.slice(0, 6)
    return cut.cast(pl.Int64, strict=False).cast(pl.Duration("us"))


def _form(texts: pl.Series, form: str) -> tuple[pl.Series, pl.Series]:
    """The same of a strptime form; one with %z gives UTC times, any other local ones."""
    nothing = pl.Series([None] * len(texts), dtype=pl.Datetime("us"))
    if "%z" in form:
        return nothing, texts.str.to_datetime(form, time_unit="us", strict=False).dt.convert_time_zone("UTC")
    if not any(part in form for part in ("%H", "%I", "%T", "%R", "%s")):
        return texts.str.to_date(form, strict=False).cast(pl.Datetime("us")), nothing.dt.replace_time_zone("UTC")
    local = texts.str.to_datetime(form, time_unit="us", strict=False)
    return local, nothing.dt.replace_time_zone("UTC")

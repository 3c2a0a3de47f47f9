"""First half of cleaning: provider values become canonical values, and the long table becomes wide.

Belongs here: names, units, words, sentinels (all from the signal catalogue), repeats, one cell per (vehicle, provider,
time, column). Not here: rules that look at more than one value (clean_rules.py). Pure: Arrow in, arrays out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ev_platform.signals import INVALID_WORD, Catalogue, ProviderSignal, catalogue
from ev_platform.transform.clean_tables import INVALID, NULLED, OK, CountLog, Long, Wide
from ev_platform.transform.series import Bools, Floats, Groups, Ints, string_codes

UNMAPPED = -1
TRUE_WORDS = frozenset({"true", "1", "yes", "on", "plugged_in", "connected", "plugged"})
FALSE_WORDS = frozenset({"false", "0", "no", "off", "disconnected", "unplugged"})


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _microseconds(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)


def widen(compressed: pa.Table, keep_events: bool = False) -> Wide:
    """Wide rows of a compressed table (schema COMPRESSED), values in canonical units, repeats dropped.

    A row of the result stands for every time at which at least one mapped signal was sent, usable or not.
    """
    known = catalogue()
    vin, vins = string_codes(compressed["vin"])
    provider, providers = string_codes(compressed["provider"])
    signal, signals = string_codes(compressed["signal"])
    log = CountLog(vins, keep_events)
    time = _microseconds(compressed["event_time"])
    pair = np.where(signal >= 0, provider * len(signals) + signal, UNMAPPED)
    mapped = _mapped_pairs(known, pair, providers, signals)
    column = np.full(len(providers) * len(signals) + 1, UNMAPPED, dtype=np.int64)  # last slot: no signal at all
    names = list(known.signals)
    for code, target in mapped.items():
        column[code] = names.index(target.canonical)
    _count_unmapped(log, vin, time, signal, signals, (column[pair] == UNMAPPED) & (signal >= 0))
    rows = np.flatnonzero(column[pair] != UNMAPPED)
    pair = pair[rows]
    priority = np.array([mapped[code].priority if code in mapped else 0 for code in range(len(column))])
    long = Long(
        vin=vin[rows],
        provider=provider[rows],
        time=time[rows],
        column=column[pair],
        value=np.full(len(rows), np.nan),
        state=np.full(len(rows), OK, dtype=np.int64),
        row=rows,
        priority=priority[pair],
    )
    sent = compressed.select(["status", "number", "text", "unit"]).take(pa.array(rows))
    labels = _fill_values(known, long, pair, mapped, sent, log)
    return _pivot(_one_per_cell(long, compressed, names, log), names, labels, vins, providers, log)


def _mapped_pairs(known: Catalogue, pair: Ints, providers: list[str], signals: list[str]) -> dict[int, ProviderSignal]:
    """Mapping of every (provider, signal) pair that occurs, by pair code."""
    found = {}
    for code in np.unique(pair[pair != UNMAPPED]).tolist():
        target = known.mapping.get((providers[code // len(signals)], signals[code % len(signals)]))
        if target is not None:
            found[code] = target
    return found


def _count_unmapped(log: CountLog, vin: Ints, time: Ints, signal: Ints, signals: list[str], mask: Bools) -> None:
    vehicles, times, names = vin[mask], time[mask], signal[mask]
    for code in np.unique(names).tolist():
        log.add("unmapped", signals[code], vehicles[names == code], times[names == code])


def _fill_values(
    known: Catalogue, long: Long, pair: Ints, mapped: dict[int, ProviderSignal], sent: pa.Table, log: CountLog
) -> dict[str, list[str]]:
    """Set value and state of every mapped row; return the labels of coded columns."""
    status, statuses = string_codes(sent["status"])
    number, text = _numbers(sent["number"]), sent["text"].combine_chunks()
    unit, units = string_codes(sent["unit"])
    labels: dict[str, list[str]] = {}
    names = list(known.signals)
    order = np.argsort(pair, kind="stable")
    edges = np.append(np.flatnonzero(np.diff(pair[order], prepend=-1)), len(order))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        rows = order[start:end]
        target = mapped[int(pair[rows[0]])]
        log_rule = _Notes(log, target.canonical, long, rows)
        log_rule.status(status[rows], statuses)
        ok = long.state[rows] == OK
        texts = text.take(pa.array(rows)) if text.null_count < len(text) else None
        kind = known.signals[target.canonical].kind
        if kind == "double":
            values = _doubles(number[rows], texts, ok, log_rule)
            log_rule.sentinels(target, values, texts)
            long.value[rows] = _converted(known, target, values, unit[rows], units, log_rule)
        elif kind == "boolean":
            long.value[rows] = _booleans(number[rows], texts, ok, log_rule)
        else:
            known_labels = labels.setdefault(names[long.column[rows[0]]], [])
            long.value[rows] = _coded(known, target, number[rows], texts, known_labels, log_rule)
    long.value[long.state != OK] = np.nan
    return {name: _sorted_labels(long, names.index(name), words) for name, words in labels.items()}


def _sorted_labels(long: Long, column: int, words: list[str]) -> list[str]:
    """Renumber the codes of one column in alphabetical order, so that comparing codes never depends on the batch."""
    rank = np.array([sorted(words).index(word) for word in words], dtype=np.float64)
    rows = np.flatnonzero((long.column == column) & ~np.isnan(long.value))
    long.value[rows] = rank[long.value[rows].astype(np.int64)]
    return sorted(words)


class _Notes:
    """Sets states of the rows of one signal and counts why."""

    def __init__(self, log: CountLog, name: str, long: Long, rows: Ints) -> None:
        self.log, self.name, self.long, self.rows = log, name, long, rows

    def mark(self, rule: str, mask: Bools, state: int) -> None:
        """Rows that are still usable and in `mask` get `state`, counted under `rule`."""
        chosen = self.rows[mask & (self.long.state[self.rows] == OK)]
        self.long.state[chosen] = state
        self.log.add(rule, self.name, self.long.vin[chosen], self.long.time[chosen])

    def status(self, codes: Ints, statuses: list[str]) -> None:
        """The compressed status: `invalid` and `missing` end a fill, anything else that is not ok is unreadable."""
        for code, status in enumerate(statuses):
            if status in ("invalid", "missing"):
                self.mark(status, codes == code, INVALID)
            elif status != "ok":
                self.mark(status, codes == code, NULLED)

    def sentinels(self, target: ProviderSignal, values: Floats, texts: pa.Array | None) -> None:
        """Values that mean "not available"."""
        for sentinel in sorted(target.sentinels):
            try:
                mask = values == float(sentinel)
            except ValueError:
                mask = _equal(texts, sentinel, len(values))
            self.mark("sentinel", mask, INVALID)


def _equal(texts: pa.Array | None, wanted: str, rows: int) -> Bools:
    if texts is None:
        return np.zeros(rows, dtype=bool)
    return np.asarray(pc.equal(texts, wanted).fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _doubles(number: Floats, texts: pa.Array | None, ok: Bools, notes: _Notes) -> Floats:
    """Numbers, read from the text where only text was sent."""
    values = number.copy()
    need = np.flatnonzero(np.isnan(values) & ok)
    if len(need) and texts is not None:
        parsed = pl.Series(texts.take(pa.array(need)), dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False)
        values[need] = parsed.fill_null(np.nan).to_numpy()
        nan_words = parsed.is_not_null().to_numpy() & ~np.isfinite(values[need])
        not_finite = np.zeros(len(values), dtype=bool)
        not_finite[need[nan_words]] = True
        notes.mark("not_finite", not_finite, INVALID)
    notes.mark("not_finite", np.isinf(values), INVALID)
    return values


def _converted(
    known: Catalogue, target: ProviderSignal, values: Floats, unit: Ints, units: list[str], notes: _Notes
) -> Floats:
    """Values in the canonical unit: of the unit sent with the value, else of the feed's declared unit."""
    notes.mark("unreadable", np.isnan(values), NULLED)
    out = np.full(len(values), np.nan)
    for code in np.unique(unit).tolist():
        rows = unit == code
        conversion = known.conversion(target, units[code] if code >= 0 else None)
        if conversion is None:
            notes.mark("unknown_unit", rows, NULLED)
        else:
            factor, offset = conversion
            out[rows] = values[rows] * factor + offset
    return out


def _distinct(number: Floats, texts: pa.Array | None) -> tuple[Ints, list[str]]:
    """Codes and distinct texts of values, a number standing for itself where no text was sent."""
    column = pl.DataFrame({"number": number, "text": pl.Series(texts, dtype=pl.String) if texts is not None else None})
    spelled = column.select(
        pl.coalesce(
            pl.col("text").cast(pl.String),
            pl.when(pl.col("number").is_finite() & (pl.col("number") == pl.col("number").round()))
            .then(pl.col("number").cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(pl.col("number").cast(pl.String)),
        )
    ).to_series()
    return string_codes(pa.chunked_array([spelled.to_arrow().cast(pa.string())]))


def _booleans(number: Floats, texts: pa.Array | None, ok: Bools, notes: _Notes) -> Floats:
    """1 for true, 0 for false; the older string form too."""
    values = np.where(np.isnan(number), np.nan, (number != 0).astype(np.float64))
    if np.isnan(values[ok]).any():
        codes, words = _distinct(number, texts)
        meaning = [1.0 if w.lower() in TRUE_WORDS else 0.0 if w.lower() in FALSE_WORDS else np.nan for w in words]
        values = np.where(np.isnan(values), np.array([*meaning, np.nan])[codes], values)
    notes.mark("unreadable", np.isnan(values), NULLED)
    return values


def _coded(
    known: Catalogue,
    target: ProviderSignal,
    number: Floats,
    texts: pa.Array | None,
    labels: list[str],
    notes: _Notes,
) -> Floats:
    """Codes into `labels` (extended as needed) of words and free texts.

    A word outside the vocabulary means that the state has changed into something unknown: it ends a fill.
    """
    codes, raw = _distinct(number, texts)
    free = known.signals[target.canonical].kind == "text"
    sentinel = np.array([*(word in target.sentinels for word in raw), False])
    words = [word if free else known.word(target, word) for word in raw]
    invalid = np.array([*(word == INVALID_WORD and not free for word in words), False])
    unknown = np.array([*(word is None for word in words), True])
    meaning = np.full(len(raw) + 1, np.nan)
    for code, word in enumerate(words):
        if word is not None and not invalid[code]:
            if word not in labels:
                labels.append(word)
            meaning[code] = labels.index(word)
    notes.mark("sentinel", sentinel[codes], INVALID)
    notes.mark("invalid", invalid[codes], INVALID)
    notes.mark("unknown_word", unknown[codes], INVALID)
    return meaning[codes]


def _one_per_cell(long: Long, compressed: pa.Table, names: list[str], log: CountLog) -> Long:
    """One value per (vehicle, provider, time, column), sorted so: the last one to arrive.

    Vehicles send values again after a reconnect, under a new offset: equal ones are counted as `repeat`, others as
    `superseded`.
    """
    order = np.lexsort((long.column, long.time, long.provider, long.vin))
    long = long.take(order)
    same = np.zeros(len(order), dtype=bool)
    for key in (long.vin, long.provider, long.time, long.column):
        differs = key[1:] != key[:-1]
        same[1:] = ~differs if key is long.vin else same[1:] & ~differs
    if not same.any():
        return long
    cell = np.cumsum(~same) - 1
    contested = np.isin(cell, cell[same])
    rows = np.flatnonzero(contested)
    rows = rows[np.lexsort((*_arrival(long.take(rows), compressed), cell[rows]))]
    winner = np.append(cell[rows][1:] != cell[rows][:-1], True)
    best = np.repeat(rows[winner], np.diff(np.append(-1, np.flatnonzero(winner))))
    equal = (long.state[rows] == long.state[best]) & (
        (long.value[rows] == long.value[best]) | (np.isnan(long.value[rows]) & np.isnan(long.value[best]))
    )
    for code in np.unique(long.column[rows]).tolist():
        lost = ~winner & (long.column[rows] == code)
        for rule, at in (("repeat", rows[lost & equal]), ("superseded", rows[lost & ~equal])):
            log.add(rule, names[code], long.vin[at], long.time[at])
    kept = ~contested
    kept[rows[winner]] = True
    return long.take(kept)


def _arrival(long: Long, compressed: pa.Table) -> list[npt.NDArray[np.generic]]:
    """Sort keys, least important first, that put the value to keep last: a complete order, whatever the input's order.

    The better signal of a provider first of all, then nanoseconds, then arrival (broker time and offset, or received
    time), then the value itself.
    """
    sent = compressed.select(["event_time_ns", "source_ts", "partition", "offset", "received_at", "record_hash"])
    sent = sent.take(pa.array(long.row))
    hashes, _ = string_codes(sent["record_hash"])
    received = _microseconds(sent["received_at"].fill_null(0))

    def whole(name: str) -> Ints:
        return np.asarray(sent[name].fill_null(-1).cast(pa.int64()).to_numpy(), dtype=np.int64)

    arrived = [received, whole("offset"), whole("partition"), whole("source_ts")]
    return [long.value, long.state, hashes, *arrived, whole("event_time_ns"), -long.priority]


def _pivot(
    long: Long,
    names: list[str],
    labels: dict[str, list[str]],
    vins: list[str],
    providers: list[str],
    log: CountLog,
) -> Wide:
    """Wide rows of sorted long values."""
    cell_rows = Groups.of(long.vin, long.provider, long.time)
    row = np.zeros(len(long.vin), dtype=np.int64)
    row[cell_rows.starts] = 1
    row = np.cumsum(row) - 1
    vin, provider, time = (key[cell_rows.starts] for key in (long.vin, long.provider, long.time))
    wide = Wide(vin, provider, time, Groups.of(vin, provider), {}, {}, labels, vins, providers, log)
    for code in np.unique(long.column).tolist():
        cells = np.flatnonzero(long.column == code)
        column = np.full(len(vin), np.nan)
        column[row[cells]] = long.value[cells]
        wide.values[names[code]] = column
        ended = cells[long.state[cells] == INVALID]
        if len(ended):
            wide.invalid[names[code]] = np.zeros(len(vin), dtype=bool)
            wide.invalid[names[code]][row[ended]] = True
            wide.flags.append((f"invalid:{names[code]}", row[ended]))
    return wide

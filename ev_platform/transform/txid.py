"""What the vehicles' own numbering says about messages that never arrived: holes in the txid sequence of a connection.

Belongs here: pure functions on (source, txid, time) rows of one vehicle. Not here: reading them (commands/txid.py).

A txid is `{connection}-{number, 9 digits}`; the number rises by one with each record of a connection (seen in
fleet-telemetry's issues 318 and 337; Tesla documents neither). So a hole between two numbers of one connection is a
record that was lost before Kafka, or dropped by the server. Nothing can be said of what was lost before the first or
after the last number, or of connections that left no record at all. Whether the record types of a connection share one
counter is not known; the data decide: a number that two types of one connection have used means that they do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_TXID = r"^([0-9A-Za-z]+)-([0-9]{9})$"
"""Connectivity records carry a UUID instead, which is none of these."""


def numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Distinct numbers of one vehicle's connections, in order.

    Args:
        rows: columns source, txid, event_time (UTC); repeats and rows without a txid are ignored.

    Returns:
        Columns connection, counter (the source, or empty where the connection has one counter for all), number, time.
    """
    parts = rows.lazy().filter(pl.col("txid").is_not_null()).unique(["source", "txid"], keep="any")
    parts = parts.with_columns(pl.col("txid").cast(pl.String).str.extract_groups(_TXID).alias("parts"))
    found = parts.select(
        connection=pl.col("parts").struct.field("1"),
        source=pl.col("source").cast(pl.String),
        number=pl.col("parts").struct.field("2").cast(pl.Int64),
        time=pl.col("event_time"),
    ).filter(pl.col("connection").is_not_null())
    reused = pl.col("source").n_unique().over("connection", "number") > 1
    counter = pl.when(reused.any().over("connection")).then(pl.col("source")).otherwise(pl.lit(""))
    seen = found.with_columns(counter=counter).group_by("connection", "counter", "number").agg(pl.col("time").min())
    return seen.sort("connection", "counter", "number").collect()


def holes(seen: pl.DataFrame) -> pl.DataFrame:
    """Runs of numbers that are missing between two that were seen.

    Args:
        seen: from `numbered`.

    Returns:
        Columns connection, counter, after, before (the numbers on both sides), missing (how many), from_time, to_time;
        sorted by from_time.
    """
    counter = ["connection", "counter"]
    pairs = seen.with_columns(
        after=pl.col("number").shift(1).over(counter), from_time=pl.col("time").shift(1).over(counter)
    )
    found = pairs.filter(pl.col("number") - pl.col("after") > 1)
    return found.select(
        *counter,
        "after",
        before=pl.col("number"),
        missing=pl.col("number") - pl.col("after") - 1,
        from_time=pl.col("from_time"),
        to_time=pl.col("time"),
    ).sort("from_time", "connection", "counter", "after")


def count_missing(table: pa.Table) -> int:
    """Sum of `holes(numbered(…))["missing"]`, a tenth of the cost: what every compaction notes.

    Args:
        table: columns source and txid of one vehicle.
    """
    sources = pc.unique(table["source"]).to_pylist()
    if len(sources) == 1:
        return _count({sources[0]: pc.unique(table["txid"]).to_pylist()})
    one = {source: table.filter(pc.equal(table["source"], source))["txid"] for source in sources if source is not None}
    return _count({source: pc.unique(column).to_pylist() for source, column in one.items()})


def _count(txids: Mapping[str, Iterable[str | None]]) -> int:
    numbers: dict[str, dict[str, set[int]]] = {}
    for source, texts in txids.items():
        for text in texts:
            connection, _, number = (text or "").rpartition("-")
            if len(number) == 9 and number.isdigit() and connection.isalnum() and str(text).isascii():
                numbers.setdefault(connection, {}).setdefault(source, set()).add(int(number))
    total = 0
    for counters in numbers.values():
        together = set().union(*counters.values())
        shared = len(together) == sum(map(len, counters.values()))
        for seen in [together] if shared else counters.values():
            total += max(seen) - min(seen) + 1 - len(seen)
    return total

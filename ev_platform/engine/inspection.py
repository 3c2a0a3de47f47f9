"""What a day's files really hold, for the asset checks: schemas, identities, physical ranges, odometers.

Reads only, and trusts no receipt. Belongs here: finding what is wrong, per vehicle or file. Not here: what follows from
it (defs/lake/checks.py). Offsets against receipts: ingest/audit.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ev_platform.lake.layout import compressed_prefix, partition_prefix
from ev_platform.lake.schemas import COMPRESSED, IDENTITY
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.signals import catalogue, cleaned_schema

Problems = dict[str, str]
"""What is wrong, by vehicle or object key; empty when all is well."""


def wrong_compressed_schema(store: ObjectStore, day: str) -> Problems:
    """Files of `compressed` whose columns are not the contract's, or that are no Parquet."""
    return _wrong_schema(store, compressed_prefix(day), COMPRESSED)


def wrong_cleaned_schema(store: ObjectStore, day: str) -> Problems:
    """Parts of `cleaned` whose columns are not the catalogue's, or that are no Parquet."""
    return _wrong_schema(store, partition_prefix("cleaned", day), cleaned_schema())


def _wrong_schema(store: ObjectStore, prefix: str, wanted: pa.Schema) -> Problems:
    found: Problems = {}
    for key, data in _objects(store, prefix):
        try:
            have = pq.read_schema(pa.BufferReader(data))
        except pa.ArrowInvalid as error:
            found[key] = f"unreadable: {error}"
            continue
        if not have.equals(wanted):
            differing = sorted(set(map(str, have)) ^ set(map(str, wanted))) or ["order of columns"]
            found[key] = f"schema differs: {', '.join(differing[:3])}"
    return found


def repeated_records(store: ObjectStore, day: str) -> Problems:
    """Vehicles with a record stored twice: the same identity, signal, kind and value in more rows than once.

    One record may hold the same datum twice; a record that stands twice shows as all of its data doubled.
    """
    found: Problems = {}
    datum = ["signal", "kind", "number", "text", "status"]
    for key, data in _objects(store, compressed_prefix(day)):
        frame = pl.DataFrame(pl.from_arrow(from_parquet(data, [*IDENTITY, *datum])))
        copies = frame.group_by([*IDENTITY, *datum]).len().group_by(IDENTITY).agg(pl.col("len").min())
        doubled = copies.filter(pl.col("len") > 1).height
        if doubled:
            found[key] = f"{doubled} records stand more than once"
    return found


def out_of_range(store: ObjectStore, day: str) -> Problems:
    """Vehicles with cleaned values outside the physical range that the catalogue gives."""
    found: Problems = {}
    signals = [signal for signal in catalogue().signals.values() if signal.kind == "double"]
    for frame in _cleaned(store, day):
        for signal in signals:
            value = pl.col(signal.name)
            low = value <= signal.minimum if signal.minimum_open else value < signal.minimum
            high = value >= signal.maximum if signal.maximum_open else value > signal.maximum
            wrong = frame.filter(low | high | value.is_nan() | value.is_infinite())
            for vin, count in wrong.group_by("vin").len().sort("vin").iter_rows():
                found[vin] = f"{count} values of {signal.name} outside {signal.minimum:g} to {signal.maximum:g}"
    return found


def falling_odometers(store: ObjectStore, day: str) -> Problems:
    """Vehicles whose cleaned odometer ever falls within the day, as one provider reports it.

    Two providers round differently, so the odometer of one may stand below the other's of a moment ago.
    """
    found: Problems = {}
    for frame in _cleaned(store, day):
        series = ["vin", "provider"]
        rows = frame.select(*series, "time", "odometer_km").drop_nulls().sort(*series, "time", maintain_order=True)
        falls = rows.with_columns(step=pl.col("odometer_km").diff().over(series)).filter(pl.col("step") < 0)
        for vin, count, worst in falls.group_by("vin").agg(pl.len(), pl.col("step").min()).sort("vin").iter_rows():
            found[vin] = f"odometer falls {count} times, by up to {-worst:.3f} km"
    return found


def _objects(store: ObjectStore, prefix: str) -> Iterator[tuple[str, bytes]]:
    keys = [key for key in store.keys(prefix) if key.endswith(".parquet")]
    for key, data in store.get_many(keys):
        if data is not None:
            yield key, data


def _cleaned(store: ObjectStore, day: str) -> Iterator[pl.DataFrame]:
    for _, data in _objects(store, partition_prefix("cleaned", day)):
        yield pl.DataFrame(pl.from_arrow(from_parquet(data)))

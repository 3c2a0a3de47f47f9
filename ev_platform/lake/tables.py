"""Tables as Parquet bytes, and the shards that partitioned tables are cut into. Same rows, same bytes, every time.

Belongs here: encoding choices and the stable hash. Not here: keys (layout.py) or storage (store.py).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ev_platform.lake.layout import LAKE_SETTINGS_KEY
from ev_platform.lake.store import ObjectStore

ROW_GROUP_ROWS = 32_768
"""A writer holds two of them; readers of a whole month lose nothing against larger ones (bench month)."""


def to_parquet(table: pa.Table) -> bytes:
    """Parquet bytes: zstd, dictionaries on strings only (smaller and faster than everywhere), one writer for all."""
    sink = pa.BufferOutputStream()
    text = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    pq.write_table(
        table, sink, compression="zstd", compression_level=3, use_dictionary=text, row_group_size=ROW_GROUP_ROWS
    )
    return bytes(sink.getvalue())


def from_parquet(data: bytes, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> pa.Table:
    """Table of Parquet bytes.

    Args:
        data: bytes of a Parquet file.
        columns: columns to read, those that the file does not have are left out; all if None.
        coded: string columns to leave as dictionaries, as they are stored (cheaper to read and to group by).

    Raises:
        pa.ArrowInvalid: the bytes are not Parquet.
    """
    # Not read_table: it goes through a dataset, which costs a small file as much again and imports 40 MB.
    file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=list(coded) or None)
    return file.read(columns=columns, use_threads=False)


def shard_of(vin: str, shards: int) -> int:
    """Shard of a vehicle: a hash that never changes between Python versions, machines or runs."""
    return zlib.crc32(vin.encode()) % shards


def lake_shards(store: ObjectStore, default: int) -> int:
    """Number of shards of this lake: fixed by the first writer, because a change would strand the old parts."""
    while True:
        data, _ = store.read(LAKE_SETTINGS_KEY)
        if data is not None:
            return int(json.loads(data)["shards"])
        store.swap(LAKE_SETTINGS_KEY, json.dumps({"shards": default}).encode(), None)

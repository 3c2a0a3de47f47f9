"""Quarantine: objects and lines that cannot be read are set aside with a reason, never deleted.

Belongs here: what a raw object's name promises, and where broken things go. Not here: what is done with good ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ev_platform.lake.layout import KafkaName, parse_temp_key, quarantine_key
from ev_platform.lake.store import ObjectStore
from ev_platform.transform.compact import BadLine


def mismatch(key: str, data: bytes) -> str | None:
    """Why a raw object is not what its name promises; None when it is, or when its name promises nothing."""
    named = parse_temp_key(key)
    if named is None:
        return None
    name = named[2]
    if isinstance(name, KafkaName):
        whole = zlib.crc32(data) == name.crc32
    else:
        whole = hashlib.sha256(data).hexdigest() == name.sha256
    lines = data.count(b"\n")
    if not whole:
        return f"its checksum is not the name's ({len(data)} bytes, {lines} lines): truncated or corrupt"
    return None if lines == name.n else f"it has {lines} lines, the name promises {name.n}"


def move_aside(store: ObjectStore, key: str, reason: str) -> None:
    """Move an object to quarantine: the copy and its reason are durable before the original goes."""
    data = store.read(key).data
    if data is not None:
        keep_copy(store, key, data, reason)
        store.barrier()
        store.delete([key])


def keep_copy(store: ObjectStore, key: str, data: bytes, reason: str) -> str:
    """Put bytes and reason into quarantine under the object's own key; returns the key used.

    Another content that is there already under that key is kept: then the checksum becomes part of the new key.
    """
    target = quarantine_key(key)
    there = store.read(target).data
    if there is not None and there != data:
        target = f"{target}.{zlib.crc32(data):08x}"
    named = parse_temp_key(key)
    promised: dict[str, Any] = {} if named is None else asdict(named[2])
    store.put(target, data)
    store.put(f"{target}.reason.json", _json({"key": key, "reason": reason, "bytes": len(data), **promised}))
    return target


def keep_bad_lines(store: ObjectStore, bad_lines: Sequence[BadLine]) -> None:
    """Put unreadable lines into quarantine, one object per raw object they stood in: `{key}.{crc32}.lines`."""
    by_key = defaultdict(list)
    for bad in bad_lines:
        by_key[bad.key].append(bad)
    for key, lines in by_key.items():
        texts = [_json({"line": bad.number, "reason": bad.reason, **_readable(bad.raw)}) for bad in lines]
        data = b"".join(text + b"\n" for text in texts)
        store.put(f"{quarantine_key(key)}.{zlib.crc32(data):08x}.lines", data)


def _readable(raw: bytes) -> dict[str, str]:
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode()}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()

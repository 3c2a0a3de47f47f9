"""Raw lines of many vehicles in one object: each says first whose it is, and is otherwise the vehicle's own line.

Belongs here: how a line is marked and how the mark comes off again, byte for byte. Not here: which lines share an
object (ingest/buffer.py) or how they are divided again (engine/split.py).
"""

from __future__ import annotations

import re

_HEAD = b'{"_v":"'
_MARKED = re.compile(rb'\{"_v":"([A-HJ-NPR-Z0-9]{17})",(?="_p":\d+,"_o":(\d+),)')


def marked(vin: str, line: bytes) -> bytes:
    """A raw Kafka line with its vehicle in front: `{"_v":VIN,"_p":…}`."""
    return b'%b%b",%b' % (_HEAD, vin.encode(), line[1:])


def unmarked(line: bytes) -> tuple[str, int, bytes] | None:
    """(VIN, offset, the line as the vehicle's own object would hold it); None for a line that nobody marked."""
    found = _MARKED.match(line)
    if found is None:
        return None
    return found[1].decode(), int(found[2]), b"{" + line[found.end() :]

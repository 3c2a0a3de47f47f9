"""An S3-shaped server in one small process: what the benches store into, and what the storm lets fail.

PUT (If-Match, If-None-Match), GET, HEAD, DELETE, LIST with pages and delimiter, multi-object delete; no signatures are
checked. Objects live in memory, or nowhere (`discard`). A share of the requests can get 500, 503, a reset, or be
carried out and then not answered. Run as `python -m bench.s3_stub '{"fault_share": 0.1, "seed": 1}'`; prints its port.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import subprocess
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

FAULTS = ("500", "503", "reset", "lost answer")
_PAGE = 1000
_REASONS = {200: "OK", 204: "No Content", 404: "Not Found", 412: "Precondition Failed", 500: "Error", 503: "Slow Down"}
_KEYS = re.compile(rb"<Key>(.*?)</Key>")


class Bucket:
    """Objects and the answers to requests; one bucket, whatever its name."""

    def __init__(self, fault_share: float = 0.0, seed: int = 0, *, discard: bool = False) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self._sorted: list[str] | None = None
        self.counts: Counter[str] = Counter()
        self.fault_share = fault_share
        self._chance = random.Random(seed)
        self._discard = discard

    def fault(self) -> str | None:
        """What goes wrong with the next request, if anything."""
        return self._chance.choice(FAULTS) if self._chance.random() < self.fault_share else None

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        url = urlsplit(target)
        key = unquote(url.path).partition("/")[2].partition("/")[2]
        query = parse_qs(url.query, keep_blank_values=True)
        if target == "/counts":
            return 200, {}, json.dumps(self.counts).encode()
        self.counts["LIST" if method == "GET" and not key else method] += 1
        if method == "PUT":
            return self._put(key, headers, body)
        if method == "POST":
            named = [found.decode() for found in _KEYS.findall(body)]
            self._sorted = None
            for name in named:
                self.objects.pop(unescape(name), None)
            done = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in named)
            return 200, {}, f"<DeleteResult>{done}</DeleteResult>".encode()
        if method == "DELETE":
            self._sorted = None
            self.objects.pop(key, None)
            return 204, {}, b""
        if not key:
            return 200, {}, self._list(query)
        if key not in self.objects:
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        data, tag = self.objects[key]
        return 200, {"ETag": tag, "Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT"}, data

    def _put(self, key: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        present = self.objects.get(key)
        match = headers.get("if-match")
        if (headers.get("if-none-match") and present) or (match and (present is None or present[1] != match)):
            return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
        tag = '"0"' if self._discard else f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        if not self._discard:
            self.objects[key] = (body, tag)
            self._sorted = self._sorted if present else None
        return 200, {"ETag": tag}, b""

    def _list(self, query: dict[str, list[str]]) -> bytes:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        contents: list[str] = []
        folders: list[str] = []
        last = truncated = ""
        if self._sorted is None:
            self._sorted = sorted(self.objects)
        for key in self._sorted[bisect_left(self._sorted, max(prefix, after)) :]:
            if not key.startswith(prefix):
                break
            if key == after:
                continue
            rest = key[len(prefix) :]
            folder = prefix + rest.partition(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""
            if folder and folders and folders[-1] == folder:
                last = key
                continue
            if len(contents) + len(folders) == _PAGE:
                truncated = last
                break
            (folders if folder else contents).append(folder or key)
            last = key
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(self.objects[key][1])}</ETag><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in contents
        )
        items += "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders)
        more = f"<NextContinuationToken>{escape(truncated)}</NextContinuationToken>" if truncated else ""
        flag = "true" if truncated else "false"
        return f"<ListBucketResult><IsTruncated>{flag}</IsTruncated>{more}{items}</ListBucketResult>".encode()


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, kept alive."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._data[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            size = int(headers.get("content-length", 0))
            if len(self._data) < end + 4 + size:
                return
            body = bytes(self._data[end + 4 : end + 4 + size])
            del self._data[: end + 4 + size]
            method, target, _ = first.split(" ")
            self._respond(method, target, headers, body)

    def _respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        fault = self._bucket.fault() if target != "/counts" else None
        if fault == "reset":
            self._transport.abort()  # type: ignore[attr-defined]
            return
        if fault in ("500", "503"):
            status, extra, answer = int(fault), {}, b"<Error><Code>SlowDown</Code></Error>"
        else:
            status, extra, answer = self._bucket.answer(method, target, headers, body)
        if fault == "lost answer":
            self._transport.abort()  # type: ignore[attr-defined]
            return
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(answer)}"]
        lines += [f"{name}: {value}" for name, value in extra.items()]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self._transport.write(head if method == "HEAD" else head + answer)  # type: ignore[attr-defined]


async def serve(options: dict[str, object]) -> None:
    """Serve until standard input ends."""
    bucket = Bucket(**options)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bucket), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def stub(**options: object) -> Iterator[dict[str, str]]:
    """The stub in a process of its own; gives the environment that leads to it (bucket: any name)."""
    command = [sys.executable, "-m", "bench.s3_stub", json.dumps(options)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        port = child.stdout.readline().strip()
        keys = {"AWS_ACCESS_KEY_ID": "stub", "AWS_SECRET_ACCESS_KEY": "stub", "AWS_REGION": "us-east-1"}
        yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_DEFAULT_REGION": "us-east-1", **keys}
    finally:
        child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}))

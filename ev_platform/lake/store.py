"""One small interface to the bytes of the lake, on obstore: a folder, S3 or memory, chosen by URL alone.

Belongs here: whole-object put, get, keys, delete, and `swap` (compare-and-swap), each atomic: a reader sees the old or
the new object, never half of one. Not here: which keys exist (layout.py), what the bytes mean (schemas.py, tables.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError, PreconditionError
from obstore.store import LocalStore, MemoryStore, S3Store

from ev_platform.errors import UserError
from ev_platform.lake.requests import Requests

IO_THREADS = 16
"""obstore releases the GIL, so plain threads hide the latency of S3; more than this only queues."""

_Store = S3Store | LocalStore | MemoryStore
_LOCKS = ".locks"
_LOCK_STRIPES = 64
_PRUNE_RACES = 20
_CONFLICT_SECONDS = 0.05
_PAGE = 1000
"""Keys in one answer to a LIST and in one DELETE, as S3 has it."""
_UNFINISHED = re.compile(r"#\d+$")
"""Name of an object that obstore is writing; it gets its own name when it is whole."""
_SMALL, _LARGE = 64 * 1024, 8 * 1024 * 1024


class Versioned(NamedTuple):
    """Bytes of an object and the version to name when replacing it; (None, None) when there is no object."""

    data: bytes | None
    version: str | None


class ObjectStore:
    """Objects under one URL: `s3://bucket/prefix`, a folder (path or `file://`), or `memory://`.

    Picklable for folders and S3, so that tasks in other processes open the same lake.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = Requests()
        scheme = urlsplit(url).scheme
        self._root: Path | None = None
        self._store: _Store
        if scheme == "memory":
            self._store = MemoryStore()
        elif scheme in ("", "file"):
            self._root = Path(urlsplit(url).path if scheme else url).expanduser().resolve()
            self._store = _open_folder(self._root)
        else:
            self._store = _open_remote(url)

    def __reduce__(self) -> tuple[type[ObjectStore], tuple[str]]:
        """Pickled as its URL; refused for memory, whose objects live in one process only."""
        if isinstance(self._store, MemoryStore):
            raise TypeError("a memory:// lake lives in one process; use a folder or S3 for a process pool")
        return ObjectStore, (self.url,)

    # -- whole objects ------------------------------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> None:
        """Write one object; repeated PUTs of the same bytes under the same key are harmless.

        A conflict (409) with another request for the same key or folder is over a moment later: it is asked again.
        """
        self.requests.add("PUT")
        for attempt in range(_PRUNE_RACES):
            try:
                obstore.put(self._store, key, data, use_multipart=False)
                return
            except GenericError as error:  # another process removed the empty folder that was just being made
                if self._root is None or "create dir" not in str(error) or attempt == _PRUNE_RACES - 1:
                    raise
            except AlreadyExistsError:
                if attempt == _PRUNE_RACES - 1:
                    raise
                time.sleep(_CONFLICT_SECONDS)

    def put_many(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Write many objects at once; returns when all are stored, raises if any is not."""
        with ThreadPoolExecutor(IO_THREADS) as pool:
            for _ in pool.map(lambda item: self.put(*item), objects):
                pass

    def get(self, key: str) -> bytes:
        """Bytes of one object.

        Raises:
            FileNotFoundError: there is no such object.
        """
        self.requests.add("GET")
        return bytes(obstore.get(self._store, key).bytes())

    def get_many(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """(key, bytes) in the order asked for; bytes are None for an object that is gone.

        From S3 they are fetched by threads, which hides its latency; a folder is read directly, which is cheaper there.
        """
        if self._root is not None or len(keys) < 2:
            yield from ((key, self._bytes(key)) for key in keys)
            return
        with ThreadPoolExecutor(min(IO_THREADS, len(keys))) as pool:
            yield from zip(keys, pool.map(self._bytes, keys), strict=True)

    def read(self, key: str) -> Versioned:
        """Bytes of one object with its version, (None, None) when there is none."""
        self.requests.add("GET")
        try:
            found = obstore.get(self._store, key)
        except FileNotFoundError:
            return Versioned(None, None)
        data = bytes(found.bytes())
        return Versioned(data, found.meta["e_tag"] if self._root is None else _digest(data))

    def open(self, key: str) -> Any:  # noqa: ANN401 - obstore's reader, a file that can be read and sought
        """An object to read ranges of, without fetching all of it.

        Raises:
            FileNotFoundError: there is no such object.
        """
        return obstore.open_reader(self._store, key)

    def size(self, key: str) -> int:
        """Bytes of an object.

        Raises:
            FileNotFoundError: there is no such object.
        """
        return int(obstore.head(self._store, key)["size"])

    def exists(self, key: str) -> bool:
        """Whether the object exists."""
        self.requests.add("GET")
        try:
            obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        return True

    def keys(self, prefix: str) -> list[str]:
        """Keys below a folder (whole path segments), sorted; every page of the listing is read."""
        if self._root is not None:
            self.requests.add("LIST")
            return sorted(_walk(f"{self._root}/{prefix.strip('/')}".rstrip("/"), prefix.strip("/")))
        pages = [[meta["path"] for meta in page] for page in obstore.list(self._store, prefix, chunk_size=_PAGE)]
        self.requests.add("LIST", max(1, len(pages)))
        return sorted(path for page in pages for path in page if not path.startswith(_LOCKS))

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object below a folder, by key; the listing tells them."""
        found: dict[str, int] = {}
        for pages, page in enumerate(obstore.list(self._store, prefix, chunk_size=_PAGE)):
            self.requests.add("LIST", int(pages > 0))
            found |= {meta["path"]: meta["size"] for meta in page if not meta["path"].startswith(_LOCKS)}
        self.requests.add("LIST")
        return dict(sorted(found.items()))

    def list_folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below a folder, sorted."""
        found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        self.requests.add("LIST", max(1, -(-len(found) // _PAGE)))
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in found)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete exactly these objects; one that is gone already is no error."""
        self.requests.add("DELETE", -(-len(keys) // _PAGE))
        if self._root is None:
            if keys:
                obstore.delete(self._store, list(keys))
            return
        for key in keys:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._root}/{key}")  # a Path per object would cost more than the deletion
        self._prune({self._root / key.rpartition("/")[0] for key in keys})

    def move(self, key: str, target: str) -> None:
        """Copy an object to another key, then delete the original: at every moment at least one of them exists."""
        data = self._bytes(key)
        if data is not None:
            self.put(target, data)
            self.delete([key])

    # -- compare-and-swap ---------------------------------------------------------------------------------------------

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Replace an object only if it still has `version` (None: only if it does not exist).

        S3 and memory decide by If-Match / If-None-Match. A folder has no such thing: there an exclusive lock spans the
        comparison and the write, which holds against every other process that uses this method.

        Returns:
            False when somebody else changed the object first; nothing was written then.
        """
        if self._root is not None:
            with self._locked(key):
                if self.read(key).version != version:
                    return False
                self.put(key, data)
                return True
        self.requests.add("PUT")
        mode: Any = "create" if version is None else {"e_tag": version}
        try:
            obstore.put(self._store, key, data, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            return False
        return True

    def barrier(self) -> None:
        """Return only when all that was written would survive a power cut (S3 promises that with each answer)."""
        if self._root is not None:
            os.sync()

    # -- internals ----------------------------------------------------------------------------------------------------

    def _bytes(self, key: str) -> bytes | None:
        self.requests.add("GET")
        try:
            if self._root is not None:
                return _read_file(f"{self._root}/{key}")
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        assert self._root is not None
        lock = self._root / _LOCKS / f"{zlib.crc32(key.encode()) % _LOCK_STRIPES:02d}"
        lock.parent.mkdir(exist_ok=True)
        with lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # released by close, and by the kernel if we die
            yield

    def _prune(self, folders: set[Path]) -> None:
        """Remove folders that deletes left empty, so that a folder looks like S3, which has no empty ones."""
        for folder in folders:
            current = folder
            while current != self._root:
                try:
                    current.rmdir()
                except OSError:  # not empty, or another process was faster
                    break
                current = current.parent


def _read_file(path: str) -> bytes:
    """Content of a file; most raw objects are small, and `open` would ask the kernel seven times for each."""
    handle = os.open(path, os.O_RDONLY)
    try:
        parts = [os.read(handle, _SMALL)]
        while len(parts[-1]) == (_SMALL if len(parts) == 1 else _LARGE):
            parts.append(os.read(handle, _LARGE))
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(handle)


def _walk(folder: str, prefix: str) -> Iterator[str]:
    """Keys of the finished objects in a folder and below; a folder that is gone has none."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        key = f"{prefix}/{entry.name}" if prefix else entry.name
        if entry.is_dir():
            if entry.name != _LOCKS or prefix:
                yield from _walk(entry.path, key)
        elif not _UNFINISHED.search(entry.name):
            yield key


def _digest(data: bytes) -> str:
    """Version of an object in a folder: its content.

    Inode, time and size, which stand in for an ETag there, can all be the same for another content: an inode is used
    again at once, and many file systems tick only every few milliseconds.
    """
    return hashlib.sha256(data).hexdigest()


def _open_folder(root: Path) -> _Store:
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / ".writable"
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"the lake folder {root} is not writable ({error.strerror}): set EV_LAKE_URL") from error
    return LocalStore(str(root))


def _open_remote(url: str) -> _Store:
    try:
        return S3Store.from_url(
            url, client_options={"allow_http": True, "timeout": "60s"}, retry_config={"max_retries": 5}
        )
    except Exception as error:
        raise UserError(f"EV_LAKE_URL={url!r} cannot be opened: {str(error).splitlines()[0]}") from error

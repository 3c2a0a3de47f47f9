"""The lake's objects as a pyarrow file system that counts what it reads, so that every engine of SQL is told the truth.

Only what a reader of Parquet needs: open an object, read ranges of it. One implementation for a folder, S3 and memory.
"""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from ev_platform.lake.store import ObjectStore


class ByteCount:
    """Bytes read so far; shared by the threads of one query."""

    def __init__(self) -> None:
        self._lock, self.bytes = threading.Lock(), 0

    def add(self, count: int) -> None:
        """Count a read."""
        with self._lock:
            self.bytes += count


class _Counting:
    """A file that can be read and sought, and tells how much was read."""

    closed = False

    def __init__(self, inner: Any, count: ByteCount) -> None:  # noqa: ANN401 - obstore's reader
        self._inner, self._count, self._position = inner, count, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = bytes(self._inner.read(size) if size >= 0 else self._inner.read())
        self._position += len(data)
        self._count.add(len(data))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        self._position = int(self._inner.seek(offset, whence))
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is not."""
        return False

    def close(self) -> None:
        """Let go of it."""
        self.closed = True

    def flush(self) -> None:
        """Nothing to do."""


class _Handler(pafs.FileSystemHandler):  # type: ignore[misc]
    """Whole objects, read only; anything else is refused."""

    def __init__(self, store: ObjectStore, count: ByteCount) -> None:
        self._store, self._count = store, count

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def get_type_name(self) -> str:
        return "lake"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        return [pafs.FileInfo(path, pafs.FileType.File, size=self._store.size(path)) for path in paths]

    def get_file_info_selector(self, selector: object) -> list[pafs.FileInfo]:
        raise NotImplementedError

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(_Counting(self._store.open(path), self._count), mode="r")

    def open_input_stream(self, path: str) -> pa.PythonFile:
        return self.open_input_file(path)

    def _refuse(self, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        raise PermissionError("the lake is read only here")

    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = _refuse
    move = copy_file = open_output_stream = open_append_stream = _refuse


def lake_files(store: ObjectStore) -> tuple[pafs.PyFileSystem, ByteCount]:
    """The file system of a lake, and its counter."""
    count = ByteCount()
    return pafs.PyFileSystem(_Handler(store, count)), count

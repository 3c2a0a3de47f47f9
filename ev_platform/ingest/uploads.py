"""Buffers become durable objects: a few threads, retries with jitter, and no doubt about what failed.

The store releases the interpreter lock while it works, so threads are enough. Only the thread that owns the buffer
calls `collect`; a flush is durable exactly when it was returned by it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from obstore.exceptions import NotFoundError, PermissionDeniedError, UnauthenticatedError

from ev_platform.errors import UserError
from ev_platform.ingest.buffer import Flush

THREADS = 8
ATTEMPTS = 5
FOR_EVER = 2**62
"""Attempts of the service: a lake that is down lets the lag grow, and nothing else happens."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 15.0
_HOPELESS = (PermissionDeniedError, UnauthenticatedError, NotFoundError, PermissionError, FileNotFoundError)


@contextmanager
def lake_errors(lake_url: str) -> Iterator[None]:
    """Turn whatever the store raises into one clear line that says what to do."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"the lake {lake_url} cannot be written ({reason[:200]}): check EV_LAKE_URL, permissions and free space; "
            "nothing more was committed, the messages are still in Kafka"
        ) from error


class Uploads:
    """Uploads in flight; a context manager whose end waits for what already runs."""

    def __init__(
        self,
        put: Callable[[str, bytes], None],
        lake_url: str,
        sleep: Callable[[float], object] | None = None,
        *,
        threads: int = THREADS,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._put = put
        self._lake_url = lake_url
        self._abandoned = threading.Event()
        self._sleep = sleep or self._abandoned.wait
        self._attempts = attempts
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="upload")
        self._running: dict[Future[None], Flush] = {}
        self._ended: SimpleQueue[Future[None]] = SimpleQueue()  # never a look at all that run: there may be thousands
        self.objects = 0
        self.bytes = 0
        self.retries = 0

    def __enter__(self) -> Uploads:
        """The running pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what runs, drop what has not started."""
        self._pool.shutdown(wait=not self._abandoned.is_set(), cancel_futures=True)

    def abandon(self) -> None:
        """Give up what still runs: it is not durable, and nobody waits for it any more."""
        self._abandoned.set()

    def submit(self, flush: Flush) -> None:
        """Start one upload."""
        future = self._pool.submit(self._upload, flush)
        self._running[future] = flush
        future.add_done_callback(self._ended.put)

    def collect(self, *, block: bool = False, seconds: float | None = None) -> list[Flush]:
        """Uploads that became durable since the last call.

        Args:
            block: wait until at least one more has ended, if any runs.
            seconds: but no longer than this.

        Raises:
            UserError: an object could not be stored in the attempts allowed, or never could be.
        """
        durable: list[Flush] = []
        while self._running:
            try:
                future = self._ended.get(block and not durable, seconds)
            except Empty:
                break
            flush = self._running.pop(future)
            future.result()
            durable.append(flush)
            self.objects += 1
            self.bytes += len(flush.data)
        return durable

    @property
    def running(self) -> int:
        """Uploads not collected yet."""
        return len(self._running)

    def _upload(self, flush: Flush) -> None:
        key = flush.key()
        with lake_errors(self._lake_url):
            attempt = 0
            while True:
                attempt += 1
                try:
                    self._put(key, flush.data)
                    return
                except Exception as error:
                    hopeless = isinstance(error, _HOPELESS) or self._abandoned.is_set()
                    if hopeless or attempt >= self._attempts:
                        raise
                self.retries += 1
                pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt - 1, 10), _LONGEST_PAUSE_SECONDS)
                self._sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, no secret

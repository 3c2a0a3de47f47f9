"""The token store: one file that only its owner can read, replaced as a whole, so that no crash loses a token.

Belongs here: bytes on disk and the lock. Not here: the same in AWS Secrets Manager (token_secret.py), when a token is
refreshed (oauth.py). Tokens never go to the lake.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ev_platform.errors import UserError


class TokenFile:
    """Tokens of all providers in `{state_dir}/tokens.json`, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser()
        self._file = self._folder / "tokens.json"

    def load(self, name: str) -> dict[str, Any]:
        """What was saved last; empty when nothing was.

        Raises:
            UserError: the file is unreadable, or others may read it.
        """
        found = self._all().get(name, {})
        return dict(found) if isinstance(found, dict) else {}

    def save(self, name: str, value: Mapping[str, Any]) -> None:
        """Durable when it returns: written beside, flushed, renamed, and the folder flushed too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked("write"):
            everything = {**self._all(), name: dict(value)}
            staged = self._folder / f".tokens-{os.getpid()}.tmp"
            handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                os.fchmod(file.fileno(), 0o600)  # an old file of a killed process may have another mode
                json.dump(everything, file, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(staged, self._file)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the right to refresh the tokens of one provider: one process at a time, freed by the kernel."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._locked(name):
            yield

    def _all(self) -> dict[str, Any]:
        try:
            if self._file.stat().st_mode & 0o077:
                raise UserError(f"{self._file} can be read by others: chmod 600 it, and renew its tokens")
            found = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UserError(f"{self._file} cannot be read ({type(error).__name__}): restore or remove it") from None
        return found if isinstance(found, dict) else {}

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self._folder / f".tokens-{name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

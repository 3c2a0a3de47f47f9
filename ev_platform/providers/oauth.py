"""Bearer tokens: got when needed, kept until they end, renewed once when refused. Rotating refresh tokens are safe.

Belongs here: the life of tokens. Not here: where they are kept (tokens.py), a provider's way to ask for one.

A rotating refresh token is single use: the answer brings the next one. The order is refresh → save → use. A crash
before the save leaves the last used one in the store, which the provider still accepts (Tesla: for 24 hours); a crash
after it leaves the new one. Only one process refreshes at a time; the others find its result in the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ev_platform.providers.base import Access, Answer, AuthError

SPARE_MS = 30_000
"""A token this close to its end is renewed before it is used."""

Grant = Callable[[str | None], Mapping[str, Any]]
"""Asks for tokens with a refresh token (or with nothing but credentials); gives the answer's fields."""


class Bearer:
    """The access token of one provider."""

    def __init__(self, name: str, access: Access, grant: Grant, *, seed: str | None = None, kept: bool = False) -> None:
        """Without refresh tokens when `seed` is None.

        Args:
            name: of the provider, and of its entry in the token store.
            access: what clients are given.
            grant: asks the provider.
            seed: the first refresh token, from the settings; "" where only a login can bring one.
            kept: a token got by credentials alone is worth keeping in the store (it lives for days).
        """
        self._name, self._access, self._grant = name, access, grant
        self._seed, self._kept = seed, kept
        self._memory: dict[str, Any] = {}

    def token(self, refused: str | None = None) -> str:
        """An access token that is not `refused` and not about to end.

        Raises:
            AuthError: none can be had.
        """
        held = self._held()
        if self._usable(held, refused):
            return self._access.http.secret(str(held["access_token"]))
        if self._seed is None:
            self._memory = self._renew(None)
            if self._kept:
                self._access.tokens.save(self._name, self._memory)
            return self._access.http.secret(str(self._memory["access_token"]))
        with self._access.tokens.exclusive(self._name):
            held = self._held()  # somebody else may have been faster
            if not self._usable(held, refused):
                held = self._rotate(held)
        return self._access.http.secret(str(held["access_token"]))

    def call(self, send: Callable[[str], Answer]) -> Answer:
        """Send with a token; a refused token is renewed once.

        Raises:
            AuthError: the fresh token is refused too.
        """
        token = self.token()
        answer = send(token)
        if answer.status != 401:
            return answer
        answer = send(self.token(refused=token))
        if answer.status == 401:
            raise AuthError(f"{self._name}: a fresh token is refused (HTTP 401): check the account's rights")
        return answer

    def _held(self) -> dict[str, Any]:
        if self._seed is None and (self._memory or not self._kept):
            return self._memory
        return self._access.tokens.load(self._name)

    def _usable(self, held: Mapping[str, Any], refused: str | None) -> bool:
        token, ends = held.get("access_token"), held.get("ends_ms", 0)
        return bool(token) and token != refused and self._access.clock.now_ms() + SPARE_MS < int(ends)

    def _rotate(self, held: dict[str, Any]) -> dict[str, Any]:
        seed_hash = hashlib.sha256((self._seed or "").encode()).hexdigest()
        refresh = held.get("refresh_token")
        if self._seed and held.get("seed") != seed_hash:  # the operator put a new one into the settings
            refresh = self._seed
        if not refresh:
            raise AuthError(f"{self._name}: not logged in: run `ev providers login {self._name}`")
        new = self._renew(str(refresh))
        kept = {**held, **new, "refresh_token": new.get("refresh_token") or refresh, "seed": seed_hash}
        self._access.http.secret(str(kept["refresh_token"]))
        self._access.tokens.save(self._name, kept)  # before its first use: a crash from here on loses nothing
        return kept

    def _renew(self, refresh: str | None) -> dict[str, Any]:
        if refresh:
            self._access.http.secret(refresh)
        found = self._grant(refresh)
        token, seconds = found.get("access_token"), found.get("expires_in", 300)
        if not isinstance(token, str) or not token:
            raise AuthError(f"{self._name}: the token endpoint gave no access token")
        for name in ("access_token", "refresh_token", "id_token"):
            if isinstance(found.get(name), str):
                self._access.http.secret(found[name])
        ends = self._access.clock.now_ms() + int(float(seconds) * 1000)
        kept = {name: found[name] for name in ("refresh_token", "id_token", "gcid") if found.get(name)}
        return {**kept, "access_token": token, "ends_ms": ends}

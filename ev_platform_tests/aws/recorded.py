"""Which requests a run makes of the lake: (right, key) of each, at the library that sends them."""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import obstore

from ev_platform.lake import store as store_module
from ev_platform.lake.layout import PREFIXES

RIGHTS = {
    "put": "W",
    "get": "R",
    "head": "R",
    "open_reader": "R",
    "delete": "D",
    "list": "L",
    "list_with_delimiter": "L",
}


class Recorder:
    """Stands where `ev_platform.lake.store` looks for obstore: notes the request, then makes it."""

    def __init__(self):
        self.requests = set()

    def __getattr__(self, name):
        real = getattr(obstore, name)
        if name not in RIGHTS:
            return real

        def noted(store, keys=None, *arguments, **named):
            for key in keys if isinstance(keys, list) else [keys]:
                self.requests.add((RIGHTS[name], key or ""))
            return real(store, keys, *arguments, **named)

        return noted

    @property
    def rights(self):
        """Prefix → rights that were used."""
        found = {}
        for right, key in self.requests:
            prefix = key.split("/")[0]
            assert prefix in PREFIXES, key
            found.setdefault(prefix, set()).add(right)
        return found


@contextmanager
def recorded():
    recorder = Recorder()
    with patch.object(store_module, "obstore", recorder):
        yield recorder

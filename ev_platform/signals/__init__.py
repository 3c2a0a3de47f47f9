"""The vocabulary: canonical signals (COVESA VSS), units, and how each provider's signals become them, as data files.

Belongs here: data (CSV) and the loader that checks it. Not here: cleaning itself (transform/), storage, providers'
clients. May import `errors` only.
"""

from ev_platform.signals.catalogue import (
    INVALID_WORD,
    CanonicalSignal,
    Catalogue,
    Conversion,
    ProviderSignal,
    catalogue,
    cleaned_schema,
    load_catalogue,
)

__all__ = [
    "INVALID_WORD",
    "CanonicalSignal",
    "Catalogue",
    "Conversion",
    "ProviderSignal",
    "catalogue",
    "cleaned_schema",
    "load_catalogue",
]

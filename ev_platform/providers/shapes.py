"""Provider → the function that takes its payloads apart. What compaction needs of providers, and no more."""

from __future__ import annotations

from ev_platform.providers import bmw, high_mobility, mobilisights, tesla_rest
from ev_platform.providers.leaves import Leaves

LEAVES: dict[str, Leaves] = {
    high_mobility.NAME: high_mobility.leaves,
    bmw.NAME: bmw.leaves,
    mobilisights.NAME: mobilisights.leaves,
    tesla_rest.NAME: tesla_rest.leaves,
}

"""From which fleet on a cluster pays: pure formulas over what was measured. Not here: measuring (bench_engines.py)."""

from __future__ import annotations

from dataclasses import dataclass

STARTED_AT = 0.1
"""Share of the time that an engine's start may take before it is worth speaking of."""


@dataclass(frozen=True)
class Cost:
    """What an engine costs: seconds until it works, core-seconds per vehicle-day (its calls included), its cores."""

    start_s: float
    vehicle_core_s: float
    cores: int

    @property
    def vehicle_s(self) -> float:
        """Wall seconds per vehicle-day with all cores at work."""
        return self.vehicle_core_s / self.cores

    def on(self, cores: int) -> Cost:
        """The same engine on more or fewer cores, as if the work divided evenly (whole vehicles, no shuffle)."""
        return Cost(self.start_s, self.vehicle_core_s, cores)


def faster_from(ours: Cost, other: Cost) -> float | None:
    """Vehicle-days from which `other` has finished first, its start included; None: never."""
    gained_s = ours.vehicle_s - other.vehicle_s
    return None if gained_s <= 0 else max(0.0, other.start_s - ours.start_s) / gained_s


def started_from(cost: Cost) -> float:
    """Vehicle-days from which the start is no more than `STARTED_AT` of the time."""
    return cost.start_s * (1 - STARTED_AT) / STARTED_AT / cost.vehicle_s

"""One method's answer for one vehicle and month, and the constants of evidence that all methods share.

Belongs here: the record that estimators return and pooling combines. Not here: how it was found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MIN_SUM_DELTA_SOC = 60.0
"""State of charge that the evidence must cover, percent: below it there is no number."""

PLAUSIBLE_KWH = (5.0, 300.0)
"""Capacities of road vehicles with a battery; outside it is a mistake of units or of meaning."""

SHARED_SD = 0.003
"""Error that every method has in common, relative: all of them divide by the same battery management system's SoC."""

TOO_LITTLE_EVIDENCE = "too_little_evidence"


@dataclass(frozen=True)
class Estimate:
    """Usable capacity at 25 °C by one method.

    capacity_kwh: None when the evidence is too thin; then `reasons` says so.
    own_sd_kwh: standard deviation of what is this method's own (noise, corrections, meter); independent of others.
    shared_sd_kwh: standard deviation of what all methods share (SHARED_SD).
    n: sessions used, or days for energy_remaining. sum_delta_soc: percent of SoC covered by the evidence used.
    reasons: why there is no number, or `reason:count` of the evidence left out.
    capacity_ah, sd_ah: charge capacity and its whole standard deviation, by methods that see charge.
    kwh_per_ah: mean energy per charge of the same evidence, which turns one into the other.
    offset_a, offset_sd_a, per_offset: what the current sensor reads too low, and d ln(capacity_ah)/d offset.
    soh_percent, soh_sd: by methods that see state of health itself.
    """

    method: str
    capacity_kwh: float | None = None
    own_sd_kwh: float = 0.0
    shared_sd_kwh: float = 0.0
    n: int = 0
    sum_delta_soc: float = 0.0
    reasons: tuple[str, ...] = field(default=())
    capacity_ah: float | None = None
    sd_ah: float | None = None
    kwh_per_ah: float | None = None
    offset_a: float | None = None
    offset_sd_a: float | None = None
    per_offset: float | None = None
    soh_percent: float | None = None
    soh_sd: float | None = None

    @property
    def sd_kwh(self) -> float | None:
        """One standard deviation of capacity_kwh, kWh; None without a number."""
        if self.capacity_kwh is None:
            return None
        return float((self.own_sd_kwh**2 + self.shared_sd_kwh**2) ** 0.5)


def counted(reasons: Counter[str]) -> tuple[str, ...]:
    """Reasons with their counts, `name:count`, in alphabetical order."""
    return tuple(f"{name}:{count}" for name, count in sorted(reasons.items()) if count)

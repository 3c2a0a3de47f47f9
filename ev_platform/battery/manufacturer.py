"""What the manufacturer says of the battery, kept beside what we find: capacity in kWh or Ah, state of health.

Belongs here: a month's median of it. It is published only where no estimator has anything, because nobody can say how
it was found, and many makers never let it rise or fall below a promise.
"""

from __future__ import annotations

import polars as pl

from ev_platform.battery.estimate import Estimate

METHOD = "manufacturer"
SD = 0.02
"""Standard deviation that a stated value is given, relative: its steps and its habit of not following."""


def manufacturer_values(given: pl.DataFrame) -> dict[str, Estimate]:
    """The maker's own value per vehicle that sent any; `given` as in `Evidence.given`."""
    names = ["soh_oem_percent", "battery_capacity_ah", "battery_capacity_kwh"]
    middle = given.group_by("vin").agg(pl.col(names).median(), n=pl.len()).sort("vin")
    found = {}
    for vin, soh, ah, kwh, n in middle.iter_rows():
        found[vin] = Estimate(
            METHOD,
            kwh,
            (kwh or 0.0) * SD,
            n=n,
            capacity_ah=ah,
            sd_ah=None if ah is None else ah * SD,
            soh_percent=soh,
            soh_sd=None if soh is None else soh * SD,
        )
    return found

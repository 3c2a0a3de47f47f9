# %% [markdown]
# # Cleaning: what dirt does to the numbers
#
# A fleet feed is never clean: values come twice, a car that wakes up repeats what it knew before it slept, a sensor
# sends 0 for "I don't know". This notebook takes six simulated cars with the faults that real feeds show, and asks for
# each rule: what would go wrong without it?

# %%
"""Why the cleaning rules are as they are; run it as a script or cell by cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ev_platform.eda import lab
from ev_platform.signals import catalogue

fleet = lab.simulated(seed=41, vehicles=6, days=4)
rows = fleet.rows.to_pandas()
lab.say("What cleaning did in four days of six cars", fleet.counts)

# %% [markdown]
# ## Repeats
#
# Vehicles send values again after a reconnect, under a new offset. Whoever counts messages counts them twice; whoever
# averages weights them twice. Compaction keeps every record, cleaning keeps one value per vehicle, time and signal.

# %%
counts = fleet.counts.groupby("rule")["n"].sum()
sent = sum(len(table) for table in fleet.compressed.values())
again = int(counts.get("repeat", 0))
print(f"\n{again:,} of {sent:,} values had been sent before: {100 * again / sent:.2f} %")
assert again > 0
assert not rows.duplicated(["vin", "time", "provider"]).any()

# %% [markdown]
# ## Steps that no car can make
#
# SoC and odometer carry everything that follows. A plain range check (0 to 100 %) lets through a SoC of 0 that means
# "missing", and a value from before the car slept that is repeated after it. Count the steps between consecutive SoC
# readings that are steeper than any charger or motor allows, before and after the rules.

# %%
limit = catalogue().signals["soc_percent"]


def infeasible(frame: pd.DataFrame) -> int:
    """Steps of SoC that are steeper than the catalogue's rates, plus its tolerance and one whole percent."""
    found = 0
    for _, car in frame.groupby("vin"):
        step, hours = car["soc"].diff().to_numpy()[1:], car["time"].diff().dt.total_seconds().to_numpy()[1:] / 3600
        rate = np.where(step > 0, float(limit.max_rise_per_h or 0), float(limit.max_fall_per_h or 0))
        found += int((np.abs(step) > rate * hours + limit.step_tolerance + 1).sum())
    return found


raw = pd.concat([table.to_pandas() for table in fleet.compressed.values()])
raw = raw[(raw["signal"] == "Soc") & raw["number"].between(0, 100)]
raw = raw.rename(columns={"event_time": "time", "number": "soc"}).sort_values(["vin", "time", "offset"])
clean = rows.dropna(subset=["soc_percent"]).rename(columns={"soc_percent": "soc"})
flagged = clean["quality"].map(lambda flags: "jump:soc_percent" in set(flags))
before, after = infeasible(raw), infeasible(clean)
print(f"\ninfeasible steps of SoC: {before} with a range check, {after} after the rules ({int(flagged.sum())} flagged)")
assert before > 3 * after
assert after <= flagged.sum()

# %% [markdown]
# What is left is flagged `jump`: the step is real in the data, nobody knows why, and segmentation cuts there instead of
# charging the car by magic. Nulling it would hide that something happened.
#
# ## Why not simply drop outliers
#
# "Drop what lies more than three standard deviations from the mean" is the first thing everybody tries. On pack current
# it throws away exactly the fast charges, which lie far from the mean and are true.

# %%
current = rows.dropna(subset=["pack_current_a"])
far = (current["pack_current_a"] - current["pack_current_a"].mean()).abs() > 3 * current["pack_current_a"].std()
charges = fleet.truth.charges.to_pandas()
fast = charges[charges["charge_type"] == "dc"]
inside = pd.Series(False, index=current.index)
for charge in fast.itertuples():
    inside |= (current["vin"] == charge.vin) & current["time"].between(charge.start, charge.end)
lost = 100 * (far & inside).sum() / max(int(far.sum()), 1)
print(f"\n3-sigma would drop {int(far.sum())} currents; {lost:.0f} % of them lie in true DC charges")
assert far.sum() > 0
assert lost > 25

# %% [markdown]
# ## Holding values
#
# Signals are sent when they change. Between two messages a value must be held, but for how long? The catalogue says for
# each signal how old a value may be, parked and driving, and an `invalid` from the provider ends a fill at once. Held
# for ever, the last current before a hole in the data goes on flowing through it.

# %%
bounds = [
    {"signal": name, "parked_s": signal.fill_parked_s, "driving_s": signal.fill_driving_s}
    for name, signal in catalogue().signals.items()
    if name in ("soc_percent", "speed_kmh", "pack_voltage_v", "pack_current_a", "outside_temp_c")
]
lab.say("How old a value may be", pd.DataFrame(bounds))
flow = rows.dropna(subset=["pack_current_a", "pack_voltage_v"]).sort_values(["vin", "time"])
gap_s = -flow.groupby("vin")["time"].diff(-1).dt.total_seconds()
too_old = gap_s > catalogue().signals["pack_current_a"].fill_driving_s
phantom_kwh = (flow["pack_voltage_v"] * flow["pack_current_a"] / 1000 * gap_s / 3600)[too_old].abs().sum()
real_kwh = fleet.truth.trips.to_pandas()["energy_kwh"].abs().sum() + charges["energy_kwh"].sum()
print(f"\nheld for ever, holes would carry {phantom_kwh:.0f} kWh; all trips and charges together {real_kwh:.0f} kWh")
assert phantom_kwh > 0.02 * real_kwh

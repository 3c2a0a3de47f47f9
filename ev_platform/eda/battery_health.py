# %% [markdown]
# # Battery health: which evidence to trust
#
# Nobody can measure a battery's capacity by looking at it. A feed gives charges, currents, and what the car says of
# itself; each is wrong in its own way. This notebook takes one simulated month with faults, where the truth is known,
# and asks what a single charge can tell, what many can, and how sure the published number is.

# %%
"""Why the estimators of battery health are as they are; run it as a script or cell by cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ev_platform.battery.health import battery_health
from ev_platform.eda import lab

MONTH = f"{lab.FIRST_DAY:%Y-%m}"
fleet = lab.simulated(seed=29, vehicles=8, days=24)
truth = fleet.truth.health.to_pandas().groupby("vin")["usable_kwh"].mean()
lab.say("True usable energy", truth.round(2).reset_index())

# %% [markdown]
# ## One charge
#
# The school formula: capacity = energy charged / change of SoC. Most feeds give SoC in whole percents (here they are
# rounded on purpose), so the smaller the change, the larger the error of the quotient: a charge of 5 % says next to
# nothing.

# %%
charges = fleet.sessions[(fleet.sessions["kind"] == "charge") & (fleet.sessions["energy_method"] == "counter")].copy()
charges = charges[charges["reasons"].map(len) == 0]
charges["delta_soc"] = charges["soc_end"].round() - charges["soc_start"].round()
charges = charges[charges["delta_soc"] > 2]
charges["estimate_kwh"] = 100 * charges["energy_kwh"] / charges["delta_soc"]
charges["error_percent"] = 100 * (charges["estimate_kwh"] / charges["vin"].map(truth) - 1)
charges["change_of_soc"] = np.select(
    [charges["delta_soc"] < 15, charges["delta_soc"] < 35], ["2–15 %", "15–35 %"], "35 % and more"
)
spread = charges.groupby("change_of_soc")["error_percent"].agg(["size", "mean", "std"]).reset_index()
lab.say("Error of capacity from single charges, percent", spread)
by_size = spread.set_index("change_of_soc")["std"]
assert by_size["2–15 %"] > 1.5 * by_size["35 % and more"]

# %% [markdown]
# ## Many charges
#
# Throwing small charges away ("at least 40 %") leaves some cars without any number. Weighting each charge by the square
# of its ΔSoC uses all of them, and lets a small one say as little as it knows.

# %%
large = charges[charges["delta_soc"] >= 40].groupby("vin")["estimate_kwh"].mean()
plain = charges.groupby("vin")["estimate_kwh"].mean()
weight = charges["delta_soc"] ** 2
weighted = (charges["estimate_kwh"] * weight).groupby(charges["vin"]).sum() / weight.groupby(charges["vin"]).sum()
errors = {
    "mean of all": 100 * (plain / truth - 1).abs(),
    "mean of 40 % and more": 100 * (large / truth - 1).abs(),
    "weighted by ΔSoC²": 100 * (weighted / truth - 1).abs(),
}
print("\nMean error per car, percent (cars without a number)")
for name, error in errors.items():
    print(f"  {name:24} {error.mean():5.2f}   ({int(error.isna().sum())})")
assert errors["weighted by ΔSoC²"].isna().sum() <= errors["mean of 40 % and more"].isna().sum()
assert errors["weighted by ΔSoC²"].mean() < errors["mean of all"].mean()

# %% [markdown]
# ## All the evidence, and how sure it is
#
# The platform pools every method that has evidence, each with its own error, and publishes value ± standard deviation.
# An interval is honest if the truth lies in it as often as it says. `reasons` say why a method has no number.

# %%
health = battery_health(fleet.rows, fleet.sessions_table, fleet.truth.vehicles, MONTH).to_pandas()
known = health.dropna(subset=["capacity_kwh"]).copy()
new_kwh = known["vin"].map(fleet.truth.vehicles.to_pandas().set_index("vin")["usable_new_kwh"])
known["sd_kwh"] = known["soh_sd"] / 100 * new_kwh
known["error_percent"] = 100 * (known["capacity_kwh"] / known["vin"].map(truth) - 1)
known["inside"] = (known["capacity_kwh"] - known["vin"].map(truth)).abs() <= 2 * known["sd_kwh"]
table = known.groupby("method").agg(
    cars=("vin", "size"),
    mean_error=("error_percent", lambda e: e.abs().mean()),
    claimed_sd=("soh_sd", "mean"),
    inside_2_sd=("inside", "mean"),
)
lab.say("Methods against the truth (errors and sd in percent)", table.round(2).reset_index())
pooled = known[known["method"] == "pooled"]
assert pooled["error_percent"].abs().mean() <= 2.0
assert pooled["inside"].mean() >= 0.85
assert len(pooled) >= 7

# %% [markdown]
# ## When there is no number
#
# Thin evidence gives no number but a reason. A month of two short charges is not a measurement.

# %%
two_days = list(fleet.cleaned.values())[:2]
early = [start.date() <= lab.FIRST_DAY for start in fleet.sessions_table["start"].to_pylist()]
few = fleet.sessions_table.filter(pa.array(early))

thin = battery_health(pa.concat_tables([day.table for day in two_days]), few, fleet.truth.vehicles, MONTH).to_pandas()
columns = ["vin", "method", "capacity_kwh", "soh_sd", "n_sessions", "reasons"]
lab.say("After two days: pooled", thin[thin["method"] == "pooled"][columns])
wider = thin[thin["method"] == "pooled"].set_index("vin")["soh_sd"] / pooled.set_index("vin")["soh_sd"]
assert (wider.dropna() > 1).all()
assert thin[thin["capacity_kwh"].isna()]["reasons"].map(len).gt(0).all()

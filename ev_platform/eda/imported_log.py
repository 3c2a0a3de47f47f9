# %% [markdown]
# # A log of your own: from a CSV file to battery health
#
# Years of history often lie in CSV files of a logger. `ev import` puts them into the same raw zone as live messages, so
# that everything after it is the same. Here a file is written (a simulated car, as a logger would), imported by the
# ready mapping `generic`, taken through the engine's own tasks in a lake in memory, and compared with the truth.

# %%
"""How a file of history becomes battery health; run it as a script or cell by cell."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ev_platform.eda import lab
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.health import health_month
from ev_platform.engine.sessions import stitch_days
from ev_platform.ingest.import_mapping import load_mapping
from ev_platform.ingest.importer import import_files
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import Settings

fleet = lab.simulated(seed=73, vehicles=1, days=10, faults=False)
columns = ["vin", "time", "soc_percent", "odometer_km", "speed_kmh", "pack_voltage_v", "pack_current_a"]
log = fleet.rows.to_pandas()[columns]
folder = Path(tempfile.mkdtemp())
log.to_csv(folder / "log.csv", index=False)
lab.say(f"The file: {len(log):,} rows", log, 4)

# %% [markdown]
# ## Import
#
# A row that cannot be read becomes a dead letter with its reason and line; importing the same file twice changes
# nothing.

# %%
settings = Settings(_env_file=None, lake_url="memory://imported", workers=1, start_day=lab.FIRST_DAY)
store = ObjectStore("memory://imported")
store.put("ref/vehicles/part-0000.parquet", to_parquet(fleet.truth.vehicles))
mapping, now = load_mapping("generic"), datetime(2026, 4, 1, tzinfo=UTC)
with (folder / "log.csv").open("a") as file:
    file.write(f"{log['vin'].iloc[0]},yesterday at noon,50,,,,\n")
first = import_files(settings, store, [folder / "log.csv"], mapping, now)
again = import_files(settings, store, [folder / "log.csv"], mapping, now)
print(
    f"\nread {first.rows:,}, new {first.stored:,}, dead letters {dict(first.dead_letters)}; again: new {again.stored}"
)
assert first.stored + sum(first.dead_letters.values()) == first.rows
assert sum(first.dead_letters.values()) == 1
assert again.stored == 0

# %% [markdown]
# ## The same tasks as for live data

# %%
days = sorted(fleet.cleaned)
for day in days:
    compact_day(settings, store, day)
    clean_day(settings, store, day)
    segment_day(settings, store, day)
stitch_days(settings, store, days)
keys = [key for key in store.keys("results/sessions") if key.endswith(".parquet")]
sessions = pd.concat([from_parquet(store.get(key)).to_pandas() for key in keys], ignore_index=True)
found = sessions[sessions["kind"] != "idle"]
shown = ["kind", "start", "end", "soc_start", "soc_end", "distance_km", "energy_kwh", "energy_method"]
lab.say("Sessions", found[shown], 8)
trips = fleet.truth.trips.to_pandas()
score = lab.f1(found[found["kind"] == "drive"].reset_index(drop=True), trips[trips["observed"]].reset_index(drop=True))
print(f"\ntrips: F1 {score:.3f} against the truth")
assert score >= 0.95

# %% [markdown]
# A logger's file has no counter of charged energy: energy comes from volts times amperes, and says so.

# %%
health = health_month(settings, store, f"{lab.FIRST_DAY:%Y-%m}").to_pandas()
lab.say("Battery health", health[["method", "capacity_kwh", "soh_percent", "soh_sd", "n_sessions", "reasons"]])
true_kwh = fleet.truth.health["usable_kwh"][0].as_py()
pooled = health[health["method"] == "pooled"].iloc[0]
print(f"\ntrue {true_kwh:.1f} kWh, found {pooled['capacity_kwh']:.1f} ± {pooled['soh_sd']:.1f} %")
assert set(found["energy_method"]) <= {"power_integral", "soc_capacity", "none"}
assert abs(pooled["capacity_kwh"] / true_kwh - 1) < 0.04

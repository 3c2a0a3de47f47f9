# %% [markdown]
# # Segments: charges and drives, and what polling does to them
#
# A session is what people pay for: "it charged 31 kWh last night". This notebook cuts the same fleet's days by the
# platform's rules and by the simplest rule there is (SoC rises: charge, SoC falls: drive), and compares both with what
# truly happened, while values come every few seconds, every minute, every five minutes.

# %%
"""Why segmentation is as it is; run it as a script or cell by cell."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from ev_platform.eda import lab
from ev_platform.simulate.fields import Intervals

DAYS = 4


def simple(rows: pd.DataFrame) -> pd.DataFrame:
    """SoC rises: charge; SoC falls: drive. Runs of one direction, 0.5 % and more; 45 minutes of silence split."""
    found = []
    for vin, car in rows.dropna(subset=["soc_percent"]).groupby("vin"):
        soc, time = car["soc_percent"], car["time"]
        step = soc.diff()
        direction = (step.gt(0).astype(int) - step.lt(0).astype(int)).replace(0, pd.NA).ffill().fillna(0)
        run = (direction.ne(direction.shift()) | time.diff().gt(pd.Timedelta(minutes=45))).cumsum()
        for _, part in car.groupby(run):
            change = part["soc_percent"].iloc[-1] - part["soc_percent"].iloc[0]
            if abs(change) > 0.5:
                kind = "charge" if change > 0 else "drive"
                found.append((vin, kind, part["time"].iloc[0], part["time"].iloc[-1]))
    return pd.DataFrame(found, columns=["vin", "kind", "start", "end"])


def until_the_end(truth: pa.Table) -> pd.DataFrame:
    """True sessions, cut where our data end."""
    frame = truth.to_pandas()
    end = pd.Timestamp(lab.FIRST_DAY, tz="UTC") + pd.Timedelta(days=DAYS)
    return frame[frame["start"] < end].assign(end=frame["end"].clip(upper=end))


def scores(fleet: lab.Fleet) -> dict[str, float]:
    """F1 of trips and charges, ours and the simple rule's, against the truth that could be observed."""
    truth = {"drive": until_the_end(fleet.truth.trips), "charge": until_the_end(fleet.truth.charges)}
    plain = simple(fleet.rows.to_pandas())
    result = {}
    for kind, true in truth.items():
        seen = true[true["observed"]].reset_index(drop=True)
        ours = fleet.sessions[fleet.sessions["kind"] == kind].reset_index(drop=True)
        result[f"{kind}s, ours"] = round(lab.f1(ours, seen), 3)
        result[f"{kind}s, simple"] = round(lab.f1(plain[plain["kind"] == kind].reset_index(drop=True), seen), 3)
    return result


# %% [markdown]
# ## With every message
#
# The simulator's faults are on: repeats, stale heads, missing stretches, an offset of the current sensor.

# %%
fleet = lab.simulated(seed=57, vehicles=6, days=DAYS)
table = {"every few seconds": scores(fleet)}
true = until_the_end(fleet.truth.charges)
lab.say(
    "What truly happened: charges",
    true[["vin", "start", "end", "soc_start", "soc_end", "energy_kwh", "charge_type"]],
    6,
)
ours = fleet.sessions[fleet.sessions["kind"] == "charge"]
columns = ["vin", "start", "end", "soc_start", "soc_end", "energy_kwh", "energy_method", "confidence"]
lab.say("What was found", ours[columns], 6)
assert table["every few seconds"]["charges, ours"] >= 0.95
assert table["every few seconds"]["drives, ours"] >= 0.95

# %% [markdown]
# ## Why direction of SoC is not enough
#
# A car that recuperates down a hill gains SoC; a car that stands in the cold loses some; a BMS that recalibrates moves
# SoC without any energy. The simple rule takes each for a session, and cuts a drive in two where SoC rose for a moment.

# %%
plain = simple(fleet.rows.to_pandas())
kinds = pd.DataFrame(
    {
        "true": [len(fleet.truth.trips), len(true)],
        "ours": [int((fleet.sessions["kind"] == kind).sum()) for kind in ("drive", "charge")],
        "simple": [int((plain["kind"] == kind).sum()) for kind in ("drive", "charge")],
    },
    index=pd.Index(["drives", "charges"], name="kind"),
)
lab.say("Sessions", kinds.reset_index())
assert abs(kinds.loc["drives", "ours"] - kinds.loc["drives", "true"]) <= 2
assert kinds.loc["drives", "simple"] > 1.3 * kinds.loc["drives", "true"]

# %% [markdown]
# ## When a provider polls
#
# Most manufacturers' APIs give a value every minute at best, many every five. The rules must not depend on the rate:
# states are held as long as the feed is in contact, and what was missed is inferred from both ends of the gap and said
# so (`inferred`, `begin_not_seen`).

# %%
for name, seconds in (("every 60 s", 60), ("every 300 s", 300)):
    table[name] = scores(lab.simulated(seed=57, vehicles=6, days=DAYS, intervals=Intervals(seconds, seconds, seconds)))
lab.say("F1 against the truth", pd.DataFrame(table).T.rename_axis("values come").reset_index())
assert table["every 60 s"]["charges, ours"] >= 0.95
assert table["every 60 s"]["drives, ours"] >= 0.95
assert table["every 300 s"]["drives, ours"] >= 0.85
assert table["every 300 s"]["charges, ours"] >= 0.85
assert all(row["drives, ours"] > row["drives, simple"] for row in table.values())

# %% [markdown]
# ## Energy, and how it was found
#
# The battery-side counter of a charge is best; where there is none, volts times amperes where they are sampled often
# enough; else SoC times capacity. The method is written beside every figure, because their errors differ.

# %%
pairs = lab.matched(ours.reset_index(drop=True), true)
both = ours.reset_index(drop=True).loc[pairs["found"]].reset_index(drop=True)
both["true_kwh"] = true.loc[pairs["true"], "energy_kwh"].to_numpy()
both = both[both["reasons"].map(len) == 0]  # begin and end were seen
both["error_percent"] = 100 * (both["energy_kwh"] / both["true_kwh"] - 1).abs()
errors = both.groupby("energy_method", as_index=False).agg(
    n=("error_percent", "size"), mean_error=("error_percent", "mean")
)
lab.say("Error of a charge's energy, percent", errors)
assert both["error_percent"].mean() < 5

"""Beside the simple baseline: what the rules of this room gain on the simulator's hidden faults, at several rates.

The seed is the one of test_simulated.py: no threshold was chosen on it. Printed with `pytest -s`.
"""

import pandas as pd
import pyarrow as pa
import pytest

from ev_platform_tests.transform.earlier_rules import phases
from ev_platform_tests.transform.test_polled import MEASURES, WORDS, found, polled
from ev_platform_tests.transform.test_simulated import charges, drives, f1, inside_window, matched, result


def earlier(period_s: int | None, columns=MEASURES) -> tuple[list[dict], list[dict]]:
    """Drives and charges by the earlier rules, of the sizes that count."""
    _, cleaned, truth = result()
    tables = [
        day.table if period_s is None else polled(day.table, period_s, columns, seed)
        for seed, day in enumerate(cleaned.values())
    ]
    rows = pa.concat_tables([table.select(["vin", "time", "soc_percent"]) for table in tables]).to_pandas()
    usable = dict(zip(truth.vehicles["vin"].to_pylist(), truth.vehicles["usable_new_kwh"].to_pylist(), strict=True))
    rows = [row for row in phases(rows, usable) if inside_window(row)]
    big = [row for row in rows if row["kind"] == "charge" and row["soc_end"] - row["soc_start"] >= 3]
    return [row for row in rows if row["kind"] == "drive"], big


def trip_energy_mape(pairs) -> float:
    return sum(abs(ours["energy_kwh"] / -true["energy_kwh"] - 1) for true, ours in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("period_s", "trips_floor", "charges_floor"), [(None, 0.95, 0.95), (60, 0.95, 0.95), (300, 0.85, 0.85)]
)
def test_better_than_the_earlier_rules(period_s, trips_floor, charges_floor):
    if period_s is None:
        (true_drives, our_drives), (true_charges, our_charges) = drives(), charges()
        our_charges = [row for row in our_charges if not row["inferred"]]
    else:
        true_drives, true_charges = drives()[0], charges()[0]
        our_drives, our_charges = found(period_s, MEASURES + WORDS)
    their_drives, their_charges = earlier(period_s)
    scores = {
        "drives": (f1(true_drives, our_drives), f1(true_drives, their_drives)),
        "charges": (f1(true_charges, our_charges), f1(true_charges, their_charges)),
    }
    print(f"\nF1 at {period_s or 'full'} s, ours / earlier rules: {scores}")
    assert scores["drives"][0] >= trips_floor
    assert scores["charges"][0] >= charges_floor
    assert scores["drives"][0] >= scores["drives"][1] + 0.2
    assert scores["charges"][0] >= scores["charges"][1]


def test_trip_energy_is_better_than_soc_times_capacity():
    ours, _, _ = matched(*drives())
    theirs, _, _ = matched(drives()[0], earlier(None)[0])
    by_stream, by_soc = trip_energy_mape(ours), trip_energy_mape(theirs)
    print(f"\ntrip energy MAPE, ours / earlier rules: {by_stream:.3f} / {by_soc:.3f}")
    assert by_stream <= 0.05
    assert by_stream < by_soc


def test_the_baseline_finds_what_it_should():
    """A plain fall and a plain rise, an hour each: the baseline is no straw man."""
    time = pd.date_range("2026-11-03 08:00", periods=121, freq="60s", tz="UTC")
    soc = [80 - i / 3 if i <= 60 else 60 + (i - 60) / 3 for i in range(121)]
    rows = phases(pd.DataFrame({"vin": "A", "time": time, "soc_percent": soc}), {"A": 50.0})
    assert [(row["kind"], round(row["energy_kwh"], 1)) for row in rows] == [("drive", -10.0), ("charge", 10.0)]

"""Feeds that are asked every minute or every five: whole-number SoC, odometer, speed; with or without state words.

Made from the simulated cleaned rows: at each poll the values that hold then, as long as the car is awake.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ev_platform.signals import cleaned_schema
from ev_platform.transform.segment import segment
from ev_platform.transform.stitch import stitch
from ev_platform_tests.transform.test_simulated import charges, drives, f1, inside_window, matched, result

AWAKE_US = 150_000_000
MEASURES = ("soc_percent", "odometer_km", "speed_kmh")
WORDS = ("charge_state", "gear")


def polled(cleaned: pa.Table, period_s: int, columns: tuple[str, ...], seed: int) -> pa.Table:
    """Rows every `period_s` seconds while the vehicle has sent something within the last 150 s."""
    noise = np.random.default_rng(seed)
    parts = []
    for vin, rows in cleaned.to_pandas().groupby("vin"):
        time = rows["time"].astype("datetime64[us, UTC]").astype("int64").to_numpy()
        first = time[0] // 86_400_000_000 * 86_400_000_000 + int(noise.integers(0, period_s)) * 1_000_000
        polls = np.arange(first, time[-1] + AWAKE_US, period_s * 1_000_000)
        row = np.searchsorted(time, polls, side="right") - 1
        answers = (row >= 0) & (polls - time[row] <= AWAKE_US)
        part = pd.DataFrame({"vin": vin, "time": pd.to_datetime(polls[answers], unit="us", utc=True)})
        for name in columns:
            values = rows[name]
            if name == "speed_kmh":
                values = values.mask(rows["quality"].map(lambda flags: "invalid:speed_kmh" in flags), 0.0)
            held = values.ffill().to_numpy()[row[answers]]
            part[name] = np.round(held.astype(float)) if name == "soc_percent" else held
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame["provider"], frame["quality"] = "tesla", [[] for _ in range(len(frame))]
    arrays = [
        pa.array(frame[f.name].tolist() if f.name == "quality" else frame[f.name], f.type, from_pandas=True)
        if f.name in frame
        else pa.nulls(len(frame), f.type)
        for f in cleaned_schema()
    ]
    return pa.table(arrays, schema=cleaned_schema())


def found(period_s, columns):
    """Sessions seen through the polls, of the sizes that count."""
    _, cleaned, truth = result()
    parts = [
        segment(polled(day.table, period_s, columns, seed), name, truth.vehicles)
        for seed, (name, day) in enumerate(cleaned.items())
    ]
    rows = [row for row in stitch(pa.concat_tables(parts), truth.vehicles).to_pylist() if inside_window(row)]
    trips = [row for row in rows if row["kind"] == "drive" and (row["distance_km"] or 0) >= 1]
    fills = [row for row in rows if row["kind"] == "charge" and not row["inferred"]]
    return trips, [row for row in fills if row["soc_end"] - row["soc_start"] >= 3]


@pytest.mark.parametrize(("period_s", "floor"), [(60, 0.95), (300, 0.85)])
@pytest.mark.parametrize("columns", [MEASURES + WORDS, MEASURES, MEASURES[:2]], ids=["words", "speed", "odometer"])
def test_trips_and_charges_are_found(period_s, floor, columns):
    trips, fills = found(period_s, columns)
    assert f1(drives()[0], trips) >= floor
    assert f1(charges()[0], fills) >= floor


def test_begin_of_a_trip_at_one_minute():
    trips, _ = found(60, MEASURES)
    pairs, _, _ = matched(drives()[0], trips)
    errors = [abs((ours["start"] - true["start"]).total_seconds()) for true, ours in pairs]
    assert float(np.median(errors)) <= 60

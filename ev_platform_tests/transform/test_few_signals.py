"""Logs as they are outside of Tesla's stream: few signals, whole numbers, rows only while the car is on, faults.

Floors, not the figures reached; `reduced.lived` knows what happened. A charge must never be invented, by any view.
"""

import itertools
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ev_platform.lake.schemas import VEHICLES
from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform_tests.transform.fleet import DAY, INVALID, SECOND, Life, Message, compressed, vehicles
from ev_platform_tests.transform.reduced import found, lived, score, seen

SOC, KM, SPEED, VOLT, AMP = "Soc", "Odometer", "VehicleSpeed", "PackVoltage", "PackCurrent"
WHOLE = {"soc_step": 1, "km_step": 1}
TAXI, PHONE, CHARGER = (SOC, VOLT, AMP, KM), (SOC, VOLT, AMP, KM, SPEED), (SOC, VOLT, AMP)

VIEWS = {
    "taxi at 10 s": (TAXI, 10, WHOLE, 1.0, 1.0),
    "taxi at 30 s": (TAXI, 30, WHOLE, 1.0, 1.0),
    "taxi, rows only when on": (TAXI, 10, WHOLE | {"only_on": True}, 1.0, 0.85),
    "taxi, discharge counted positive": (TAXI, 10, WHOLE | {"sign": -1}, 1.0, 1.0),
    "voltage, current, SoC at 60 s, discharge positive": (CHARGER, 60, {"sign": -1}, 0.6, 1.0),
    "phone logger": (PHONE, 5, {"jitter": True, "offset_a": -1.3}, 1.0, 1.0),
    "phone logger, rows only when on": (PHONE, 5, {"jitter": True, "only_on": True}, 1.0, 1.0),
    "voltage, current, SoC at 10 s": (CHARGER, 10, {}, 0.9, 1.0),
    "voltage, current, SoC at 30 s": (CHARGER, 30, {"soc_step": 1}, 0.75, 1.0),
    "voltage, current, SoC at 60 s": (CHARGER, 60, {}, 0.6, 1.0),
    "voltage and current": ((VOLT, AMP), 10, {}, 0.9, 1.0),
    "SoC and speed at 60 s": ((SOC, SPEED), 60, {"soc_step": 1}, 0.95, 0.95),
    "SoC and speed at 300 s": ((SOC, SPEED), 300, {"soc_step": 1}, 0.55, 0.8),
    "SoC and odometer at 60 s": ((SOC, KM), 60, WHOLE, 0.95, 0.95),
    "SoC and odometer at 300 s, awake or not": ((SOC, KM), 300, WHOLE | {"sleeps": False}, 0.9, 0.8),
    "SoC at 60 s": ((SOC,), 60, {"soc_step": 1}, 0.85, 0.95),
    "SoC at 300 s": ((SOC,), 300, {"soc_step": 1, "sleeps": False}, 0.5, 0.8),
    "odometer": ((KM,), 60, WHOLE, 0.95, None),
}


@pytest.mark.parametrize("name", VIEWS)
def test_drives_and_charges_are_found(name):
    signals, period, how, drives, charges = VIEWS[name]
    scores = []
    for seed in (11, 12, 13):
        rows = found(seen(lived(seed), signals, period, seed=seed, **how))
        scores.append((score(lived(seed), rows, "drive"), score(lived(seed), rows, "charge")))
        invented = [row for row in rows if row["kind"] == "charge"]
        assert len(invented) <= 2
    drive, charge = np.mean(scores, axis=0)
    assert drive >= drives
    assert charge >= charges if charges is not None else charge == 0


def test_weak_evidence_is_named():
    by_power = found(seen(lived(11), CHARGER, 10))
    assert all("power_only" in row["reasons"] for row in by_power if row["kind"] == "drive")
    by_soc = found(seen(lived(11), (SOC,), 60))
    assert all("soc_fall_only" in row["reasons"] for row in by_soc if row["kind"] == "drive")
    assert all(row["confidence"] < 0.7 for row in by_soc if row["kind"] == "drive")
    assert not any("only" in text for row in found(seen(lived(11), PHONE, 10)) for text in row["reasons"])


def test_a_reversed_current_gives_the_same_sessions_and_is_counted():
    straight, turned = (seen(lived(12), TAXI, 10, sign=sign) for sign in (1, -1))
    assert found(turned) == found(straight)
    counts = clean(compressed([turned], DAY), vehicles([turned])).counts.to_pylist()
    n = sum(AMP in message.data for message in turned.messages)
    assert {"vin": turned.vin, "rule": "reversed", "signal": "pack_current_a", "n": n} in counts
    assert "reversed" not in clean(compressed([straight], DAY), vehicles([straight])).counts["rule"].to_pylist()


@pytest.mark.parametrize("kw", [1.5, 3.0, 6.0])
def test_a_heater_is_no_drive(kw):
    """Parked with the heater on and off in turn, nothing but voltage, current and SoC known."""
    messages, soc = [], 80.0
    for i in range(360):
        now = kw if i // 20 % 2 else 0.3
        soc -= now / 360 / 40 * 100
        data = {SOC: round(soc, 1), VOLT: 360.0, AMP: round(-now * 1000 / 360, 1)}
        messages.append(Message(1_793_700_000 * SECOND + i * 10 * SECOND, data, offset=i))
    life = Life("EVPTEST0000000001", messages=messages)
    day = segment(clean(compressed([life]), VEHICLES.empty_table()).table, "2026-11-03", VEHICLES.empty_table())
    kinds = set(day["kind"].to_pylist())
    assert kinds == {"idle"}


def broken(life: Life, noise: random.Random) -> Life:
    """Everything that goes wrong with a logger, at once."""
    messages = [Message(m.time, dict(m.data), m.offset) for m in life.messages]
    at = noise.randrange(len(messages))
    del messages[at : at + noise.randrange(1, 400)]  # a gap
    for message in noise.sample(messages, len(messages) // 20):
        name = noise.choice(sorted(message.data))
        message.data[name] = noise.choice([INVALID, "NaN", 0.0, 1e9, -1e9, "n/a", float("nan"), float("inf"), 1023.0])
    for message in noise.sample(messages, len(messages) // 50):  # the clock jumps, there and back
        message.time += noise.choice([-7200, -3600, -61, 61, 3600, 7200]) * SECOND
    column = noise.choice([*messages[0].data, None])
    for message in messages:
        if column is not None and len(message.data) > 1 and noise.random() < 0.9:
            message.data.pop(column, None)  # a signal that hardly ever comes
    return Life(life.vin, usable_kwh=life.usable_kwh, messages=messages)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(VIEWS)), seed=st.integers(0, 2**32))
def test_faults_never_crash_and_sessions_still_tile_the_time(name, seed):
    signals, period, how, _, _ = VIEWS[name]
    life = broken(seen(lived(11), signals, max(period, 30), **how), random.Random(seed))
    rows = found(life, registry=None if seed % 2 else VEHICLES.empty_table())
    assert all(a["end"] == b["start"] for a, b in itertools.pairwise(rows))
    for row in rows:
        assert row["end"] >= row["start"]
        assert row["soc_start"] is None or 0 <= row["soc_start"] <= 100
        assert row["distance_km"] is None or 0 <= row["distance_km"] < 2_000_000
        assert row["energy_kwh"] is None or abs(row["energy_kwh"]) < 500
        if row["kind"] == "charge" and row["soc_end"] is not None and not row["inferred"]:
            assert row["soc_end"] - row["soc_start"] > -1


def test_a_dead_column_changes_nothing():
    """NaN all day is the same as not sent."""
    whole = seen(lived(13), TAXI, 30, **WHOLE)
    nothing = {SPEED: "NaN", "Gear": "", "OutsideTemp": INVALID}
    dead = [Message(m.time, m.data | nothing, m.offset) for m in whole.messages]
    rows = found(Life(whole.vin, usable_kwh=whole.usable_kwh, messages=dead))
    assert rows == found(whole)


@pytest.mark.parametrize("hours", [-11, -3, 5.5, 8, 12.75])
def test_a_logger_in_another_time_zone(hours):
    """Midnight UTC falls into the day: the same sessions, cut and stitched elsewhere."""
    whole = seen(lived(12), PHONE, 15)
    moved = [Message(m.time + round(hours * 3600) * SECOND, m.data, m.offset) for m in whole.messages]
    rows = found(Life(whole.vin, usable_kwh=whole.usable_kwh, messages=moved))
    wanted = found(whole)
    assert [row["kind"] for row in rows if row["kind"] != "idle"] == [r["kind"] for r in wanted if r["kind"] != "idle"]
    for ours, theirs in zip(*([r for r in x if r["kind"] != "idle"] for x in (rows, wanted)), strict=True):
        assert (ours["start"] - theirs["start"]).total_seconds() == pytest.approx(hours * 3600, abs=31)
        assert ours["energy_kwh"] == pytest.approx(theirs["energy_kwh"], abs=0.3)

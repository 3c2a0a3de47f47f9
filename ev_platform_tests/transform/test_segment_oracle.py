"""The product's segmentation equals the plain per-vehicle oracle: pieces, SoC, odometer, energy, method."""

import pytest

from ev_platform.transform.clean import clean
from ev_platform.transform.segment import segment
from ev_platform_tests.transform import oracle_segment
from ev_platform_tests.transform.faults import damage
from ev_platform_tests.transform.fleet import DAY, HOUR, commuter, compressed, shifted, vehicles
from ev_platform_tests.transform.reduced import lived, seen
from ev_platform_tests.transform.simulated import simulated_day

EXACT = ("vin", "kind", "asleep", "start", "energy_method")
CLOSE = (
    ("soc_start", "soc_start"),
    ("soc_end", "soc_end"),
    ("odometer_start_km", "odometer_start"),
    ("odometer_end_km", "odometer_end"),
    ("distance_km", "distance_km"),
    ("energy_kwh", "energy_kwh"),
)


def assert_equal(found, wanted):
    assert [[row[name] for name in EXACT] for row in found] == [[row[name] for name in EXACT] for row in wanted]
    assert [row["end"] for row in found] == [row["end_time"] for row in wanted]
    for ours, theirs in CLOSE:
        left, right = [row[ours] for row in found], [row[theirs] for row in wanted]
        assert [x is None for x in left] == [x is None for x in right], ours
        left, right = [x or 0.0 for x in left], [x or 0.0 for x in right]
        assert left == pytest.approx(right, rel=1e-9, abs=1e-9), ours


def both(table, day, registry):
    cleaned = clean(table, registry).table
    usable = dict(zip(registry["vin"].to_pylist(), registry["usable_new_kwh"].to_pylist(), strict=True))
    return segment(cleaned, day, registry).to_pylist(), oracle_segment.segment(cleaned.to_pylist(), day, usable)


@pytest.mark.parametrize(("seed", "rate", "hours"), [(1, 0.0, 0.0), (2, 0.02, 0.0), (3, 0.2, 5.75), (4, 0.05, 17.25)])
def test_equals_the_oracle(seed, rate, hours):
    lives = [damage(commuter(i, days=2, seed=seed, period_s=60), seed, rate) for i in range(3)]
    lives = [shifted(life, int(hours * HOUR)) for life in lives]
    for day in (DAY, "2026-11-04"):
        found, wanted = both(compressed(lives, day), day, vehicles(lives[:2]))
        assert_equal(found, wanted)
        assert {row["kind"] for row in found} >= {"drive", "idle"}


@pytest.mark.parametrize(
    ("signals", "period", "how"),
    [
        (("Soc", "PackVoltage", "PackCurrent"), 30, {}),
        (("Soc", "PackVoltage", "PackCurrent"), 60, {"sign": -1}),
        (("PackVoltage", "PackCurrent"), 30, {"only_on": True}),
        (("Soc", "PackVoltage", "PackCurrent", "Odometer"), 30, {"soc_step": 1, "km_step": 1, "only_on": True}),
        (("Soc", "VehicleSpeed"), 60, {"soc_step": 1}),
        (("Soc",), 120, {}),
        (("Soc",), 60, {"soc_step": 1}),
        (("Odometer",), 60, {}),
    ],
)
def test_equals_the_oracle_on_few_signals(signals, period, how):
    view = seen(lived(1), signals, period, **how)
    found, wanted = both(compressed([view], DAY), DAY, vehicles([view]))
    assert_equal(found, wanted)
    assert {"drive", "idle"} <= {row["kind"] for row in found}


def test_equals_the_oracle_on_a_simulated_day():
    day, table, registry = simulated_day()
    found, wanted = both(table, day, registry)
    assert_equal(found, wanted)
    assert {"counter", "power_integral"} <= {row["energy_method"] for row in found}


def test_the_comparison_can_fail():
    lives = [commuter(0, period_s=60)]
    found, wanted = both(compressed(lives, DAY), DAY, vehicles(lives))
    wanted[1]["energy_kwh"] += 1e-6
    with pytest.raises(AssertionError):
        assert_equal(found, wanted)

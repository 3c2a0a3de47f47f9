"""The offset of a current sensor: found in one day where a charge and drives show it, left alone where they do not."""

import numpy as np
import pytest

from ev_platform.lake.schemas import VEHICLES
from ev_platform.transform.current_offset import Windows, offsets
from ev_platform_tests.transform.fleet import MIDNIGHT
from ev_platform_tests.transform.reduced import found, lived, seen

SIGNALS = ("Soc", "PackVoltage", "PackCurrent", "Odometer", "VehicleSpeed")


def trips(seed, offset_a, registry=None):
    """(found, true) energy of the day's drives, and the reasons given."""
    life = lived(seed)
    rows = found(seen(life, SIGNALS, 3, offset_a=offset_a), registry)
    pairs, why = [], []
    for kind, start, _ in life.truth:
        near = [r for r in rows if r["kind"] == "drive" and abs(r["start"].timestamp() - MIDNIGHT / 1e6 - start) < 60]
        if kind == "drive" and near:
            pairs.append((near[0]["energy_kwh"], life.kwh[start]))
            why.append(near[0]["energy_method_reason"])
    assert len(pairs) >= 4
    return pairs, why


def off_by(pairs) -> float:
    return abs(sum(ours for ours, _ in pairs) / sum(true for _, true in pairs) - 1)


@pytest.mark.parametrize("offset_a", [-1.3, 1.3, 2.5])
@pytest.mark.parametrize("seed", [31, 32])
def test_an_offset_is_taken_off_and_named(seed, offset_a):
    pairs, why = trips(seed, offset_a)
    hours = sum(end - start for kind, start, end in lived(seed).truth if kind == "drive") / 3600
    untouched = abs(offset_a) * 0.36 * hours / -sum(true for _, true in pairs)
    assert off_by(pairs) < 0.25 * untouched + 0.015
    assert all("current offset" in text for text in why)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_a_good_sensor_is_left_alone(seed):
    pairs, why = trips(seed, 0.0)
    assert off_by(pairs) < 0.03
    assert not any("offset" in text for text in why)


def test_without_a_registry_the_charge_tells_the_capacity():
    pairs, why = trips(31, -1.3, VEHICLES.empty_table())
    assert off_by(pairs) < 0.05
    assert all("current offset -1." in text for text in why)


def windows(*rows):
    columns = list(zip(*rows, strict=True))
    arrays = [np.array(column, dtype=float) for column in columns[1:]]
    return Windows(np.array(columns[0], dtype=np.int64), *arrays, np.zeros(len(rows), dtype=bool))


def test_a_drive_alone_proves_nothing():
    drive = windows((0, -9.0, 0.5, -15.0))  # 60 kWh of capacity where 56 are expected, or an offset of 1 A
    assert offsets(drive, np.array([60.0]))[0].tolist() == [0.0]


def test_charge_and_drive_together_do_and_other_vehicles_do_not_matter():
    capacity, offset = 50.0, -1.3
    rows = [(0, capacity * s / 100 + offset * x, x, s) for s, x in ((40.0, 1.1), (-30.0, 0.7), (-12.0, 0.3))]
    found_a, sd = offsets(windows(*rows), np.array([55.0]))
    assert found_a[0] == pytest.approx(offset, abs=0.15)
    assert sd[0] < 0.4
    other = [(1, *row[1:]) for row in rows]
    both, _ = offsets(windows(*rows, *other, (1, np.nan, 0.5, 3.0)), np.array([55.0, np.nan]))
    assert both[0] == found_a[0]
    assert both[1] == pytest.approx(offset, abs=0.2)

"""The product's cleaning equals the plain per-vehicle oracle on damaged data: every value, flag and count."""

import random

import numpy as np
import pandas as pd
import pytest

from ev_platform.signals import catalogue
from ev_platform.transform.clean import clean
from ev_platform_tests.transform import oracle_clean
from ev_platform_tests.transform.faults import damage
from ev_platform_tests.transform.fleet import DAY, commuter, compressed, vehicles


def assert_equal(cleaned, wanted: pd.DataFrame) -> None:
    found = cleaned.to_pandas()
    assert found[["vin", "time", "provider"]].equals(wanted[["vin", "time", "provider"]].astype(found.dtypes[:3]))
    for name, signal in catalogue().signals.items():
        left, right = found[name], wanted[name]
        assert left.isna().tolist() == right.isna().tolist(), name
        if signal.kind == "double":
            np.testing.assert_allclose(
                left.dropna().astype(float), right.dropna().astype(float), rtol=1e-9, atol=1e-9, err_msg=name
            )
        else:
            assert left.dropna().tolist() == right.dropna().tolist(), name
    assert [list(flags) for flags in found["quality"]] == wanted["quality"].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_oracle(seed):
    lives = [damage(commuter(i, seed=seed, period_s=30), seed, rate=[0.0, 0.01, 0.05, 0.3][seed]) for i in range(4)]
    table, registry = compressed(lives, DAY), vehicles(lives[:3])  # one vehicle without a registry line
    cleaned = clean(table, registry)
    wanted, counts = oracle_clean.clean(table, registry)
    assert_equal(cleaned.table, wanted)
    found = {(r["vin"], r["rule"], r["signal"]): r["n"] for r in cleaned.counts.to_pylist()}
    assert found == counts
    assert cleaned.table.num_rows > 1000


def test_the_comparison_can_fail():
    lives = [commuter(0, period_s=60)]
    table, registry = compressed(lives, DAY), vehicles(lives)
    wanted, _ = oracle_clean.clean(table, registry)
    row = random.Random(1).randrange(len(wanted))
    wanted.loc[row, "pack_voltage_v"] = (wanted.loc[row, "pack_voltage_v"] or 0) + 1e-3
    with pytest.raises(AssertionError):
        assert_equal(clean(table, registry).table, wanted)

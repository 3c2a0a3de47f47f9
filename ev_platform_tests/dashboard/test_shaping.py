"""What pages show, without Streamlit: equal to the tables, whichever way it is asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.dashboard import maps, market, operations, parts, questions, shaping
from ev_platform.dashboard.alarms import chosen_alarms
from ev_platform.dashboard.live_grid import FRANCE, shown_rows
from ev_platform.energy.served import POWER
from ev_platform.insights.residual_value import Assumptions, battery_factor
from ev_platform.lake.schemas_market import SALES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.market.depreciation import fit, laws
from ev_platform.query.duckdb_engine import DuckDBEngine
from ev_platform_tests.dashboard.big_lake import table, write

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-11-01T00:00Z")


@given(
    st.lists(st.tuples(st.sampled_from(["idle", "drive", "charge"]), st.booleans(), st.integers(1, 6000)), max_size=9)
)
def test_a_timeline_holds_every_minute_once(lives):
    rows, at = [], START + pd.Timedelta(hours=7)
    for kind, asleep, minutes in lives:
        end = at + pd.Timedelta(minutes=minutes)
        rows.append((kind, asleep, at, end, 50.0, np.nan))
        at = end
    sessions = pd.DataFrame(rows, columns=["kind", "asleep", "start", "end", "soc_start", "soc_end"])
    found = shaping.timeline(sessions)
    assert ((found["to_hour"] - found["from_hour"]).sum()) == pytest.approx(sum(m for *_, m in lives) / 60)
    assert found["to_hour"].between(0, 24).all()
    for _, day in found.groupby("day"):
        assert (day["from_hour"].to_numpy()[1:] == pytest.approx(day["to_hour"].to_numpy()[:-1])) or len(day) == 1


def sales(count, seed=3):
    random = np.random.default_rng(seed)
    years = random.integers(2005, 2016, count)
    return table(
        SALES,
        count,
        make=[("Ford", "Kia")[n % 2] for n in range(count)],
        model=[f"M{n % 7}" for n in range(count)],
        release_year=years.astype(np.int32),
        sold_at=[pd.Timestamp("2015-03-01T00:00Z")] * count,
        selling_price_usd=1_000.0 * (years - 2003) + random.normal(0, 200, count),
        mmr_usd=1_000.0 * (years - 2003),
        odometer_miles=np.where(np.arange(count) % 11 == 0, np.nan, 12_000.0 * (2016 - years)),
        grade=random.uniform(1, 5, count),
        sale_number=np.ones(count, dtype=np.int32),
    )


def test_both_ways_to_ask_the_market_give_the_same_figures(tmp_path):
    store = ObjectStore(str(tmp_path))
    store.put("market/sales/year=2015/month=03/part-0000.parquet", to_parquet(sales(900)))
    engine = DuckDBEngine(store)

    def ask(sql, *values):
        return engine.query(sql, values).table.to_pandas()

    everything = ask(questions.SALES_OF_MAKE, "Ford")
    for local, question in (
        (shaping.brand_story, questions.BRAND_STORY),
        (shaping.brand_models, questions.BRAND_MODELS),
    ):
        ours, theirs = local(everything, 2008, 2012), ask(question, "Ford", 2008, 2012)
        assert len(ours) > 3
        pd.testing.assert_frame_equal(ours, theirs, check_dtype=False, check_like=True, rtol=1e-12)


def test_the_calculator_is_the_insights_own_valuation():
    known = laws(fit(sales(900)))
    new, old = (market.worth(known, "Ford", 30_000, 4, 60_000, soh, 2.0) for soh in (100.0, 80.0))
    assert new["value"] == pytest.approx(30_000 * new["market_ratio"])
    assert old["value"] / new["value"] == pytest.approx(battery_factor(80.0, 2.0, Assumptions())[0])
    assert old["value_low"] < old["value"] < old["value_high"]
    assert old["lost_to_battery"] == pytest.approx(new["value"] - old["value"])
    assert market.worth(known, "Nobody", 30_000, 4, 60_000, 90.0, 2.0)["curve_level"] == "all"


def test_every_question_can_be_asked_of_an_empty_lake(tmp_path):
    engine = DuckDBEngine(ObjectStore(str(tmp_path)))
    asked = 0
    for name, text in vars(questions).items():
        if name.isupper() and isinstance(text, str):
            values = _values(text)
            assert engine.query(text, values).table.num_rows == 0, name
            asked += 1
    assert asked > 30


def _values(text):
    """Values of the right kinds for the `?` of a question: only their kinds matter on an empty lake."""
    kinds = {"year = ?": 2024, "release_year BETWEEN ?": 2000, "adoption = ?": 1.0}
    values = []
    for part in text.split("?")[:-1]:
        near = part[-40:] + "?"
        values.append(next((v for k, v in kinds.items() if near.endswith(k)), None))
        if values[-1] is None:
            values[-1] = (
                2026 if near.endswith("AND ?") and "release_year BETWEEN" in part + text[: len(part)] else "2026-11"
            )
    if "release_year BETWEEN ? AND ?" in text:
        values[-2:] = [2000, 2026]
    return tuple(values)


def test_bands_of_charging_curves():
    curves = pd.DataFrame(
        {"power_class": ["fast"] * 11 + ["slow"], "soc_bin": [10.0] * 11 + [50.0], "power_kw": [*range(11), 7.0]}
    )
    found = shaping.curve_bands(curves).set_index("power_class")
    assert found.loc["fast", ["p10", "median", "p90", "charges"]].tolist() == [1, 5, 9, 11]
    assert found.loc["slow", "p10"] == found.loc["slow", "p90"] == 7


def test_cars_are_chosen_by_every_filter():
    cars = pd.DataFrame(
        {
            "vin": ["AB1", "AC2", "BB3"],
            "make": ["X", "X", "Y"],
            "model": ["1", "2", "1"],
            "soh_percent": [90.0, 70.0, np.nan],
        }
    )
    assert shaping.chosen_cars(cars, [], [], "", 100)["vin"].tolist() == ["AB1", "AC2", "BB3"]
    assert shaping.chosen_cars(cars, ["X"], [], "", 100)["vin"].tolist() == ["AB1", "AC2"]
    assert shaping.chosen_cars(cars, [], ["1"], "b", 100)["vin"].tolist() == ["AB1", "BB3"]
    assert shaping.chosen_cars(cars, [], [], "", 80)["vin"].tolist() == ["AC2"]


def test_the_country_is_the_sum_of_instants_that_have_every_region():
    def row(instant, code, mw):
        powers = dict.fromkeys(POWER, mw) | {"difference_mw": 0.0}
        return {"instant": START + instant * HOUR, "source": "batch", "slot_minutes": 30, "region_code": code, **powers}

    rows = pd.DataFrame([row(0, "11", 1.0), row(0, "24", 2.0), row(1, "11", 4.0)])
    assert shown_rows(rows, FRANCE)["consumption_mw"].tolist() == [3.0]
    assert shown_rows(rows, "11")["consumption_mw"].tolist() == [1.0, 4.0]


def test_shares_of_the_load_leave_out_half_hours_without_one():
    slots = pd.DataFrame(
        {
            "region_code": ["11", "11", None],
            "instant": [START, START + HOUR, START],
            "energy_kwh": [10.0, 5.0, 3.0],
            "load_mwh": [100.0, np.nan, np.nan],
            "load_percentile": [0.5, np.nan, np.nan],
            "co2_g": [500.0, np.nan, 1.0],
        }
    )
    found = shaping.by_region(slots).iloc[0]
    assert (found["energy_kwh"], found["co2_kg"]) == (15.0, 0.5)
    assert found["share_ppm"] == pytest.approx(1e6 * 0.010 / 100)
    hours = shaping.load_by_time_of_day(slots)
    assert hours["hour"].tolist() == [1.0, 2.0]  # Paris is an hour ahead in winter
    assert hours["load_percentile"].tolist()[0] == 50.0


def test_alarms_are_chosen_by_device_or_vin():
    alarms = pd.DataFrame(
        {
            "variable": ["a", "b"],
            "band": ["very_low", "very_high"],
            "device_id": ["dev1", "dev2"],
            "vin": [None, "VIN2"],
        }
    )
    assert chosen_alarms(alarms, [], [], "vin2")["device_id"].tolist() == ["dev2"]
    assert chosen_alarms(alarms, ["a"], [], "")["device_id"].tolist() == ["dev1"]
    assert chosen_alarms(alarms, ["a"], ["very_high"], "").empty


def test_downloads_hold_the_rows():
    frame = pd.DataFrame({"vin": ["A", "B"], "reasons": [["x", "y"], []], "n": [1.5, None]})
    assert parts.to_csv(frame).decode().splitlines() == ["vin,reasons,n", "A,x y,1.5", "B,,"]
    assert pq.read_table(pa.BufferReader(parts.to_parquet(frame)))["reasons"].to_pylist() == [["x", "y"], []]


def test_freshness_lists_the_newest_partition_only(tmp_path):
    store = write(str(tmp_path), 20, 4)
    fresh = operations.freshness(store).set_index("table")
    assert fresh.loc["results/sessions", "newest"] == "2026-11-20"
    assert fresh.loc["results/sessions", "objects"] == 1
    assert fresh.loc["results/battery_health", "newest"] == "2026-11"
    assert fresh.loc["energy/half_hour_national", "objects"] == 0


def test_the_bill_counts_every_object(tmp_path):
    store = write(str(tmp_path), 20, 2)
    bill = operations.bill(store).set_index("folder")
    keys = store.keys("results")
    assert bill.loc["results", "objects"] == len(keys)
    assert bill.loc["results", "mb"] == pytest.approx(sum(len(store.get(key)) for key in keys) / 1e6)
    assert bill.loc["temp", "objects"] == 0
    remote = ObjectStore("memory://bill")
    remote.put("results/a/part-0000.parquet", b"12345")
    assert remote.sizes("results") == {"results/a/part-0000.parquet": 5}


def test_maps_need_nothing_from_elsewhere():
    frame = pd.DataFrame({"region_code": ["11", "94"], "energy_kwh": [5.0, 7.0]})
    spec = maps.region_map(frame, "energy_kwh", "energy (kWh)").to_json()
    assert "http" not in spec.replace("https://vega.github.io/schema/", "")
    assert set(maps.centres()["region_code"]) == set(maps.NAMES)
    assert len(maps.department_places()) == 96

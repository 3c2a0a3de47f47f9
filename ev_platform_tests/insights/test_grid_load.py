"""Charges over half-hours: no energy is lost, days of 46 and 50 half-hours, gaps, percentiles; against plain loops."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.insights.flexibility import charge_windows, charging_flexibility
from ev_platform.insights.grid_load import charging_grid_load, ranked
from ev_platform.insights.slots import slots_of_local_day, split
from ev_platform.lake.schemas_insights import CHARGE_WINDOWS, CHARGING_FLEXIBILITY, CHARGING_GRID_LOAD, CO2, LOAD

PARIS = ZoneInfo("Europe/Paris")
HALF_HOUR = timedelta(minutes=30)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def charges(*rows):
    """(start, end, kWh) or (start, end, kWh, region) → charges of one car."""
    return pl.DataFrame(
        [
            {
                "session_id": f"s{k}",
                "vin": "V",
                "start": start,
                "end": end,
                "energy_kwh": kwh,
                "region_code": region[0] if region else "24",
                "region_method": "polygon",
            }
            for k, (start, end, kwh, *region) in enumerate(rows)
        ],
        schema_overrides={"start": pl.Datetime("us", "UTC"), "end": pl.Datetime("us", "UTC")},
    )


def half_hours(first, last):
    count = int((last - first) / HALF_HOUR)
    return [first + k * HALF_HOUR for k in range(count)]


def load_of(instants, megawatts, region="24"):
    table = {"region_code": [region] * len(instants), "instant": instants, "consumption_mw": megawatts}
    return pl.DataFrame(table, schema=dict(pl.DataFrame(pl.from_arrow(LOAD.empty_table())).schema))


def co2_of(instants, grams):
    schema = dict(pl.DataFrame(pl.from_arrow(CO2.empty_table())).schema)
    return pl.DataFrame({"instant": instants, "co2_g_per_kwh": grams}, schema=schema)


DAY = half_hours(at("2026-11-02T00:00"), at("2026-11-05T00:00"))
LOAD_MW = [3000.0 + 10 * k for k in range(len(DAY))]
GRAMS = [20.0 + (k % 48) for k in range(len(DAY))]


# -- splitting --------------------------------------------------------------------------------------------------------

moments = st.datetimes(datetime.fromisoformat("2026-03-25"), datetime.fromisoformat("2026-11-05"))


@given(moments, st.integers(0, 100_000), st.floats(0.001, 200))
@settings(max_examples=100, deadline=None)
def test_no_energy_is_lost_and_none_is_outside_of_the_charge(start, seconds, kwh):
    start = start.replace(tzinfo=UTC)
    end = start + timedelta(seconds=seconds)
    rows = split(charges((start, end, kwh)))
    assert rows["energy_kwh"].sum() == pytest.approx(kwh, rel=1e-9)
    assert (rows["energy_kwh"] >= 0).all()
    instants = rows["instant"].to_list()
    assert instants == half_hours(instants[0], instants[-1] + HALF_HOUR)
    assert instants[0] <= start < instants[0] + HALF_HOUR
    assert instants[-1] < end or seconds == 0
    assert all(moment.minute in (0, 30) and not moment.second for moment in instants)


def test_power_is_constant_over_the_charge():
    rows = split(charges((at("2026-11-03T10:15"), at("2026-11-03T11:15"), 8.0)))
    assert rows["energy_kwh"].to_list() == pytest.approx([2.0, 4.0, 2.0])


def test_charges_without_energy_or_time_that_runs_backwards_have_no_rows():
    none = charges(
        (at("2026-11-03T10:00"), at("2026-11-03T11:00"), None), (at("2026-11-03T11"), at("2026-11-03T10"), 1.0)
    )
    assert split(none).height == 0


# -- days of the clock change -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "slots"), [("2026-03-29", 46), ("2026-10-25", 50), ("2026-11-02", 48)])
def test_half_hours_of_a_local_day(day, slots):
    frame = pl.DataFrame({"day": [date.fromisoformat(day)]})
    assert frame.select(slots_of_local_day(pl.col("day"))).item() == slots
    first = datetime.fromisoformat(day).replace(tzinfo=PARIS)
    following = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=PARIS)
    instants = half_hours(first.astimezone(UTC), following.astimezone(UTC))
    assert len(instants) == slots
    table = charging_grid_load(
        charges((first.astimezone(UTC), following.astimezone(UTC), float(slots))),
        load_of(instants, [1000.0 + k for k in range(slots)]),
        co2_of(instants, [50.0] * slots),
    )
    assert table.num_rows == slots
    assert table["energy_kwh"].to_pylist() == pytest.approx([1.0] * slots)
    assert set(table["slots_in_local_day"].to_pylist()) == {slots}
    assert table["load_percentile"].to_pylist() == pytest.approx([k / (slots - 1) for k in range(slots)])
    assert sum(table["co2_g"].to_pylist()) == pytest.approx(50.0 * slots)


def test_a_missing_half_hour_keeps_its_energy():
    """The grid's own data lack two instants of the autumn day; an inner join would lose the energy in them."""
    kept = [instant for instant in DAY if instant not in DAY[10:12]]
    table = charging_grid_load(
        charges((DAY[8], DAY[14], 6.0)), load_of(kept, [1.0] * len(kept)), co2_of(kept, [1.0] * len(kept))
    )
    rows = table.to_pylist()
    assert sum(row["energy_kwh"] for row in rows) == pytest.approx(6.0)
    assert [row["load_mwh"] is None for row in rows] == [False, False, True, True, False, False]
    assert [row["co2_g"] is None for row in rows] == [False, False, True, True, False, False]


# -- the join, against plain loops ------------------------------------------------------------------------------------


def test_against_plain_loops():
    draw = np.random.default_rng(3)
    rows = []
    for _ in range(60):
        start = DAY[20] + timedelta(seconds=int(draw.integers(0, 86_400)))
        region = ["24", "84", None][draw.integers(0, 3)]
        rows.append(
            (start, start + timedelta(seconds=int(draw.integers(60, 20_000))), float(draw.uniform(1, 60)), region)
        )
    mw = {region: draw.integers(2000, 2020, len(DAY)).astype(float) for region in ("24", "84")}
    load = pl.concat([load_of(DAY, mw[region].tolist(), region) for region in mw])
    made = charging_grid_load(charges(*rows), load, co2_of(DAY, GRAMS))
    assert made.schema.equals(CHARGING_GRID_LOAD)
    found = {(row["session_id"], row["instant"]): row for row in made.to_pylist()}
    seen = 0
    for k, (start, end, kwh, region) in enumerate(rows):
        for j, instant in enumerate(DAY):
            inside = (min(end, instant + HALF_HOUR) - max(start, instant)).total_seconds()
            if inside <= 0:
                continue
            seen += 1
            row = found[f"s{k}", instant]
            energy = kwh * inside / (end - start).total_seconds()
            assert row["energy_kwh"] == pytest.approx(energy)
            assert row["co2_g"] == pytest.approx(energy * GRAMS[j])
            if region is None:
                assert row["load_mwh"] is row["share_ppm"] is row["load_percentile"] is None
                continue
            assert row["load_mwh"] == mw[region][j] / 2
            assert row["share_ppm"] == pytest.approx(energy / 1000 / (mw[region][j] / 2) * 1e6)
            day = [mw[region][i] for i, other in enumerate(DAY) if other.astimezone(PARIS).date() == row["local_day"]]
            below, equal = sum(value < mw[region][j] for value in day), sum(value == mw[region][j] for value in day)
            assert row["load_percentile"] == pytest.approx((below + (equal - 1) / 2) / (len(day) - 1))
    assert seen == len(found)


def test_doubled_rows_of_the_grid_double_no_energy():
    load, co2 = load_of(DAY, LOAD_MW), co2_of(DAY, GRAMS)
    once = charging_grid_load(charges((DAY[4], DAY[9], 5.0)), load, co2)
    twice = charging_grid_load(charges((DAY[4], DAY[9], 5.0)), pl.concat([load, load]), pl.concat([co2, co2]))
    assert twice.equals(once)


def test_no_charges_and_no_grid():
    empty = charging_grid_load(charges((DAY[0], DAY[1], None)), load_of([], []), co2_of([], []))
    assert empty.equals(CHARGING_GRID_LOAD.empty_table())
    alone = charging_grid_load(charges((DAY[0], DAY[1], 3.0)), load_of([], []), co2_of([], []))
    assert alone["energy_kwh"].to_pylist() == [3.0]
    assert alone["load_percentile"].to_pylist() == [None]


# -- flexibility ------------------------------------------------------------------------------------------------------


def test_the_share_in_the_lowest_third_of_the_day():
    first = at("2026-11-02T23:00")  # 00:00 in Paris
    low, high = (
        charges((first, first + 16 * HALF_HOUR, 10.0)),
        charges((first + 20 * HALF_HOUR, first + 40 * HALF_HOUR, 9.0)),
    )
    for which, share in ((low, 1.0), (high, 0.0)):
        slots = pl.DataFrame(pl.from_arrow(charging_grid_load(which, load_of(DAY, LOAD_MW), co2_of(DAY, GRAMS))))
        made = charging_flexibility(slots, which)
        assert made.schema.equals(CHARGING_FLEXIBILITY)
        (row,) = made.to_pylist()
        assert row["low_third_share"] == pytest.approx(share)
        assert row["known_share"] == row["co2_known_share"] == 1.0
        assert row["energy_kwh"] == pytest.approx(which["energy_kwh"][0])


def test_what_is_not_known_is_null_and_says_how_much():
    which = charges((DAY[0], DAY[4], 4.0))
    slots = pl.DataFrame(pl.from_arrow(charging_grid_load(which, load_of([], []), co2_of(DAY[:3], GRAMS[:3]))))
    (row,) = charging_flexibility(slots, which).to_pylist()
    assert row["low_third_share"] is None
    assert row["known_share"] == 0.0
    assert row["co2_known_share"] == pytest.approx(0.75)
    assert row["co2_g"] == pytest.approx(20 + 21 + 22)
    assert row["co2_g_per_kwh"] == pytest.approx(21)


def test_the_best_three_hours_against_plain_loops():
    draw = np.random.default_rng(5)
    instants = half_hours(at("2026-11-01T22:00"), at("2026-11-08T00:00"))
    grams = draw.uniform(10, 90, len(instants)).tolist()
    mw = draw.uniform(1000, 2000, len(instants)).tolist()
    which = charges((instants[50], instants[57], 30.0), (instants[110], instants[113], 12.0))
    load, co2 = load_of(instants, mw), co2_of(instants, grams)
    slots = pl.DataFrame(pl.from_arrow(charging_grid_load(which, load, co2)))
    made = charge_windows(slots, co2, ranked(load), "2026-11")
    assert made.schema.equals(CHARGE_WINDOWS)
    (row,) = made.to_pylist()
    weights = {}
    for slot in slots.iter_rows(named=True):
        weights[slot["local_day"]] = weights.get(slot["local_day"], 0) + slot["energy_kwh"]
    options = {}
    for k in range(len(instants) - 5):
        local = instants[k].astimezone(PARIS)
        if local.date() in weights:
            options.setdefault(f"{local:%H:%M}", []).append((weights[local.date()], sum(grams[k : k + 6]) / 6))
    means = {time: sum(w * g for w, g in of) / sum(w for w, _ in of) for time, of in options.items()}
    best = min(means, key=means.get)
    assert row["best_window_start"] == best
    assert row["best_co2_g_per_kwh"] == pytest.approx(means[best])
    actual = (slots["co2_g"].sum()) / 42.0
    assert row["actual_co2_g_per_kwh"] == pytest.approx(actual)
    assert row["saved_co2_kg"] == pytest.approx(42.0 * (actual - means[best]) / 1000)
    assert (row["sessions"], row["energy_kwh"]) == (2, pytest.approx(42.0))
    assert 0 <= row["best_load_percentile"] <= 1


def test_a_window_over_a_gap_does_not_count():
    instants = half_hours(at("2026-11-02T00:00"), at("2026-11-04T00:00"))
    grams = [50.0] * len(instants)
    grams[20:26] = [1.0] * 6
    which = charges((instants[30], instants[33], 3.0))
    gap = co2_of(instants[:22] + instants[23:], grams[:22] + grams[23:])
    whole = co2_of(instants, grams)
    results = []
    for co2 in (whole, gap):
        slots = pl.DataFrame(pl.from_arrow(charging_grid_load(which, load_of([], []), co2)))
        results += charge_windows(slots, co2, ranked(load_of([], [])), "2026-11").to_pylist()
    assert results[0]["best_co2_g_per_kwh"] == pytest.approx(1.0)
    assert results[1]["best_co2_g_per_kwh"] > 1.0
    assert results[0]["best_load_percentile"] is None


def test_without_rates_there_is_no_best_window():
    which = charges((DAY[0], DAY[4], 4.0))
    slots = pl.DataFrame(pl.from_arrow(charging_grid_load(which, load_of([], []), co2_of([], []))))
    (row,) = charge_windows(slots, co2_of([], []), ranked(load_of([], [])), "2026-11").to_pylist()
    assert row["best_window_start"] is row["saved_co2_kg"] is row["actual_co2_g_per_kwh"] is None
    assert row["energy_kwh"] == pytest.approx(4.0)

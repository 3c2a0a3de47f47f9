"""Drift: an equal snapshot is silent; each kind of change is told, by name."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ev_platform.lake.schemas_market import DRIFT
from ev_platform.market.drift import LIMITS, compare, drifted, dump, figures
from ev_platform.market.refine import Refined


def changed(refined, **columns):
    sales = refined.sales
    for name, values in columns.items():
        sales = sales.set_column(sales.column_names.index(name), sales.schema.field(name), values)
    return Refined(sales, refined.quarantine)


def told(now, before):
    table = compare("s", figures(now), figures(before))
    assert table.schema.equals(DRIFT)
    assert table["measure"].to_pylist() == list(LIMITS)
    return {line.split(" ")[0]: line for line in drifted(table)}


def test_the_same_snapshot_and_the_first_one_are_silent(refined):
    assert told(refined, refined) == {}
    assert drifted(compare("s", figures(refined), None)) == []
    assert dump(figures(refined)) == dump(figures(refined))


def test_fewer_rows(refined):
    half = Refined(refined.sales.slice(0, refined.sales.num_rows // 2), refined.quarantine)
    assert "rows" in told(half, refined)


def test_a_new_brand_and_one_that_is_gone_are_named(refined):
    makes = pc.replace_substring(refined.sales["make"], "BMW", "Bmw Spyker")
    lines = told(changed(refined, make=makes), refined)
    assert "Bmw Spyker" in lines["unknown_makes"]
    assert "BMW" in lines["makes_gone"]
    first = drifted(compare("s", figures(changed(refined, make=makes)), None))
    assert [line.split(" ")[0] for line in first] == ["unknown_makes"], "no baseline is needed to see an unknown brand"


def test_a_price_level_that_moved(refined):
    dearer = pc.multiply(refined.sales["selling_price_usd"], 1.2)
    assert {"median_price_usd", "price_over_mmr"} <= told(changed(refined, selling_price_usd=dearer), refined).keys()


def test_one_brand_that_moved(refined):
    is_kia = pc.equal(refined.sales["make"], "Kia")
    prices = pc.if_else(
        is_kia, pc.multiply(refined.sales["selling_price_usd"], 1.5), refined.sales["selling_price_usd"]
    )
    lines = told(changed(refined, selling_price_usd=prices), refined)
    assert list(lines) == ["brand_price_shift"]
    assert "Kia +50.0%" in lines["brand_price_shift"]


def test_more_quarantined_rows(refined):
    more = Refined(refined.sales, pa.concat_tables([refined.quarantine] * 4))
    assert "quarantined_share" in told(more, refined)


@pytest.mark.parametrize("measure", ["median_price_usd", "price_over_mmr"])
def test_a_figure_that_vanished_is_a_drift(refined, measure):
    empty = Refined(refined.sales.slice(0, 0), refined.quarantine)
    assert measure in told(empty, refined)

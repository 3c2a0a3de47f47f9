"""Pictures in the UI: they show the table's own numbers, the largest first, and stay small."""

import pyarrow as pa
import pytest

from ev_platform.defs.insights.assets import PLOTS as INSIGHTS
from ev_platform.defs.market.assets import PLOTS as MARKET
from ev_platform.defs.metadata import PLOT, bars, plot_metadata, plot_of
from ev_platform.query.catalogue import find

TABLE = pa.table({"make": ["Kia", "BMW", "Kia", None], "price": [10.0, 50.0, 30.0, 99.0]})


def shown(metadata):
    return [line.split("|")[1:4] for line in metadata["plot"].value.splitlines() if line.startswith("| ")][2:]


def test_bars_are_the_tables_own_numbers_largest_first():
    lines = shown(plot_metadata(TABLE, plot_of("make", "price")))
    assert [(name.strip(), float(n)) for name, n, _ in lines] == [("BMW", 50.0), ("Kia", 20.0)]
    assert [bar.count("█") for *_, bar in lines] == [20, 8]
    lines = shown(plot_metadata(TABLE, plot_of("make", "make", "count")))
    assert [(name.strip(), float(n)) for name, n, _ in lines] == [("Kia", 2.0), ("BMW", 1.0)]


def test_a_large_table_makes_a_small_picture_and_an_empty_one_none():
    many = pa.table({"vin": [f"EVP{n:014d}" for n in range(10_000)], "soh": [float(n) for n in range(10_000)]})
    assert len(bars(many, "vin", "soh", "mean")) < 2_000
    assert plot_metadata(TABLE.slice(0, 0), plot_of("make", "price")) == {}
    assert plot_metadata(TABLE, {}) == {}


ASKED = {**{f"market_{name}": plot for name, plot in MARKET.items()}}
ASKED |= {key.to_user_string().replace("/", "_"): plot for key, plot in INSIGHTS.items()}


@pytest.mark.parametrize("name", ASKED)
def test_every_plot_fits_its_table(name):
    label, value, how = ASKED[name][PLOT]
    schema = find(name).schema
    assert "plot" in plot_metadata(
        pa.table({field.name: pa.array([None, None], field.type) for field in schema}), ASKED[name]
    )
    assert (
        how == "count"
        or pa.types.is_floating(schema.field(value).type)
        or pa.types.is_integer(schema.field(value).type)
    )
    assert label in schema.names

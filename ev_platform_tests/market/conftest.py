"""One refined market for all tests of the marts."""

import pytest

from ev_platform.market.refine import refine
from ev_platform.simulate.sales import Market
from ev_platform.simulate.sales_file import write_sales


@pytest.fixture(scope="package")
def refined():
    return refine(write_sales(Market(sales=12_000, seed=5)).data)

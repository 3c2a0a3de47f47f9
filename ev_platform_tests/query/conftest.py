"""A small lake of sales, on a folder, memory and S3, and moto for Glue and Athena."""

import uuid

import pytest

from ev_platform.lake.layout import part_key, table_key
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.market import depreciation, marts
from ev_platform.market.refine import refine, refine_month
from ev_platform.simulate.sales import Market
from ev_platform.simulate.sales_file import write_sales
from ev_platform_tests.moto_server import moto_bucket


@pytest.fixture(scope="package")
def aws():
    with moto_bucket() as url:
        yield url


@pytest.fixture(scope="package")
def refined():
    return refine(write_sales(Market(sales=4_000, seed=7)).data)


def fill(store, refined):
    """The market's tables as the assets file them."""
    for month in refined.months:
        store.put(part_key("market/sales", month), to_parquet(refine_month(refined, month)))
    models = depreciation.fit(refined.sales)
    whole = {
        "brand_peers": marts.brand_peers(refined.sales),
        "price_by_model_year": marts.price_by_model_year(refined.sales),
        "depreciation_models": models,
        "depreciation_curves": depreciation.curves(models),
    }
    for name, table in whole.items():
        store.put(table_key(f"market/{name}"), to_parquet(table))
    store.put("market/sales/notes.txt", b"not a table")
    return store


@pytest.fixture(scope="package")
def folder_lake(refined, tmp_path_factory):
    return fill(ObjectStore(str(tmp_path_factory.mktemp("lake"))), refined)


@pytest.fixture(params=["folder", "memory", "s3"])
def lake(request, refined, folder_lake):
    if request.param == "folder":
        return folder_lake
    if request.param == "memory":
        return fill(ObjectStore("memory://"), refined)
    return fill(ObjectStore(f"{request.getfixturevalue('aws')}/{uuid.uuid4().hex}"), refined)

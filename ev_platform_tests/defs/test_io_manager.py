"""The I/O manager: ranges in one run, metadata per partition, three table types, refusals, folder and S3 alike."""

from dataclasses import dataclass, field

import boto3
import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from ev_platform.defs.io_manager import ParquetIOManager
from ev_platform.defs.partitions import DAYS, MONTHS
from ev_platform.defs.platform import Platform
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import load_settings

RANGE = {"dagster/asset_partition_range_start": "2026-11-01", "dagster/asset_partition_range_end": "2026-11-03"}


@dataclass
class Receipt:
    rows: int
    quarantined: dict = field(default_factory=dict)


@dg.asset(key=["results", "numbers"], partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.multi_run(30))
def numbers(context: dg.AssetExecutionContext) -> dict[str, pa.Table]:
    return {day: pa.table({"day": [day] * int(day[-2:]), "n": range(int(day[-2:]))}) for day in context.partition_keys}


NUMBERS = dg.AssetIn(key=["results", "numbers"])


@dg.asset(
    key=["results", "total"],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.multi_run(30),
    ins={"numbers": NUMBERS},
)
def total(context: dg.AssetExecutionContext, numbers: pl.DataFrame) -> dict[str, pd.DataFrame]:
    sums = dict(numbers.group_by("day").agg(pl.col("n").sum()).iter_rows())
    return {day: pd.DataFrame({"n": [sums[day]]}) for day in context.partition_keys}


@pytest.fixture(scope="module")
def s3():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="fleet")
        yield "s3://fleet/lake"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def lake(request, tmp_path):
    return str(tmp_path / "lake") if request.param == "folder" else request.getfixturevalue("s3") + tmp_path.name


def run(assets, lake, instance, **how):
    platform = Platform(load_settings(lake_url=lake))
    manager = ParquetIOManager(platform)
    return dg.materialize(assets, instance=instance, resources={"io_manager": manager, "platform": platform}, **how)


def test_a_range_in_one_run_equals_single_days(lake, instance, tmp_path):
    result = run([numbers, total], lake, instance, tags=RANGE)
    assert result.success
    single = str(tmp_path / "single")
    for day in ("2026-11-03", "2026-11-01", "2026-11-02"):
        run([numbers, total], single, instance, partition_key=day)
    one, other = ObjectStore(lake), ObjectStore(single)
    assert one.keys("results") == other.keys("results")
    assert len(one.keys("results")) == 6
    for key in one.keys("results"):
        assert one.get(key) == other.get(key)


def test_metadata_of_each_partition_of_a_range(lake, instance):
    result = run([numbers], lake, instance, tags=RANGE)
    rows = {
        event.partition: event.metadata["dagster/partition_row_count"].value
        for event in result.asset_materializations_for_node("results__numbers")
    }
    assert rows == {"2026-11-01": 1, "2026-11-02": 2, "2026-11-03": 3}


def test_unchanged_results_leave_the_object_alone(tmp_path, instance):
    lake = tmp_path / "lake"
    run([numbers], str(lake), instance, partition_key="2026-11-02")
    (file,) = lake.rglob("*.parquet")
    before = file.stat().st_mtime_ns, file.stat().st_ino
    run([numbers], str(lake), instance, partition_key="2026-11-02")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


def test_a_table_for_a_day_that_the_run_does_not_own_is_refused(tmp_path, instance):
    @dg.asset(key=["results", "wrong"], partitions_def=DAYS)
    def wrong() -> dict[str, pa.Table]:
        return {"2026-11-05": pa.table({"n": [1]})}

    result = run([wrong], str(tmp_path), instance, partition_key="2026-11-01", raise_on_error=False)
    assert not result.success
    assert "owns ['2026-11-01']" in result.failure_data_for_node("results__wrong").error.to_string()
    assert ObjectStore(str(tmp_path)).keys("results") == []


def test_what_is_no_table_is_refused(tmp_path, instance):
    @dg.asset(key=["results", "text"])
    def text():
        return "no table"

    result = run([text], str(tmp_path), instance, raise_on_error=False)
    assert "not str" in result.failure_data_for_node("results__text").error.to_string()


def test_receipts_become_metadata_and_open_other_days(tmp_path, instance):
    @dg.asset(key=["results", "sessions"], partitions_def=DAYS)
    def sessions() -> dict[str, Receipt]:
        return {"2026-11-02": Receipt(7, {"crc": 1}), "2026-11-01": Receipt(3)}

    run([sessions], str(tmp_path), instance, partition_key="2026-11-02")
    assert instance.get_materialized_partitions(dg.AssetKey(["results", "sessions"])) == {"2026-11-01", "2026-11-02"}
    events = instance.fetch_materializations(dg.AssetKey(["results", "sessions"]), limit=5).records
    rows = {e.partition_key: e.asset_materialization.metadata["dagster/partition_row_count"].value for e in events}
    assert rows == {"2026-11-01": 3, "2026-11-02": 7}
    assert ObjectStore(str(tmp_path)).keys("results") == []  # the task wrote, not the I/O manager


def test_months_and_tables_without_partitions(tmp_path, instance):
    @dg.asset(key=["results", "health"], partitions_def=MONTHS)
    def health() -> pl.DataFrame:
        return pl.DataFrame({"vin": ["A"]})

    @dg.asset(key=["ref", "vehicles"])
    def vehicles() -> pd.DataFrame:
        return pd.DataFrame({"vin": ["A", "B"]})

    @dg.asset(key=["results", "joined"], ins={"v": dg.AssetIn(key=["ref", "vehicles"])})
    def joined(v: pa.Table) -> pa.Table:
        assert isinstance(v, pa.Table)
        return v.slice(1)

    run([health], str(tmp_path), instance, partition_key="2026-11")
    run([vehicles, joined], str(tmp_path), instance)
    store = ObjectStore(str(tmp_path))
    assert store.keys("results") == [
        "results/health/month=2026-11/part-0000.parquet",
        "results/joined/part-0000.parquet",
    ]
    assert from_parquet(store.get("results/joined/part-0000.parquet"))["vin"].to_pylist() == ["B"]


def test_missing_upstream_says_what_to_do(tmp_path, instance):
    @dg.asset(key=["results", "reader"], partitions_def=DAYS, ins={"numbers": NUMBERS})
    def reader(numbers: pa.Table) -> pa.Table:
        return numbers

    result = run(
        [numbers, reader], str(tmp_path), instance, partition_key="2026-11-01", selection=[reader], raise_on_error=False
    )
    assert "materialize it first" in result.failure_data_for_node("results__reader").error.to_string()

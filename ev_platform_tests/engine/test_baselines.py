"""What the benches compare with does the same work: three ways to clean and segment, Spark's own compaction."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from bench import fleet_day
from bench.baseline_segment import duckdb_tables, polars_tables
from bench.bench_clean_segment import make_compressed, tables_of
from bench.crossover import Cost, faster_from, started_from
from ev_platform.lake.layout import compressed_key
from ev_platform_tests.engine.extras import need

VEHICLES = 3
IN_SPARK = """
import sys
from bench import baseline_spark as b
lake, out, day, *files = sys.argv[1:]
print("=", *b.clean_and_segment(b.session(), files, out), b.compact(b.session(), lake, day, f"{out}/long"))
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Raw objects and compressed files of the same vehicles."""
    folder = tmp_path_factory.mktemp("baselines")
    fleet_day.fill(folder, VEHICLES)
    make_compressed(str(folder), VEHICLES)
    return folder


@pytest.fixture(scope="module")
def by_spark(lake, tmp_path_factory):
    """Folder of what Spark wrote, and the counts that it told; a process of its own, so that the JVM ends too."""
    need("pyspark")
    out = tmp_path_factory.mktemp("by_spark")
    files = [str(lake / compressed_key(fleet_day.DAY, fleet_day.vin(n))) for n in range(VEHICLES)]
    command = [sys.executable, "-c", IN_SPARK, str(lake), str(out), fleet_day.DAY, *files]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=root)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = next(line for line in done.stdout.splitlines() if line.startswith("="))
    return out, [int(count) for count in counts.split()[1:]]


def in_micros(frame, *keys):
    """Times as µs, sorted: what all baselines can be compared by."""
    frame = frame.with_columns(pl.col(pl.Datetime).dt.timestamp("us"))
    return frame.rename({"event_time": "time"}, strict=False).sort(*keys)


def same(found, wanted):
    assert found.height == wanted.height > VEHICLES
    assert set(found.columns) == set(wanted.columns)
    for name in wanted.columns:
        pairs = zip(found[name].to_list(), wanted[name].to_list(), strict=True)
        far = [
            (ours, theirs)
            for ours, theirs in pairs
            if ours != theirs and not (ours and theirs and math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9))
        ]
        assert far == [], name


def test_duckdb_comes_to_the_rows_and_segments_of_polars(lake):
    tables = tables_of(str(lake), VEHICLES)
    for key, sql, frame in zip(("time", "segment"), duckdb_tables(tables), polars_tables(tables), strict=True):
        same(in_micros(pl.from_arrow(sql), "vin", key), in_micros(frame, "vin", key))


def test_sparks_windows_come_to_the_rows_and_segments_of_polars(lake, by_spark):
    out, (rows, segments, _) = by_spark
    wanted = polars_tables(tables_of(str(lake), VEHICLES))
    assert (rows, segments) == tuple(map(len, wanted))
    for name, key, frame in zip(("wide", "segments"), ("time", "segment"), wanted, strict=True):
        same(in_micros(pl.read_parquet(out / name / "*.parquet"), "vin", key), in_micros(frame, "vin", key))


def test_sparks_json_reader_comes_to_our_long_rows(lake, by_spark):
    out, (*_, rows) = by_spark
    key = ["event_time", "received_at", "vin", "txid", "partition", "offset", "source_ts", "signal", "kind"]
    ours = pl.read_parquet(lake / "compressed/**/*.parquet").select(key)
    spark = pl.read_parquet(out / "long/**/*.parquet", hive_partitioning=True).select(key)
    assert rows == ours.height
    same(in_micros(spark, *key[1:]), in_micros(ours, *key[1:]))


def test_a_cluster_pays_where_its_start_is_made_good():
    pool, spark = Cost(1.0, 0.01, 2), Cost(10.0, 0.012, 2)
    assert faster_from(pool, spark) is None
    cluster = spark.on(8)
    size = faster_from(pool, cluster)
    assert size == pytest.approx(9.0 / (0.005 - 0.0015))
    assert pool.start_s + size * pool.vehicle_s == pytest.approx(cluster.start_s + size * cluster.vehicle_s)
    large = started_from(cluster)
    assert cluster.start_s == pytest.approx(0.1 * (cluster.start_s + large * cluster.vehicle_s))
    assert faster_from(spark, pool) == 0.0

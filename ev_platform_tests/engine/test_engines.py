"""The same chain on the pool, Spark classic, Spark Connect, Ray and Dask: every file byte for byte, kills included."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import fleet_day
from ev_platform.engine import adapter
from ev_platform.engine.adapter import attempt, run_items
from ev_platform.engine.items import TaskError, WorkItem
from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.settings import Settings
from ev_platform_tests.dashboard.server import free_port
from ev_platform_tests.engine.chain import MARKER
from ev_platform_tests.engine.extras import need

VEHICLES = 12
DIVIDED = {"EV_SHARDS": "3", "EV_BATCH_VEHICLES": "4", "EV_WORKERS": "2"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    fleet_day.fill(folder / "lake", VEHICLES)
    return folder / "lake"


def chain(lake, *, kill=True, **environment):
    """What `chain` prints, on a copy of the raw lake."""
    ours = {
        **os.environ,
        "EV_LAKE_URL": str(lake),
        "EV_STATE_DIR": str(lake.parent / "state"),
        **DIVIDED,
        **environment,
    }
    command = [sys.executable, "-m", "ev_platform_tests.engine.chain", *(["--kill"] if kill else [])]
    done = subprocess.run(command, env={**os.environ, **ours}, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def files(lake):
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(lake.rglob("*"))
        if path.is_file() and not str(path.relative_to(lake)).startswith(("state/", ".locks"))
    }


@pytest.fixture(scope="module")
def by_pool(raw, tmp_path_factory):
    lake = tmp_path_factory.mktemp("pool") / "lake"
    shutil.copytree(raw, lake)
    said = chain(lake, kill=False)
    found = files(lake)
    assert len(found) > 2 * VEHICLES
    assert not [key for key in found if key.startswith("temp/")]
    return said, found


@pytest.fixture(scope="module")
def connect_server(tmp_path_factory):
    """A Spark Connect server of its own on loopback, as a user would start it; ended by its process id."""
    need("pyspark")
    import pyspark

    home, port = Path(pyspark.__file__).parent, free_port()
    folder = tmp_path_factory.mktemp("connect")
    command = [
        *(str(home / "bin/spark-submit"), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
        *("--master", "local[2,4]", "--driver-memory", "1g"),
        *(
            "--conf",
            f"spark.connect.grpc.binding.port={port}",
            "--conf",
            "spark.connect.grpc.binding.address=127.0.0.1",
        ),
        *("--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1", "spark-internal"),
    ]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(home)}
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                assert server.poll() is None, (folder / "log.txt").read_text()[-3000:]
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.2)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory):
    """A scheduler and two workers, processes of their own."""
    need("distributed")
    port, folder = free_port(), tmp_path_factory.mktemp("dask")
    module, address = [sys.executable, "-m"], f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    started = [
        subprocess.Popen(
            [*module, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            **quiet,
        )
    ]
    worker = [*module, "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    started.append(subprocess.Popen([*worker, "--host", "127.0.0.1"], **quiet))
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def same(raw, by_pool, tmp_path, **environment):
    lake = tmp_path / "lake"
    shutil.copytree(raw, lake)
    said = chain(lake, **environment)
    assert said["killed"] == list("ABCDEF")
    assert said["failed"] == "2026-10-01, B: its file is broken"
    died = {path.name for path in (lake / "state").iterdir()}
    assert {f"{Path(MARKER).name}-C"} < died  # the map's worker, and compaction's
    wanted, ours = by_pool[1], files(lake)
    assert {key for key in wanted.keys() | ours.keys() if wanted.get(key) != ours.get(key)} == set()
    assert said["health"] == by_pool[0]["health"]
    return said


def told_on_the_way(said):
    """Some line of progress came while items were still running."""
    shown = [int(line.split()[1]) for line in said["told"]]
    return shown == sorted(set(shown)) and any(0 < number < 6 for number in shown)


def test_spark_classic_gives_the_same_files(raw, by_pool, tmp_path):
    need("pyspark")
    assert told_on_the_way(same(raw, by_pool, tmp_path, EV_ENGINE="spark", EV_SPARK_REMOTE="local[2,4]"))


def test_spark_connect_gives_the_same_files(raw, by_pool, tmp_path, connect_server):
    assert told_on_the_way(same(raw, by_pool, tmp_path, EV_ENGINE="spark", EV_SPARK_REMOTE=connect_server))


def test_ray_gives_the_same_files(raw, by_pool, tmp_path):
    need("ray")
    same(raw, by_pool, tmp_path, EV_ENGINE="ray")


def test_dask_gives_the_same_files(raw, by_pool, tmp_path, dask_cluster):
    same(raw, by_pool, tmp_path, EV_ENGINE="dask", EV_DASK_ADDRESS=dask_cluster)


def test_progress_that_comes_at_the_end_only_is_noticed():
    assert told_on_the_way({"told": ["spark: 2 of 6 work items of 2026-10-01 ended"]})
    assert not told_on_the_way({"told": ["spark: 6 of 6 work items of 2026-10-01 ended"]})
    assert not told_on_the_way({"told": []})


def test_a_byte_more_or_a_file_less_is_noticed(raw, by_pool, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(raw, lake)
    chain(lake, kill=False)
    assert files(lake) == by_pool[1]
    part = next((lake / "segments").rglob("*.parquet"))
    part.write_bytes(part.read_bytes() + b"\0")
    assert files(lake) != by_pool[1]
    part.unlink()
    assert files(lake).keys() != by_pool[1].keys()


# -- the adapter, without any engine ---------------------------------------------------------------------------------


def items(*vins):
    return [WorkItem("/tmp/lake", "2026-11-02", (vin,)) for vin in vins]


def vin_of(item):
    return item.vehicles[0]


def of_engine(monkeypatch, map_items):
    monkeypatch.setattr(adapter.importlib, "import_module", lambda name: SimpleNamespace(map_items=map_items))
    return Settings(_env_file=None, engine="ray")


def test_an_engine_that_loses_an_item_is_noticed(monkeypatch, tmp_path):
    settings = of_engine(monkeypatch, lambda fn, items, settings: iter([fn(item) for item in items][:-1]))
    with pytest.raises(ValueError, match="shorter"):
        list(run_items(vin_of, items(*"ABC"), ObjectStore(str(tmp_path)), settings))


def test_results_come_in_the_order_of_the_items(monkeypatch, tmp_path):
    settings = of_engine(monkeypatch, lambda fn, items, settings: (fn(item) for item in items))
    assert list(run_items(vin_of, items(*"ABC"), ObjectStore(str(tmp_path)), settings)) == list("ABC")
    assert list(run_items(vin_of, [], ObjectStore(str(tmp_path)), settings)) == []


def test_a_lake_in_memory_cannot_be_reached_by_workers():
    with pytest.raises(UserError, match=r"EV_ENGINE=dask needs a lake that its workers can reach"):
        run_items(vin_of, items("A"), ObjectStore("memory://x"), Settings(_env_file=None, engine="dask"))


def test_without_the_extra_there_is_one_line(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError("No module named 'distributed'", name="distributed")

    monkeypatch.setattr(adapter.importlib, "import_module", missing)
    with pytest.raises(UserError, match=r"requirements-dask\.lock"):
        list(run_items(vin_of, items("A"), ObjectStore(str(tmp_path)), Settings(_env_file=None, engine="dask")))


def test_spark_without_an_address_says_what_to_set(tmp_path):
    need("pyspark")
    with pytest.raises(UserError, match="EV_SPARK_REMOTE"):
        list(run_items(vin_of, items("A"), ObjectStore(str(tmp_path)), Settings(_env_file=None, engine="spark")))


def test_what_may_pass_is_tried_again_and_a_verdict_is_not(monkeypatch):
    monkeypatch.setattr(adapter, "PAUSE_S", 0.0)
    calls = []

    def flaky(item):
        calls.append(item)
        if len(calls) < 3:
            raise OSError("connection reset")
        return "there"

    assert attempt(flaky, items("A")[0]).value == "there"
    calls.clear()
    for error, times in ((OSError("gone"), adapter.ATTEMPTS), (TaskError("broken"), 1)):

        def failing(item, error=error):
            calls.append(item)
            raise error

        calls.clear()
        outcome = attempt(failing, items("A")[0])
        assert len(calls) == times
        assert str(error) in outcome.error
    assert "3 attempts" in attempt(lambda item: 1 / 0, items("A")[0]).error

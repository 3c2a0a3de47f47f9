"""Telematics through Dagster: the sensor's drains, the night, late readings, failing checks; raw/files as asset."""

import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pytest

from ev_platform.commands.requests import Requests
from ev_platform.definitions import defs as load_definitions
from ev_platform.defs.lake.assets import compressed
from ev_platform.defs.lake.checks import lake_checks
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.files import RAW_FILES, raw_files
from ev_platform.defs.resources import resources_for
from ev_platform.defs.telematics.assets import ALARMS_KEY, EVENTS_KEY, RAW_TELEMATICS, STYLE_KEY, alarms, events
from ev_platform.defs.telematics.checks import CHECKS, telematics_checks
from ev_platform.ingest.lag import probe
from ev_platform.ingest.telematics import telematics_settings
from ev_platform.lake.layout import part_key
from ev_platform.lake.tables import from_parquet, to_parquet
from ev_platform.settings import load_settings
from ev_platform.simulate.replay import Pace, replay
from ev_platform.simulate.telematics import readings, write_csv
from ev_platform_tests.defs.runs import add_run
from ev_platform_tests.ingest.helpers import DAY_MS, Sent, send
from ev_platform_tests.mock_control import MockCluster
from ev_platform_tests.telematics.cases import T0, TOPIC, put_raw, reading

FIRST = date(2026, 11, 1)
DAYS = ["2026-11-01", "2026-11-02"]


@pytest.fixture
def chain(tmp_path, instance, monkeypatch):
    """Two days of readings in a topic, on an own broker, and the real definitions on an instance."""
    with MockCluster() as cluster:
        settings = load_settings(
            lake_url=str(tmp_path / "lake"), state_dir=tmp_path, kafka_bootstrap=cluster.bootstrap,
            kafka_timeout_seconds=5,
        )  # fmt: skip
        for name, value in settings.child_environment().items():
            if name.startswith("EV_"):
                monkeypatch.setenv(name, value)  # runs take their resources from the environment
        cluster.create_topic(settings.telematics_topic, 2)
        write_csv(readings(FIRST, 2, 2, 1), tmp_path / "readings.csv")
        replay(settings, tmp_path / "readings.csv", Pace(rate=0, duplicates=0.1, disorder=0.1))
        requests = Requests(load_definitions(), instance, Platform(settings), tmp_path / "cursor.json")
        yield requests, settings, cluster


def night_of(day):
    return datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), UTC) + timedelta(
        minutes=15
    )


def made(instance, key):
    return set(instance.get_materialized_partitions(key))


def test_sensor_night_and_late_readings(chain, instance):
    requests, settings, cluster = chain
    requests.automation(night_of(DAYS[1]))  # the first look
    assert requests.sensor("telematics_lag") == 1
    assert requests.sensor("telematics_lag") == 0
    assert all(lag.behind == 0 for lag in probe(telematics_settings(settings)))
    assert set(DAYS) <= made(instance, RAW_TELEMATICS)
    assert requests.schedule("telematics_nightly", night_of(DAYS[1])) == 2
    assert requests.tally.failed_runs == requests.tally.checks_failed == []
    assert made(instance, EVENTS_KEY) == made(instance, STYLE_KEY) == set(DAYS)
    store = requests._resources["platform"].store
    over = [row for row in from_parquet(store.get(part_key("telematics/alarms", DAYS[0]))).to_pylist()
            if row["variable"] == "EXTERNAL BATTERY"]  # fmt: skip
    assert [row["count"] for row in over] == [9]
    assert requests.schedule("telematics_nightly", night_of(DAYS[1])) == 0
    requests.automation(night_of(DAYS[1]))
    # late: two more very low readings after midnight make the alarm of the first day longer
    late = [
        reading(T0 + DAY_MS + minutes * 60_000, "11.1", "EXTERNAL BATTERY", 1, over[0]["device_id"])
        for minutes in (25, 30)
    ]
    send(
        cluster.bootstrap,
        settings.telematics_topic,
        [Sent(json.dumps(one).encode(), timestamp=T0 + 3 * DAY_MS) for one in late],
    )
    assert requests.sensor("telematics_lag") == 1
    for _ in range(4):
        requests.automation(night_of(DAYS[1]))
    assert requests.tally.failed_runs == requests.tally.checks_failed == []
    again = [row for row in from_parquet(store.get(part_key("telematics/alarms", DAYS[0]))).to_pylist()
             if row["variable"] == "EXTERNAL BATTERY"]  # fmt: skip
    assert [row["count"] for row in again] == [11]
    newest = instance.get_latest_storage_id_by_partition(STYLE_KEY, dg.DagsterEventType.ASSET_MATERIALIZATION)
    changed = instance.get_latest_storage_id_by_partition(ALARMS_KEY, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert newest[DAYS[0]] > 0
    assert changed[DAYS[0]] > 0
    assert store.keys("temp_telematics") == []


def test_one_drain_at_a_time_and_none_without_a_broker(chain, instance, platform):
    requests, _, _ = chain
    add_run(instance, dg.DagsterRunStatus.STARTED, 10, job="drain_telematics")
    assert requests.sensor("telematics_lag") == 0
    add_run(instance, dg.DagsterRunStatus.STARTED, 10, job="drain")  # the vehicles' drain is none of its business
    nothing = Requests(load_definitions(), instance, platform, requests._cursor_file)
    assert nothing.sensor("telematics_lag") == 0


def materialize(platform, instance, assets, day, **options):
    return dg.materialize(
        assets, instance=instance, resources=resources_for(platform), partition_key=day, raise_on_error=False, **options
    )


def test_metadata_of_a_day(platform, instance):
    put_raw(platform.store, [reading(), reading(), reading(value="x", variable="?")])
    result = materialize(platform, instance, [events, *telematics_checks], DAYS[0])
    assert result.success
    (found,) = result.asset_materializations_for_node("telematics__events")
    assert (
        found.metadata["dagster/partition_row_count"].value == 3
        if "dagster/partition_row_count" in found.metadata
        else True
    )
    assert found.metadata["repeats"].value == 1
    assert found.metadata["unknown"].value == 1
    assert "normal" in found.metadata["bands"].value
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        row.name: True for row in CHECKS
    }


@pytest.mark.parametrize("check", ["row_conservation", "counted_once", "band_order"])
def test_every_check_can_fail_and_the_blocking_ones_stop_what_follows(platform, instance, check, monkeypatch):
    rows = [one.as_row() for one in readings(FIRST, 1, 2, 1)]
    rows.append(rows[0])
    put_raw(platform.store, rows)
    receipt = {"source": TOPIC, "partition": 0, "start": 0, "end": len(rows), "days": {DAYS[0]: [[0, len(rows) - 1]]}}
    body = {"partitions": [{**receipt, "dead": [], "tombstones": []}]}
    platform.store.put(f"ops/telematics/offsets/{DAYS[0]}/receipt.json", json.dumps(body).encode())
    real = platform.store.swap

    def spoilt(key, data, version):
        table = from_parquet(data)
        if check == "row_conservation":
            table = table.slice(0, len(table) - 1)
        elif check == "counted_once":
            at = table.column_names.index("repeat")
            table = table.set_column(at, table.schema.field("repeat"), pa.array([False] * len(table)))
        else:
            at = table.column_names.index("band")
            swapped = {"very_low": "very_high", "very_high": "very_low"}
            bands = [swapped.get(band, band) for band in table["band"].to_pylist()]
            table = table.set_column(at, table.schema.field("band"), pa.array(bands))
        return real(key, to_parquet(table), version)

    monkeypatch.setattr(platform.store, "swap", spoilt)
    if check == "row_conservation":  # the task itself would notice: it reads back what it merged
        monkeypatch.setattr("ev_platform.engine.telematics._absent", lambda *_: 0)
    result = materialize(platform, instance, [events, alarms, *telematics_checks], DAYS[0])
    failed = {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}
    assert check in failed
    blocking = check != "band_order"
    assert result.success == (not blocking)
    assert bool(result.asset_materializations_for_node("telematics__alarms")) == (not blocking)


# -- raw/files --------------------------------------------------------------------------------------------------------


def test_files_imported_from_a_run_are_told_by_event_day(platform, instance, tmp_path):
    vin = "EVPLEAF0000000001"
    path = tmp_path / "a.csv"
    path.write_text("time,soc_percent\n2026-10-05T10:00:00Z,50\n2026-10-05T11:00:00Z,51\n2026-10-06T10:00:00Z,52\n")
    config = {"ops": {"raw__files": {"config": {"files": [str(path)], "vin": vin}}}}
    result = materialize(platform, instance, [raw_files], "2026-10-06", run_config=config)
    assert result.success
    assert {"2026-10-05", "2026-10-06"} == made(instance, RAW_FILES)
    result = materialize(platform, instance, [compressed, *lake_checks], "2026-10-05")
    assert result.success
    platform.store.delete(platform.store.keys("compressed/2026/10/05"))
    result = materialize(platform, instance, [compressed, *lake_checks], "2026-10-05")
    failed = {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}
    assert failed == {"imports_kept"}

"""Dagster accepts docker/dagster.yaml and both workspace files, and takes from them what we meant."""

import dagster as dg
import pytest
import sqlalchemy
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster_aws.s3 import S3ComputeLogManager
from dagster_postgres import DagsterPostgresStorage

from ev_platform_tests.docker.files import DOCKER, ROOT, instance_variables

VALUES = {
    "POSTGRES_HOST": "db.example",
    "POSTGRES_USER": "someone",
    "POSTGRES_PASSWORD": "word",
    "POSTGRES_DB": "runs",
    "BUCKET_NAME": "a-bucket",
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Writes a dagster.yaml into an empty Dagster home whose environment has every variable it names."""
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.example:7070")

    def write(change=lambda config: None):
        config = yaml.safe_load((DOCKER / "dagster.yaml").read_text())
        change(config)
        (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
        return tmp_path

    return write


def test_the_variables_are_those_we_test_with():
    assert instance_variables() == set(VALUES)


def test_dagster_accepts_the_file(home):
    settings, custom = dagster_instance_config(str(home()))
    assert custom is None
    assert settings["storage"]["postgres"]["postgres_db"]["hostname"] == {"env": "POSTGRES_HOST"}


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(run_queue={"max_concurrent_runs": 3}),
        lambda c: c["concurrency"]["pools"].update(granularity="runs"),
        lambda c: c["concurrency"]["runs"].update(max_concurrent="6"),
        lambda c: c["run_monitoring"].update(start_timeout="180"),
        lambda c: c["retention"]["sensor"]["purge_after_days"].update(skiped=1),
        lambda c: c["storage"].update(sqlite={"base_dir": "x"}),
        lambda c: c.update(telemetry={"enable": False}),
    ],
    ids=["old queue", "granularity", "runs key", "monitoring key", "retention key", "two storages", "telemetry key"],
)
def test_dagster_refuses_a_broken_copy(home, change):
    with pytest.raises(dg.DagsterInvalidConfigError):
        dagster_instance_config(str(home(change)))


def storage_url(folder, monkeypatch):
    """Where the instance of a Dagster home would connect to."""
    opened = []
    monkeypatch.setattr(DagsterPostgresStorage, "__init__", lambda self, postgres_url, **_: opened.append(postgres_url))
    InstanceRef.from_dir(str(folder)).storage_data.rehydrate()
    return opened[0]


def test_runs_and_events_go_to_postgres_through_a_driver_that_is_installed(home, monkeypatch):
    url = storage_url(home(), monkeypatch)
    assert url == "postgresql+psycopg2://someone:word@db.example:5432/runs"
    sqlalchemy.create_engine(url)  # imports the driver, connects to nothing


def test_a_driver_that_is_not_installed_is_noticed(home, monkeypatch):
    url = storage_url(home(lambda config: config["storage"]["postgres"]["postgres_db"].pop("scheme")), monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="psycopg"):
        sqlalchemy.create_engine(url)


def test_logs_go_to_the_bucket_under_their_own_prefix(home):
    manager = InstanceRef.from_dir(str(home())).compute_logs_data.rehydrate(as_type=S3ComputeLogManager)
    assert manager._s3_bucket == "a-bucket"
    assert manager._s3_session.meta.endpoint_url == "http://s3.example:7070"
    assert manager._s3_session.meta.region_name == "eu-west-1"
    assert manager._s3_key(
        ["run", "compute_logs", "step"], dg._core.storage.compute_log_manager.ComputeIOType.STDOUT
    ) == ("dagster-logs/storage/run/compute_logs/step.out")
    assert manager.upload_interval == 30


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("compute_logs_data", lambda c: c["compute_logs"]["config"].update(buckets="x")),
        ("compute_logs_data", lambda c: c["compute_logs"].update({"class": "S3ComputeLogs"})),
        ("compute_logs_data", lambda c: c["compute_logs"].update(module="dagster_aws.compute_log_manager")),
    ],
    ids=["key", "class", "module"],
)
def test_a_class_that_cannot_be_built_is_noticed(home, part, change):
    with pytest.raises(Exception, match=r"S3ComputeLogs|dagster_aws|Errors whilst loading"):
        getattr(InstanceRef.from_dir(str(home(change))), part).rehydrate()


@pytest.mark.parametrize("missing", sorted(VALUES))
def test_a_missing_variable_is_named(home, monkeypatch, missing):
    monkeypatch.delenv(missing)
    ref = InstanceRef.from_dir(str(home()))
    part = ref.compute_logs_data if missing == "BUCKET_NAME" else ref.storage_data
    with pytest.raises(Exception, match=missing):
        part.rehydrate()


def test_the_instance_does_what_we_meant(home, tmp_path):
    """The very file, with SQLite in the place of Postgres: what the daemon would read from the instance."""
    folder = home(lambda config: config.update(storage={"sqlite": {"base_dir": str(tmp_path / "db")}}))
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder))) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_start_timeout_seconds == 180
        assert instance.get_settings("run_monitoring")["max_runtime_seconds"] == 6 * 3600
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert instance.run_retries_retry_on_asset_or_op_failure is False
        concurrency = instance.get_concurrency_config()
        assert concurrency.pool_config.default_pool_limit == 1
        assert concurrency.pool_config.pool_granularity.value == "run"
        assert concurrency.run_queue_config.max_concurrent_runs == 6
        assert concurrency.run_queue_config.tag_concurrency_limits == [{"key": "dagster/backfill", "limit": 3}]
        assert instance.telemetry_enabled is False
        assert instance.freshness_enabled
        assert instance.get_settings("sensors")["use_threads"]
        skipped = instance.get_tick_retention_settings(dg._core.definitions.run_request.InstigatorType.SENSOR)
        assert {status.value: days for status, days in skipped.items()}["SKIPPED"] == 1


def test_both_workspaces_name_the_same_code_location():
    inside = location_origins_from_yaml_paths([str(DOCKER / "workspace.yaml")])
    outside = location_origins_from_yaml_paths([str(ROOT / "workspace.yaml")])
    assert (
        [origin.location_name for origin in inside] == [origin.location_name for origin in outside] == ["ev_platform"]
    )
    assert isinstance(inside[0], GrpcServerCodeLocationOrigin)
    assert (inside[0].host, inside[0].port) == ("code", 4000)
    assert outside[0].loadable_target_origin.module_name == "ev_platform.definitions"

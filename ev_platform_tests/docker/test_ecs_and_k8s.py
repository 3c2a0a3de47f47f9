"""The examples for ECS and Kubernetes: Dagster accepts the first, both say what docker/dagster.yaml says."""

import re

import boto3
import pytest
import yaml
from dagster import DagsterInvalidConfigError
from dagster._check import CheckError
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster_aws.ecs import EcsRunLauncher

from ev_platform.lake.access import LOGS
from ev_platform_tests.docker.files import DOCKER, PROJECT, settings_variables
from ev_platform_tests.moto_server import moto_bucket

VALUES = {
    "POSTGRES_HOST": "db.example",
    "POSTGRES_USER": "someone",
    "POSTGRES_PASSWORD": "word",
    "POSTGRES_DB": "runs",
    "BUCKET_NAME": "a-bucket",
    "EV_RUN_TASK_DEFINITION": "ev_platform-run",
    "EV_ECS_CLUSTER": "ev_platform",
}


def base():
    return yaml.safe_load((DOCKER / "dagster.yaml").read_text())


def ecs():
    return yaml.safe_load((DOCKER / "ecs" / "dagster.yaml").read_text())


def values():
    return yaml.safe_load((DOCKER / "k8s" / "values.yaml").read_text())


# -- ECS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A Dagster home with the file, changed; moto has the task definition that it names."""
    with moto_bucket():
        for name, value in VALUES.items():
            monkeypatch.setenv(name, value)
        boto3.client("ecs").register_task_definition(
            family="ev_platform-run", containerDefinitions=[{"name": "run", "image": "ev_platform", "memory": 512}]
        )

        def write(change=lambda config: None):
            config = ecs()
            change(config)
            (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
            return str(tmp_path)

        yield write


def test_the_rest_is_that_of_one_machine():
    document = ecs()
    assert document.pop("run_launcher")["class"] == "EcsRunLauncher"
    assert document == base()


def test_dagster_builds_the_launcher_from_it(home):
    dagster_instance_config(home())
    launcher = InstanceRef.from_dir(home()).run_launcher_data.rehydrate(as_type=EcsRunLauncher)
    assert "task-definition/ev_platform-run:" in launcher.task_definition
    assert launcher.container_name == "run"
    network = launcher.run_task_kwargs["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    assert all(isinstance(text, str) for text in [*network["subnets"], *network["securityGroups"]])
    assert launcher.run_task_kwargs["cluster"] == "ev_platform"
    assert launcher.run_resources == {"cpu": "2048", "memory": "8192"}


def test_every_variable_of_the_file_is_one_we_test_with():
    assert set(re.findall(r"\{env: (\w+)\}", (DOCKER / "ecs" / "dagster.yaml").read_text())) == set(VALUES)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c: c["run_launcher"]["config"].update(tasks_definition="x"), DagsterInvalidConfigError),
        (lambda c: c["run_launcher"]["config"].update(run_resources="much"), DagsterInvalidConfigError),
        (lambda c: c["run_launcher"]["config"].update(container_name="other"), CheckError),
        (lambda c: c["run_launcher"]["config"]["run_task_kwargs"].update(lunchType="FARGATE"), CheckError),
        (lambda c: c["run_launcher"].update({"class": "EcsLauncher"}), CheckError),
    ],
    ids=["key", "resources", "container", "argument of RunTask", "class"],
)
def test_a_broken_copy_is_noticed(home, change, error):
    with pytest.raises(error):
        InstanceRef.from_dir(home(change)).run_launcher_data.rehydrate(as_type=EcsRunLauncher)


# -- Kubernetes -------------------------------------------------------------------------------------------------------

CHART = {
    "global": {"postgresqlSecretName", "dagsterHome"},
    "generatePostgresqlPasswordSecret": set(),
    "postgresql": {"enabled", "postgresqlHost", "postgresqlUsername", "postgresqlDatabase"},
    "serviceAccount": {"create", "annotations"},
    "dagster-user-deployments": {"enabled", "serviceAccount", "deployments"},
    "runLauncher": {"type", "config"},
    "computeLogManager": {"type", "config"},
    "dagsterDaemon": {"enabled", "runCoordinator", "runMonitoring", "runRetries", "sensors", "schedules"},
    "telemetry": {"enabled"},
}
"""Keys of Dagster's chart that the example uses; another one is a slip of the pen, the chart would ignore it."""


def test_only_keys_that_the_chart_has():
    for name, part in values().items():
        assert name in CHART
        assert set(part if isinstance(part, dict) else {}) <= CHART[name]


def snake(document):
    """camelCase keys as dagster.yaml has them."""
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in document.items()}


def test_limits_monitoring_and_retries_are_those_of_one_machine():
    daemon, one = values()["dagsterDaemon"], base()
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["maxConcurrentRuns"] == one["concurrency"]["runs"]["max_concurrent_runs"]
    assert queue["tagConcurrencyLimits"] == one["concurrency"]["runs"]["tag_concurrency_limits"]
    assert snake(daemon["runMonitoring"]) == one["run_monitoring"]
    assert snake(daemon["runRetries"]) == one["run_retries"]
    assert snake(daemon["sensors"]) == one["sensors"]
    assert snake(daemon["schedules"]) == one["schedules"]


def test_logs_go_where_the_policies_allow_it():
    logs = values()["computeLogManager"]
    assert logs["type"] == base()["compute_logs"]["class"]
    told = snake(logs["config"]["s3ComputeLogManager"])
    assert told.pop("bucket") == "ev-platform"
    assert told == {name: value for name, value in base()["compute_logs"]["config"].items() if name != "bucket"}
    assert told["prefix"] == LOGS == base()["compute_logs"]["config"]["prefix"]


def test_the_code_location_is_ours_and_its_variables_are_settings():
    (deployment,) = values()["dagster-user-deployments"]["deployments"]
    assert deployment["image"]["tag"] == PROJECT["version"]
    assert deployment["dagsterApiGrpcArgs"] == ["--module-name", "ev_platform.definitions"]
    assert deployment["includeConfigInLaunchedRuns"]["enabled"]
    names = {one["name"] for one in deployment["env"]}
    assert names - set(settings_variables()) == {"BUCKET_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"}
    secrets = [one["value"] for one in deployment["env"] if "KAFKA_OPTIONS" in one["name"]]
    assert secrets == ["aws-secret:ev_platform/kafka"], "no secret stands in a values file"


def test_the_version_of_the_chart_is_that_of_dagster():
    (pinned,) = [line for line in PROJECT["dependencies"] if line.startswith("dagster==")]
    assert f"--version {pinned.split('==')[1]}" in (DOCKER / "k8s" / "values.yaml").read_text()

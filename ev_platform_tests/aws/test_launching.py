"""A run launched, watched and stopped by Dagster's EcsRunLauncher as docker/ecs/dagster.yaml configures it, on moto.

What it calls is what the daemon's policy allows, neither less nor more.
"""

import boto3
import dagster as dg
import pytest
import yaml
from botocore.client import BaseClient
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus
from dagster._core.test_utils import create_run_for_test
from dagster_aws.ecs import EcsRunLauncher

from ev_platform.lake.access import ROLES, policy
from ev_platform_tests.aws.test_policy import PLACE, ROOT, allows
from ev_platform_tests.moto_server import moto_bucket

LATER = {"logs:GetLogEvents", "ecs:TagResource", "iam:PassRole"}
"""Granted though no client calls them here: logs of failed runs; what RunTask needs besides (tags, the task's role)."""


@dg.job
def nothing():
    pass


@pytest.fixture
def called(monkeypatch):
    """(service:Call, argument) of every call to ECS, in order."""
    calls = []
    real = BaseClient._make_api_call

    def noted(self, operation, arguments):
        if self.meta.service_model.service_name != "s3":
            calls.append((f"{self.meta.service_model.service_name}:{operation}", arguments))
        return real(self, operation, arguments)

    with moto_bucket():
        ecs, ec2 = boto3.client("ecs"), boto3.client("ec2")
        ecs.create_cluster(clusterName="ev_platform")
        ecs.register_task_definition(
            family="ev_platform-run",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="2048",
            memory="8192",
            containerDefinitions=[{"name": "run", "image": "ev_platform:0.1.0", "cpu": 1024, "memory": 4096}],
        )
        config = yaml.safe_load((ROOT / "docker" / "ecs" / "dagster.yaml").read_text())["run_launcher"]["config"]
        network = config["run_task_kwargs"]["networkConfiguration"]["awsvpcConfiguration"]
        network["subnets"] = [ec2.describe_subnets()["Subnets"][0]["SubnetId"]]
        network["securityGroups"] = [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]]
        monkeypatch.setenv("EV_RUN_TASK_DEFINITION", "ev_platform-run")
        monkeypatch.setenv("EV_ECS_CLUSTER", "ev_platform")
        monkeypatch.setattr(BaseClient, "_make_api_call", noted)
        with dg.instance_for_test(
            overrides={"run_launcher": {"module": "dagster_aws.ecs", "class": "EcsRunLauncher", "config": config}}
        ) as instance:
            yield instance, calls


def test_a_run_is_a_task_and_the_daemon_may_do_all_that_it_takes(called):
    instance, calls = called
    launcher = instance.run_launcher
    assert isinstance(launcher, EcsRunLauncher)
    run = create_run_for_test(instance, "nothing", job_code_origin=dg.reconstructable(nothing).get_python_origin())
    launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    run = instance.get_run_by_id(run.run_id)
    assert run.tags["ecs/cluster"].endswith("cluster/ev_platform")
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
    assert launcher.terminate(run.run_id)
    assert launcher.check_run_worker_health(run).status != WorkerStatus.RUNNING

    (started,) = [arguments for call, arguments in calls if call == "ecs:RunTask"]
    assert started["launchType"] == "FARGATE"
    (container,) = started["overrides"]["containerOverrides"]
    assert container["name"] == "run"
    assert container["command"][:3] == ["dagster", "api", "execute_run"]

    document, made = policy("daemon", PLACE), {call for call, _ in calls}
    where = "arn:aws:ecs:eu-west-1:123456789012"
    resources = {"ecs:RunTask": f"{where}:task-definition/ev_platform-run:1", "ecs:DescribeTaskDefinition": "*"}
    for call in made:
        assert allows(document, call, resources.get(call, f"{where}:task/ev_platform/0123")), call
    granted = {
        action
        for statement in document["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if not action.startswith("s3:")
    }
    assert granted - made == LATER
    assert not allows(document, "secretsmanager:ListSecrets", "*"), "called if secrets_tag were not null"


def test_it_may_start_no_tasks_of_others_and_no_other_role_may_start_any():
    where = "arn:aws:ecs:eu-west-1:123456789012"
    assert not allows(policy("daemon", PLACE), "ecs:RunTask", f"{where}:task-definition/payroll:1")
    for role in set(ROLES) - {"daemon"}:
        assert not allows(policy(role, PLACE), "ecs:RunTask", f"{where}:task-definition/ev_platform-run:1")

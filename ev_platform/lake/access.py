"""Who may do what below which folder of the lake: one table, and the IAM policy that is made of it.

Belongs here: roles, their rights per prefix of `layout.PREFIXES`, the JSON of a policy. Pure; nothing talks to AWS. Not
here: what runs under which role (docs/deploy.md). Tests record the requests of real runs and hold them against this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ev_platform.lake.layout import PREFIXES

LOGS = "dagster-logs"
"""Folder of the runs' logs, beside the lake in its bucket (docker/dagster.yaml)."""

ACTIONS = {"R": "s3:GetObject", "W": "s3:PutObject", "D": "s3:DeleteObject"}
"""Rights on objects; L is the right to list names."""

TABLES = ("compressed", "cleaned", "segments", "results", "ref", "telematics", "energy", "market", "insights")

INGEST = {
    "temp": "LW",
    "temp_telematics": "LW",
    "dead_letter": "LW",
    "state": "LRWD",
    "ops": "LRWD",
}
"""`ev ingest`, `ev drain`: it never reads vehicle data back, and cannot touch what was compacted."""

CODE = {
    **dict.fromkeys(PREFIXES, "LRWD"),
    "compressed": "LRW",
    "dead_letter": "LRW",
    "quarantine": "LRW",
}
"""Runs: everything, but what is lossless or set aside is never deleted."""

DASHBOARD = {
    **dict.fromkeys(PREFIXES, "L"),
    **dict.fromkeys(("results", "ref", "telematics", "energy", "market", "insights"), "LR"),
    "ops": "LR",
    "dead_letter": "LR",
    "quarantine": "LR",
}
"""Pages read results, and what operation leaves; raw messages stay closed to them."""

READER = dict.fromkeys(TABLES, "LR")
"""A data scientist: the tables, by Athena or as Parquet files."""

ROLES: dict[str, Mapping[str, str]] = {
    "ingest": INGEST,
    "daemon": {},
    "code": CODE,
    "dashboard": DASHBOARD,
    "reader": READER,
}
"""Role → prefix → rights. The daemon launches runs and keeps their logs; sensors are evaluated where the code is."""

_LOG_ROLES, _SECRET_ROLES, _QUERY_ROLES = (
    {"code", "daemon"},
    {"ingest", "code", "dashboard"},
    {"code", "dashboard", "reader"},
)
_GLUE_READ = ("GetDatabase", "GetDatabases", "GetTable", "GetTables", "GetPartition", "GetPartitions")
_GLUE_WRITE = ("CreateDatabase", "CreateTable", "UpdateTable")
_ATHENA = ("StartQueryExecution", "StopQueryExecution", "GetQueryExecution", "GetQueryResults", "GetWorkGroup")


@dataclass(frozen=True)
class Place:
    """Where a deployment lives; what is left empty gives no statement."""

    bucket: str
    prefix: str = ""
    region: str = "*"
    account: str = "*"
    database: str = ""
    workgroup: str = "primary"
    staging: str = ""
    """Folder of Athena's results, `bucket/folder`."""
    topic_arn: str = ""
    secrets: str = "ev_platform"
    """First part of the names of secrets, parameters, task definitions, roles and log groups."""

    def key(self, folder: str) -> str:
        """A folder of the lake as a key of the bucket."""
        return f"{self.prefix.strip('/')}/{folder}".lstrip("/")


def policy(role: str, place: Place) -> dict[str, Any]:
    """The least that a role needs, as an IAM policy document.

    Raises:
        KeyError: there is no such role.
    """
    rights = dict(ROLES[role])
    statements = [*_lake(rights, place), *_logs(role, place), *_others(role, place)]
    return {"Version": "2012-10-17", "Statement": statements}


def _lake(rights: Mapping[str, str], place: Place) -> Iterable[dict[str, Any]]:
    listed = [place.key(folder) for folder, given in rights.items() if "L" in given]
    if listed:
        # IfExists: GetObject asks for this right, without a prefix, to tell 404 from 403, and the lake asks for objects
        # that are not there yet all the time.
        shown = [f"{key}{end}" for key in sorted(listed) for end in ("", "/*")]
        yield {
            "Sid": "ListLake",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{place.bucket}",
            "Condition": {"StringLikeIfExists": {"s3:prefix": shown}},
        }
    for letter, action in ACTIONS.items():
        folders = sorted(place.key(folder) for folder, given in rights.items() if letter in given)
        if folders:
            resources = [f"arn:aws:s3:::{place.bucket}/{folder}/*" for folder in folders]
            yield {"Sid": f"Lake{action[3:]}", "Effect": "Allow", "Action": action, "Resource": resources}


def _logs(role: str, place: Place) -> Iterable[dict[str, Any]]:
    if role in _LOG_ROLES:
        yield {
            "Sid": "Logs",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": f"arn:aws:s3:::{place.bucket}/{LOGS}/*",
        }
        yield {
            "Sid": "ListLogs",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{place.bucket}",
            "Condition": {"StringLikeIfExists": {"s3:prefix": [LOGS, f"{LOGS}/*"]}},
        }


def _others(role: str, place: Place) -> Iterable[dict[str, Any]]:
    where = f"{place.region}:{place.account}"
    if role in _SECRET_ROLES:
        # New values only where tokens rotate: in the polls, which are runs.
        write = ["secretsmanager:PutSecretValue", "secretsmanager:CreateSecret"] if role == "code" else []
        yield {
            "Sid": "Secrets",
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue", *write],
            "Resource": f"arn:aws:secretsmanager:{where}:secret:{place.secrets}/*",
        }
        yield {
            "Sid": "Parameters",
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": f"arn:aws:ssm:{where}:parameter/{place.secrets}/*",
        }
    if role == "code" and place.topic_arn:
        yield {"Sid": "Alerts", "Effect": "Allow", "Action": "sns:Publish", "Resource": place.topic_arn}
    if role == "daemon":
        yield from _launcher(place)
    if role in _QUERY_ROLES and place.database and place.staging:
        yield from _queries(role, place, where)


def _launcher(place: Place) -> Iterable[dict[str, Any]]:
    """What dagster_aws.ecs.EcsRunLauncher calls with docker/ecs/dagster.yaml: a task definition that exists already."""
    where = f"{place.region}:{place.account}"
    calls = {
        "LaunchRuns": (["ecs:RunTask"], f"arn:aws:ecs:{where}:task-definition/{place.secrets}-*"),
        "FollowRuns": (["ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"], f"arn:aws:ecs:{where}:task/*"),
        # AWS knows no resource for it.
        "ReadTaskDefinition": (["ecs:DescribeTaskDefinition"], "*"),
        "ReadLogsOfFailedRuns": (["logs:GetLogEvents"], f"arn:aws:logs:{where}:log-group:/{place.secrets}/*"),
    }
    for sid, (actions, resource) in calls.items():
        yield {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    yield {
        "Sid": "PassRunRoles",
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": f"arn:aws:iam::{place.account}:role/{place.secrets}-*",
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    }


def _queries(role: str, place: Place, where: str) -> Iterable[dict[str, Any]]:
    bucket, _, folder = place.staging.partition("/")
    folder = folder.strip("/")
    yield {
        "Sid": "Athena",
        "Effect": "Allow",
        "Action": [f"athena:{action}" for action in _ATHENA],
        "Resource": f"arn:aws:athena:{where}:workgroup/{place.workgroup}",
    }
    yield {
        "Sid": "Catalogue",
        "Effect": "Allow",
        "Action": [f"glue:{action}" for action in (*_GLUE_READ, *(_GLUE_WRITE if role == "code" else ()))],
        "Resource": [
            f"arn:aws:glue:{where}:catalog",
            f"arn:aws:glue:{where}:database/{place.database}",
            f"arn:aws:glue:{where}:table/{place.database}/*",
        ],
    }
    yield {
        "Sid": "QueryResults",
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
        "Resource": f"arn:aws:s3:::{bucket}/{folder}/*" if folder else f"arn:aws:s3:::{bucket}/*",
    }
    yield {
        "Sid": "QueryResultsBucket",
        "Effect": "Allow",
        "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
        "Resource": f"arn:aws:s3:::{bucket}",
        "Condition": {"StringLikeIfExists": {"s3:prefix": [folder, f"{folder}/*"]}},
    }

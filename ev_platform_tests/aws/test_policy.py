"""IAM policies: what real runs ask of the lake is allowed, nothing else is; moto enforces the same document."""

import fnmatch
import json
import re
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
import requests
from obstore.exceptions import PermissionDeniedError
from typer.testing import CliRunner

import ev_platform
from ev_platform.cli import app
from ev_platform.commands.doctor import check_lake
from ev_platform.commands.report import report_of
from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day, segment_day
from ev_platform.engine.health import health_month
from ev_platform.engine.sessions import stitch_days
from ev_platform.errors import UserError
from ev_platform.ingest.breaker import stopped
from ev_platform.ingest.drain import drain
from ev_platform.lake import access
from ev_platform.lake.access import ACTIONS, ROLES, Place, policy
from ev_platform.lake.layout import PREFIXES
from ev_platform.lake.store import ObjectStore
from ev_platform.query.catalogue import tables
from ev_platform.query.duckdb_engine import DuckDBEngine
from ev_platform.settings import Settings
from ev_platform_tests.aws.recorded import recorded
from ev_platform_tests.engine.fleet_lake import DAYS, fill_fleet
from ev_platform_tests.engine.lakes import small_settings
from ev_platform_tests.ingest.helpers import Sent, fleet, send
from ev_platform_tests.mock_control import MockCluster
from ev_platform_tests.moto_server import moto_bucket

ROOT = Path(ev_platform.__file__).parent.parent
PLACE = Place("a-bucket", "deep/lake", "eu-west-1", "123456789012", database="ev_platform", staging="a-bucket/athena",
              topic_arn="arn:aws:sns:eu-west-1:123456789012:ev")  # fmt: skip


def allows(document, action, resource, prefix=None):
    """Whether a policy allows a request: a small evaluator of what our documents use (no Deny, two conditions)."""
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        actions, resources = (
            [one] if isinstance(one, str) else one for one in (statement["Action"], statement["Resource"])
        )
        like = statement.get("Condition", {}).get("StringLikeIfExists", {}).get("s3:prefix")
        if (
            any(fnmatch.fnmatchcase(action, one) for one in actions)
            and any(fnmatch.fnmatchcase(resource, one) for one in resources)
            and (like is None or prefix is None or any(fnmatch.fnmatchcase(prefix, one) for one in like))
        ):
            return True
    return False


def refused(document, asked, place=PLACE):
    """The requests of a run that the policy does not allow."""
    wrong = set()
    for right, key in asked:
        if right == "L":
            ok = allows(document, "s3:ListBucket", f"arn:aws:s3:::{place.bucket}", f"{place.key(key)}/")
        else:
            ok = allows(document, ACTIONS[right], f"arn:aws:s3:::{place.bucket}/{place.key(key)}")
        if not ok:
            wrong.add((right, key))
    return wrong


# -- what real runs ask -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ingested():
    """Requests of drains with dead letters, of a breaker that trips, and of the doctor's probe."""
    with MockCluster() as cluster, recorded() as recorder:
        topic = f"tesla_V{uuid.uuid4().hex[:8]}"
        cluster.create_topic(topic, 3)
        settings = Settings(
            _env_file=None, kafka_bootstrap=cluster.bootstrap, kafka_topics=(topic,), kafka_group=topic,
            kafka_timeout_seconds=5, lake_url="memory://",
        )  # fmt: skip
        store = ObjectStore(settings.lake)
        send(cluster.bootstrap, topic, [*fleet(200), Sent(b"no json"), Sent(None)])
        drain(settings, store, None)
        stopped(store, settings, 0.0)
        list(check_lake(settings))
    return recorder


@pytest.fixture(scope="module")
def computed():
    """Requests of compaction (one object is corrupt), cleaning, segments, sessions and battery health."""
    store = ObjectStore("memory://")
    fill_fleet(store)
    key = store.keys("temp")[0]
    store.put(key, store.get(key)[:-20])
    settings = small_settings(store)
    with recorded() as recorder:
        for day in DAYS:
            compact_day(settings, store, day)
            clean_day(settings, store, day)
            segment_day(settings, store, day)
        stitch_days(settings, store, list(DAYS))
        health_month(settings, store, DAYS[0][:7])
    return store, recorder


def test_ingest_may_what_it_does(ingested):
    assert {"temp", "dead_letter", "ops", "state"} <= ingested.rights.keys()
    assert refused(policy("ingest", PLACE), ingested.requests) == set()


def test_runs_may_what_they_do(computed):
    _, recorder = computed
    assert {
        "temp",
        "compressed",
        "cleaned",
        "segments",
        "results",
        "quarantine",
        "ops",
        "ref",
    } <= recorder.rights.keys()
    assert "D" in recorder.rights["temp"]
    assert refused(policy("code", PLACE), recorder.requests) == set()


@pytest.mark.parametrize("role", ["dashboard", "reader"])
def test_readers_may_ask_the_results(computed, role):
    store, _ = computed
    with recorded() as recorder:
        engine = DuckDBEngine(store)
        assert engine.query("SELECT count(*) AS n FROM results_sessions").table["n"][0].as_py() > 0
        if role == "reader":  # pages read results only
            assert engine.query("SELECT count(*) AS n FROM cleaned").table["n"][0].as_py() > 0
    assert {right for right, _ in recorder.requests} == {"L", "R"}
    assert refused(policy(role, PLACE), recorder.requests) == set()


@pytest.mark.parametrize("prefix", ["temp", "dead_letter", "ops"])
def test_a_policy_without_a_prefix_is_noticed(ingested, monkeypatch, prefix):
    without = {name: rights for name, rights in ROLES["ingest"].items() if name != prefix}
    monkeypatch.setitem(access.ROLES, "ingest", without)
    wrong = refused(policy("ingest", PLACE), ingested.requests)
    assert wrong
    assert {key.split("/")[0] for _, key in wrong} == {prefix}


# -- nothing more -----------------------------------------------------------------------------------------------------

UNSEEN = {
    ("temp", "L"),  # `ev offsets` and redriving look for what is there already
    ("temp_telematics", "L"),
    ("temp_telematics", "W"),  # the same code with another folder
    ("dead_letter", "L"),  # the breaker's list of recent ones
    ("state", "L"),
    ("state", "D"),  # the breaker's note, when somebody closes it
}
"""Rights of ingest that these short runs do not use, and why it needs them."""


def test_ingest_has_nothing_that_it_does_not_use(ingested):
    given = {(prefix, right) for prefix, rights in ROLES["ingest"].items() for right in rights}
    used = {(prefix, right) for prefix, rights in ingested.rights.items() for right in rights}
    assert given - used <= UNSEEN
    assert used <= given


def test_every_folder_of_the_lake_is_open_to_runs_and_no_role_knows_others():
    assert set(ROLES["code"]) == set(PREFIXES)
    for rights in ROLES.values():
        assert set(rights) <= set(PREFIXES)
        assert all(set(given) <= set("LRWD") for given in rights.values())


def test_what_is_lossless_or_set_aside_is_never_deleted():
    for role in ROLES:
        document = policy(role, PLACE)
        for prefix in ("compressed", "dead_letter", "quarantine"):
            assert not allows(document, "s3:DeleteObject", f"arn:aws:s3:::a-bucket/deep/lake/{prefix}/x")


def test_readers_change_nothing_and_see_no_raw_messages():
    for role in ("reader", "dashboard"):
        document = policy(role, PLACE)
        for prefix in PREFIXES:
            for action in ("s3:PutObject", "s3:DeleteObject"):
                assert not allows(document, action, f"arn:aws:s3:::a-bucket/deep/lake/{prefix}/x")
        assert not allows(document, "s3:GetObject", "arn:aws:s3:::a-bucket/deep/lake/temp/x")
        assert not allows(
            document,
            "secretsmanager:PutSecretValue",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ev_platform/tokens",
        )
        assert not allows(document, "s3:GetObject", "arn:aws:s3:::a-bucket/deep/lake/state/x")
    assert not allows(policy("dashboard", PLACE), "s3:GetObject", "arn:aws:s3:::a-bucket/deep/lake/cleaned/x")


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_stays_in_its_bucket_and_has_no_open_action(role):
    document = policy(role, PLACE)
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if "*" in resources:
            assert actions == ["ecs:DescribeTaskDefinition"], "the one call for which AWS knows no resource"
        for resource in resources:
            if resource.startswith("arn:aws:s3:::"):
                assert resource.startswith("arn:aws:s3:::a-bucket")
                assert resource not in ("arn:aws:s3:::a-bucket/*", "arn:aws:s3:::*")
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)
    assert len(json.dumps(document, separators=(",", ":"))) < 6144, "the limit of a managed policy"


def test_other_lakes_of_the_bucket_are_closed():
    document = policy("code", PLACE)
    assert allows(document, "s3:GetObject", "arn:aws:s3:::a-bucket/deep/lake/results/x")
    assert not allows(document, "s3:GetObject", "arn:aws:s3:::a-bucket/other/results/x")
    assert not allows(document, "s3:GetObject", "arn:aws:s3:::a-bucket/deep/lake/results_of_others/x")
    assert not allows(document, "s3:ListBucket", "arn:aws:s3:::a-bucket", "other/")


def test_tables_that_can_be_asked_lie_in_folders_that_readers_see():
    for table in tables():
        for role in ("reader", "code"):
            assert "R" in ROLES[role][table.folder.split("/")[0]]


def test_queries_need_a_staging_folder_and_alerts_a_topic():
    bare = policy("code", replace(PLACE, staging="", topic_arn=""))
    sids = {statement["Sid"] for statement in bare["Statement"]}
    assert {"Athena", "Catalogue", "Alerts"}.isdisjoint(sids)
    assert {"Athena", "Catalogue", "Alerts"} <= {statement["Sid"] for statement in policy("code", PLACE)["Statement"]}
    assert not allows(policy("reader", PLACE), "glue:CreateTable", "arn:aws:glue:eu-west-1:123456789012:catalog")


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_policy(monkeypatch):
    monkeypatch.setenv("EV_LAKE_URL", "s3://lakes/fleet")
    told = CliRunner().invoke(app, ["aws", "policy", "ingest"])
    assert told.exit_code == 0
    assert json.loads(told.output) == policy("ingest", Place("lakes", "fleet", database="ev_platform"))
    other = CliRunner().invoke(app, ["aws", "policy", "ingest", "--bucket", "b", "--prefix", "p"])
    assert "arn:aws:s3:::b/p/temp/*" in other.output
    assert CliRunner().invoke(app, ["aws", "policy", "nobody", "--bucket", "b"]).exit_code == 2


# -- enforced by moto -------------------------------------------------------------------------------------------------


@pytest.fixture
def acting(monkeypatch):
    """As which role this process acts on a bucket of moto, which then asks for permission.

    moto looks at actions and resources, not at s3:prefix: conditions are left to the evaluator above.
    """
    with moto_bucket() as url:
        bucket = url.removeprefix("s3://")
        endpoint = boto3.client("s3").meta.endpoint_url
        iam = boto3.client("iam")

        def act(role):
            document = policy(role, Place(bucket, "lake"))
            for statement in document["Statement"]:
                statement.pop("Condition", None)
            name = f"{role}-{uuid.uuid4().hex[:6]}"
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
            key = iam.create_access_key(UserName=name)["AccessKey"]
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
            requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=10)
            return ObjectStore(f"{url}/lake")

        yield act
        requests.post(f"{endpoint}/moto-api/reset-auth", data=b"1000000000", timeout=10)


def test_moto_lets_ingest_write_raw_messages_and_nothing_else(acting):
    store = acting("ingest")
    store.put("temp/EVPTEST000000001/2026-11-01/a.json", b"{}")
    assert store.swap("ops/lake.json", b"1", None)
    assert store.get("ops/lake.json") == b"1"
    for forbidden in ("results/x", "compressed/2026/11/01/x.parquet", "elsewhere/x"):
        with pytest.raises(PermissionDeniedError):
            store.put(forbidden, b"1")
    with pytest.raises(PermissionDeniedError):
        store.get("temp/EVPTEST000000001/2026-11-01/a.json")


def test_moto_lets_runs_work_in_their_lake_and_in_no_other(acting):
    """Deletes are left to the evaluator: moto refuses them under any policy that names keys."""
    store = acting("code")
    for key in (
        "temp/a/b/c.json",
        "compressed/2026/11/01/x.parquet",
        "results/sessions/date=2026-11-01/part-0000.parquet",
    ):
        store.put(key, b"1")
        assert store.get(key) == b"1"
    other = ObjectStore(store.url.replace("/lake", "/other"))
    with pytest.raises(PermissionDeniedError):
        other.put("results/x", b"1")


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_names_every_role_and_what_it_links_to_exists():
    page = ROOT / "docs" / "deploy.md"
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(ROLES)
    assert f"for role in {' '.join(ROLES)}" in text
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / target).exists(), target


def test_a_report_needs_no_more_than_the_dashboard_has(computed):
    store, _ = computed
    vin = store.keys("compressed")[0].rsplit("/", 1)[-1].removesuffix(".parquet")
    with (
        recorded() as recorder,
        suppress(UserError),
    ):  # a few days are too little for a number: it is asked all the same
        report_of(store, vin)
    assert recorder.requests
    assert refused(policy("dashboard", PLACE), recorder.requests) == set()


# -- moto as a reader of documents ------------------------------------------------------------------------------------


@pytest.fixture
def iam():
    with moto_bucket():
        yield boto3.client("iam")


@pytest.mark.parametrize("role", ROLES)
def test_iam_takes_the_document_as_a_managed_policy(iam, role):
    name = f"ev_platform-{role}-{uuid.uuid4().hex[:6]}"
    made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy(role, PLACE)))
    assert made["Policy"]["PolicyName"] == name


@pytest.mark.parametrize("wrong", [{"Resource": "bucket/x"}, {"Action": "GetObject"}, {"Effect": "Permit"}])
def test_iam_refuses_a_broken_document(iam, wrong):
    document = policy("ingest", PLACE)
    document["Statement"][1] |= wrong
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_policy(PolicyName="broken", PolicyDocument=json.dumps(document))


def test_the_command_for_glue_makes_the_tables(monkeypatch):
    with moto_bucket() as url:
        monkeypatch.setenv("EV_LAKE_URL", f"{url}/lake")
        monkeypatch.setenv("EV_ATHENA_DATABASE", "by_command")
        told = CliRunner().invoke(app, ["aws", "glue"])
        assert told.exit_code == 0, told.output
        pages = boto3.client("glue").get_paginator("get_tables").paginate(DatabaseName="by_command")
        held = {table["Name"] for page in pages for table in page["TableList"]}
        assert held == {table.name for table in tables()}

"""The compose file obeys the Compose Specification and our own rules; every rule is shown to fail on a broken copy."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from ev_platform_tests.docker import compose_rules as rules
from ev_platform_tests.docker.files import DOCKER, ROOT, compose, env_example, own_services

COMPOSE_GO = "github.com/compose-spec/compose-go/v2@v2.16.2"
"""The library docker compose reads files with; its module carries the schema of the Compose Specification."""


def put(*path, value):
    """A mutation: set what stands at `path`."""

    def mutate(document):
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    return mutate


def drop(*path):
    """A mutation: remove what stands at `path`."""

    def mutate(document):
        for part in path[:-1]:
            document = document[part]
        del document[path[-1]]

    return mutate


def broken(mutate):
    document = compose()
    mutate(document)
    return document


# -- the specification -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def specification(tmp_path_factory):
    """JSON schema of the Compose Specification, from the Go module that docker compose itself uses."""

    def give_up(why):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{why}: the Compose schema cannot be fetched")

    go = shutil.which("go")
    if go is None:
        give_up("no Go here")
    folder = tmp_path_factory.mktemp("go")
    command = [go, "mod", "download", "-json", COMPOSE_GO]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        give_up((done.stderr or done.stdout).strip()[-200:])
    schema = json.loads((Path(json.loads(done.stdout)["Dir"]) / "schema" / "compose-spec.json").read_text())
    return jsonschema.Draft202012Validator(schema)


def test_the_file_obeys_the_compose_specification(specification):
    assert [error.message for error in specification.iter_errors(compose())] == []


@pytest.mark.parametrize(
    "mutate",
    [
        put("services", "code", "healthchek", value={}),
        put("services", "code", "depends_on", "postgres", "condition", value="service_well"),
        put("services", "kafka", "environment", "KAFKA_NODE_ID", value={"id": 1}),
        put("services", "webserver", "ports", value="3000"),
        put("volumes", value=["kafka"]),
    ],
)
def test_the_specification_notices_a_broken_copy(specification, mutate):
    assert list(specification.iter_errors(broken(mutate)))


# -- our own rules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_file_obeys(rule):
    assert list(rule(compose())) == []


MUTATIONS = [
    (rules.images_are_pinned, put("services", "kafka", "image", value="apache/kafka:latest")),
    (rules.images_are_pinned, put("services", "kafka", "image", value="apache/kafka")),
    (rules.images_are_pinned, put("services", "code", "image", value="ev_platform:9.9.9")),
    (rules.services_are_watched, drop("services", "daemon", "healthcheck")),
    (rules.services_are_watched, drop("services", "s3", "healthcheck", "timeout")),
    (rules.services_are_watched, drop("services", "postgres", "restart")),
    (rules.services_are_watched, put("services", "webserver", "restart", value="no")),
    (rules.services_are_watched, drop("services", "kafka", "logging")),
    (rules.dependencies_can_be_met, drop("services", "postgres", "healthcheck")),
    (rules.dependencies_can_be_met, drop("services", "code")),
    (rules.dependencies_can_be_met, put("services", "bucket", "restart", value="unless-stopped")),
    (rules.dependencies_can_be_met, drop("services", "code", "depends_on", "kafka", "required")),
    (rules.ports_are_local, put("services", "webserver", "ports", value=["3000:3000"])),
    (rules.ports_are_local, put("services", "kafka", "ports", value=["0.0.0.0:9094:9094"])),
    (rules.volumes_are_named, put("services", "code", "volumes", value=["/var/run/docker.sock:/var/run/docker.sock"])),
    (rules.volumes_are_named, drop("volumes", "postgres")),
    (rules.volumes_are_named, drop("services", "s3", "volumes")),
    (rules.secrets_come_from_outside, put("services", "postgres", "environment", "POSTGRES_PASSWORD", value="dagster")),
    (rules.secrets_come_from_outside, put("services", "s3", "environment", "ROOT_SECRET_KEY", value="${KEY:-test}")),
    (rules.variables_are_explained, put("services", "code", "environment", "EV_WORKERS", value="${EV_HANDS:-2}")),
    (rules.variables_are_explained, put("services", "s3", "environment", "VGW_CERT", value=None)),
    (rules.environment_is_complete, put("services", "daemon", "environment", "EV_LAKE", value="s3://x")),
    (rules.environment_is_complete, drop("services", "ingest", "environment", "EV_KAFKA_OPTIONS")),
    (rules.environment_is_complete, drop("services", "webserver", "environment", "POSTGRES_HOST")),
    (rules.containers_are_confined, drop("services", "postgres", "security_opt")),
    (rules.containers_are_confined, put("services", "code", "privileged", value=True)),
    (rules.containers_are_confined, drop("services", "ingest", "cap_drop")),
]


@pytest.mark.parametrize(("rule", "mutate"), MUTATIONS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_copy_is_noticed(rule, mutate):
    assert list(rule(broken(mutate)))


def test_every_rule_is_shown_to_fail():
    assert {rule for rule, _ in MUTATIONS} == set(rules.RULES)


# -- what must agree between files -------------------------------------------------------------------------------------


def option(words, name):
    return words[words.index(name) + 1]


def test_the_workspace_names_the_code_location_service():
    origin = yaml.safe_load((DOCKER / "workspace.yaml").read_text())["load_from"][0]["grpc_server"]
    service = compose()["services"][origin["host"]]
    assert (
        str(origin["port"]) == option(service["command"], "--port") == option(service["healthcheck"]["test"], "--port")
    )
    assert option(service["command"], "--module-name") == "ev_platform.definitions"


def test_addresses_inside_the_network_agree():
    services = compose()["services"]
    kafka = services["kafka"]["environment"]
    assert "INTERNAL://kafka:9092" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert services["code"]["environment"]["EV_KAFKA_BOOTSTRAP"] == "${EV_KAFKA_BOOTSTRAP:-kafka:9092}"
    endpoint = {name: value for name, value, _ in env_example()}["AWS_ENDPOINT_URL"]
    assert endpoint == "http://s3" + services["s3"]["environment"]["VGW_PORT"]
    for service in own_services(compose()).values():
        assert service["environment"]["POSTGRES_HOST"] in services


def test_the_host_reaches_kafka_under_the_name_it_advertises():
    kafka = compose()["services"]["kafka"]
    (published,) = kafka["ports"]
    _, outside, inside = published.split(":")
    assert f"HOST://localhost:{outside}" in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"HOST://:{inside}" in kafka["environment"]["KAFKA_LISTENERS"].split(",")


# -- commands exist ----------------------------------------------------------------------------------------------------


def programs():
    """Root command of every program a container starts, by its name."""
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import dagster_webserver

    found = {
        "dagster": create_dagster_cli(),
        "dagster-daemon": create_dagster_daemon_cli(),
        "dagster-webserver": dagster_webserver,
    }
    if (ROOT / "ev_platform" / "cli.py").exists():
        from typer.main import get_command

        from ev_platform.cli import app

        found["ev"] = get_command(app)
    return found


def unknown_words(words, known):
    """Sub-commands and options of a command line that its program does not have."""
    command = known[words[0]]
    for word in words[1:]:
        if word.startswith("-"):
            if word not in {name for param in command.params for name in param.opts}:
                yield word
        elif getattr(command, "commands", None):
            if word not in command.commands:
                yield word
                return
            command = command.commands[word]


def command_lines():
    for name, service in own_services(compose()).items():
        yield pytest.param(service["command"], id=f"{name} command")
        if "healthcheck" in service:
            yield pytest.param(service["healthcheck"]["test"][1:], id=f"{name} health check")


@pytest.mark.parametrize("words", list(command_lines()))
def test_every_command_exists(words):
    known = programs()
    if words[0] == "python":
        script = [word for word in words if word.endswith(".py")]
        assert all((ROOT / Path(path).relative_to("/opt/ev_platform")).exists() for path in script)
        assert script or words[1] == "-c"
        return
    if words[0] == "ev" and "ev" not in known:
        pytest.skip("ev_platform/cli.py is not there yet")
    assert list(unknown_words(words, known)) == []


@pytest.mark.parametrize(
    "line",
    [
        "dagster api grpc --prot 4000",
        "dagster api grcp --port 4000",
        "dagster-daemon runs",
        "dagster-webserver --hosts x",
    ],
)
def test_a_wrong_command_is_noticed(line):
    assert list(unknown_words(line.split(), programs()))


def test_the_health_check_of_the_webserver_is_python():
    (code,) = [word for word in compose()["services"]["webserver"]["healthcheck"]["test"] if "urlopen" in word]
    compile(code, "health check", "exec")
    assert re.search(r"127\.0\.0\.1:3000/", code)

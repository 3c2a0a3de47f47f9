"""Rules of the compose file beyond its schema: each takes the parsed file and returns what is wrong, in words."""

import re

from ev_platform_tests.docker.files import (
    PROJECT,
    env_example,
    instance_variables,
    own_services,
    settings_variables,
)

PINNED = re.compile(r"[a-z0-9_./-]+:v?\d+\.\d+[\w.-]*")
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY")

AWS_VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}
DAGSTER_VARIABLES = {"DAGSTER_RUN_STATUS_SENSOR_PROCESS_LIMIT"}
"""Read by Dagster itself (dagster/_core/definitions/run_status_sensor_definition.py)."""

NOT_PASSED_ON = {
    "EV_STATE_DIR": "fixed in the image, because DAGSTER_HOME lies in it",
    "EV_BUCKET_NAME": "passed as BUCKET_NAME",
    "EV_UI_PORT": "published port of the webserver",
    "EV_DASHBOARD_PORT": "published port of the dashboard",
}


def images_are_pinned(document):
    for name, service in document["services"].items():
        image = service.get("image", "")
        if not PINNED.fullmatch(image):
            yield f"{name}: image {image!r} has no version"
    for name, service in own_services(document).items():
        if service["image"] != f"{PROJECT['name']}:{PROJECT['version']}":
            yield f"{name}: image {service['image']} is not the version of pyproject.toml"


def services_are_watched(document):
    finished = {
        target
        for service in document["services"].values()
        for target, rule in service.get("depends_on", {}).items()
        if rule["condition"] == "service_completed_successfully"
    }
    for name, service in document["services"].items():
        if service.get("restart") == "no":
            if name not in finished:
                yield f"{name}: runs once, but nobody waits for its end"
            continue
        if service.get("restart") != "unless-stopped":
            yield f"{name}: is not started again after a crash"
        missing = {"test", "interval", "timeout", "retries", "start_period"} - set(service.get("healthcheck", {}))
        if missing:
            yield f"{name}: health check without {sorted(missing)}"
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name}: its log grows without bound"


def dependencies_can_be_met(document):
    services = document["services"]
    for name, service in services.items():
        for target, rule in service.get("depends_on", {}).items():
            if target not in services:
                yield f"{name}: waits for {target}, which does not exist"
                continue
            other = services[target]
            if rule["condition"] == "service_healthy" and "healthcheck" not in other:
                yield f"{name}: waits for the health of {target}, which has no health check"
            if rule["condition"] == "service_completed_successfully" and other.get("restart") != "no":
                yield f"{name}: waits for the end of {target}, which is started again"
            only_sometimes = set(other.get("profiles", [])) - set(service.get("profiles", []))
            if only_sometimes and rule.get("required", True):
                yield f"{name}: needs {target}, which only profile {sorted(only_sometimes)} starts"


def ports_are_local(document):
    for name, service in document["services"].items():
        for port in service.get("ports", []):
            if not re.fullmatch(r"127\.0\.0\.1:(\d+|\$\{\w+:-\d+\}):\d+", str(port)):
                yield f"{name}: port {port} is open to the network"


def volumes_are_named(document):
    declared, used = set(document["volumes"]), set()
    for name, service in document["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            used.add(source)
            if source not in declared:
                yield f"{name}: volume {source} is a folder of the host or not declared"
    for volume in declared - used:
        yield f"volume {volume} is used by nobody"


def secrets_come_from_outside(document):
    for name, service in document["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and value is not None and not REQUIRED.fullmatch(value):
                yield f"{name}: {variable} has a value in the file"


def variables_are_explained(document):
    shown = {name for name, _, _ in env_example()}
    for name, service in document["services"].items():
        text = str({key: value for key, value in service.items() if key != "healthcheck"})
        asked = set(re.findall(r"\$\{(\w+)", text))
        asked |= {variable for variable, value in service.get("environment", {}).items() if value is None}
        for variable in asked - shown:
            yield f"{name}: {variable} is not in .env.example"


def environment_is_complete(document):
    settings = set(settings_variables())
    known = settings | AWS_VARIABLES | DAGSTER_VARIABLES | instance_variables()
    for name, service in own_services(document).items():
        given = set(service["environment"])
        for variable in given - known:
            yield f"{name}: nothing reads {variable}"
        for variable in (settings - set(NOT_PASSED_ON) | instance_variables()) - given:
            yield f"{name}: {variable} does not reach it"


def containers_are_confined(document):
    for name, service in document["services"].items():
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: may gain privileges"
        if service.get("privileged") or service.get("network_mode") == "host":
            yield f"{name}: is not confined"
    for name, service in own_services(document).items():
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name}: keeps capabilities it does not need"


RULES = (
    images_are_pinned,
    services_are_watched,
    dependencies_can_be_met,
    ports_are_local,
    volumes_are_named,
    secrets_come_from_outside,
    variables_are_explained,
    environment_is_complete,
    containers_are_confined,
)

"""What goes into the image: pinned base, locked dependencies, every file that is copied, no root, no lost data file."""

import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch

import pytest

from ev_platform.settings import Settings
from ev_platform_tests.docker.files import DOCKER, PROJECT, ROOT

DOCKERFILE = (DOCKER / "Dockerfile").read_text()
IGNORE = (DOCKER / "Dockerfile.dockerignore").read_text()


def instructions(text):
    """(instruction, arguments) of a Dockerfile, comments dropped and continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def copied(text):
    """Files of the repository that the image takes."""
    for word, rest in instructions(text):
        if word == "COPY" and "--from=" not in rest:
            yield from rest.split()[:-1]


def problems(text, ignore):
    """What is wrong with a Dockerfile and its ignore file."""
    steps = list(instructions(text))
    first = next(rest for word, rest in steps if word == "FROM")
    if not re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+ AS \w+", first):
        yield f"base image {first} has no full version"
    stages = {rest.split(" AS ")[1] for word, rest in steps if word == "FROM"}
    for word, rest in steps:
        if word == "FROM" and rest != first and rest.split(" AS ")[0] not in stages:
            yield f"second base image {rest}"
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    if not ("--require-hashes" in installs[0] and "requirements-deploy.lock" in installs[0]):
        yield "dependencies do not come from the lock"
    if not all(flag in installs[1] for flag in ("--no-deps", "--no-build-isolation")) or len(installs) != 2:
        yield "the project's own install may fetch something"
    users = [rest for word, rest in steps if word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield "runs as root"
    allowed = [line[1:] for line in ignore.splitlines() if line.startswith("!")]
    if "*" not in ignore.splitlines():
        yield "the whole working copy goes to the builder"
    for source in copied(text):
        if not (ROOT / source).exists():
            yield f"{source} does not exist"
        if not any(source == entry or source.startswith(f"{entry}/") for entry in allowed):
            yield f"{source} is kept from the builder"


def test_the_dockerfile_is_sound():
    assert list(problems(DOCKERFILE, IGNORE)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python:3.12.14-slim-trixie", "python:3-slim"),
        ("--require-hashes ", ""),
        ("--no-deps ", ""),
        ("USER 10001:10001", "USER root"),
        ("USER 10001:10001", ""),
        ("COPY ev_platform", "COPY ev_platforms"),
        ("COPY requirements-deploy.lock", "COPY requirements.lock"),
        ("FROM base AS runtime", "FROM debian AS runtime"),
    ],
)
def test_a_broken_dockerfile_is_noticed(old, new):
    assert old in DOCKERFILE
    assert list(problems(DOCKERFILE.replace(old, new), IGNORE))


@pytest.mark.parametrize("line", ["*\n", "!docker/dagster.yaml\n", "!README.md\n"])
def test_a_broken_ignore_file_is_noticed(line):
    assert line in IGNORE
    assert list(problems(DOCKERFILE, IGNORE.replace(line, "", 1)))


def test_no_secret_or_local_data_reaches_the_builder():
    allowed = [line[1:] for line in IGNORE.splitlines() if line.startswith("!")]
    for private in (".env", ".git", ".venv", "data", "docker/.env"):
        assert not any(fnmatch(private, entry) or private.startswith(f"{entry}/") for entry in allowed)


def test_ev_and_dagster_share_one_home():
    found = dict(re.findall(r"(EV_STATE_DIR|DAGSTER_HOME)=(\S+)", DOCKERFILE))
    assert str(Settings(state_dir=found["EV_STATE_DIR"]).dagster_home) == found["DAGSTER_HOME"]


def unlocked(lock):
    """Requirements of the project that a lock does not hold at the wanted version."""
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE))
    for wanted in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["deploy"] + ["hatchling"]:
        name, _, version = wanted.partition("==")
        name = re.split(r"[<>=\[]", name)[0]
        if name not in locked or (version and locked[name] != version):
            yield wanted


def test_the_lock_holds_what_the_project_asks_for():
    lock = (ROOT / "requirements-deploy.lock").read_text()
    assert list(unlocked(lock)) == []
    assert list(unlocked(lock.replace("dagster-postgres==", "dagster-mysql==")))
    assert list(unlocked(re.sub(r"^dagster==\S+", "dagster==1.0.0", lock, flags=re.MULTILINE)))


# -- the package ------------------------------------------------------------------------------------------------------


def lost_files(folder, target):
    """Files of the package (code and data) that a wheel built from `folder` does not hold."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(target), str(folder)], check=True, timeout=120, capture_output=True)
    (wheel,) = target.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = (path for path in (folder / "ev_platform").rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix() for path in files if "__pycache__" not in path.parts}
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in inside)
    return names - inside


@pytest.fixture
def source(tmp_path):
    """A copy of what a build reads, with a data file beside the code."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):  # hatchling leaves out what git ignores
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "ev_platform", folder / "ev_platform", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "ev_platform" / "lake" / "extra.toml").write_text("")
    return folder


def test_the_wheel_holds_every_file_of_the_package(source, tmp_path):
    assert lost_files(source, tmp_path / "wheel") == set()


def test_a_lost_data_file_is_noticed(source, tmp_path):
    text = (source / "pyproject.toml").read_text()
    wheel = "[tool.hatch.build.targets.wheel]\n"
    assert wheel in text
    (source / "pyproject.toml").write_text(text.replace(wheel, wheel + 'exclude = ["*.toml"]\n'))
    assert "ev_platform/lake/extra.toml" in lost_files(source, tmp_path / "wheel")

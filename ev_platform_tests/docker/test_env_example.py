"""`.env.example` names every setting with its true default, and holds no secret."""

import re

import pytest

from ev_platform.settings import Settings
from ev_platform_tests.docker.files import ROOT, env_example, settings_variables


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in settings_variables():
        monkeypatch.delenv(name, raising=False)


def differences(lines, monkeypatch):
    """Settings that are missing, unknown, set twice or shown with another default than theirs."""
    variables = settings_variables()
    shown = [(name, value) for name, value, _ in lines if name.startswith("EV_")]
    names = [name for name, _ in shown]
    yield from (f"{name} is missing" for name in variables.keys() - set(names))
    yield from (f"{name} is no setting" for name in set(names) - variables.keys())
    yield from (f"{name} twice" for name in set(names) if names.count(name) > 1)
    for name, value in shown:
        if name in variables:
            with monkeypatch.context() as patch:
                patch.setenv(name, value)
                if getattr(Settings(), variables[name]) != Settings.model_fields[variables[name]].default:
                    yield f"{name}={value} is not the default"


def test_every_setting_is_shown_with_its_default(monkeypatch):
    assert list(differences(env_example(), monkeypatch)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],
        lambda lines: [*lines, ("EV_OLD_NAME", "1", True)],
        lambda lines: [*lines, ("EV_SHARDS", "1", True)],
        lambda lines: [(n, "7" if n == "EV_WORKERS" else v, c) for n, v, c in lines],
    ],
    ids=["missing", "unknown", "twice", "other default"],
)
def test_a_drift_is_noticed(change, monkeypatch):
    assert list(differences(change(env_example()), monkeypatch))


def test_settings_are_commented_out_so_that_a_copy_changes_nothing():
    assert [name for name, _, commented in env_example() if name.startswith("EV_") and not commented] == []


def test_every_variable_has_a_comment_and_no_secret_has_a_value():
    text = (ROOT / ".env.example").read_text()
    for name, value, _ in env_example():
        above = re.search(rf"^(.*)\n(?:# )?{name}=", text, re.MULTILINE)
        assert above is not None
        assert above.group(1).startswith("#") or name in {"AWS_SECRET_ACCESS_KEY", "AWS_REGION"}, name
        if re.search("SECRET|PASSWORD|ACCESS_KEY|TOKEN", name):
            assert value == "", name

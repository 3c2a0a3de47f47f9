"""The `ev` command: exit codes, one clear line for every error, no import before it is needed."""

import os
import subprocess
import sys

import pytest

HEAVY = ("dagster", "polars", "pyarrow", "pandas", "confluent_kafka", "obstore", "numpy")


def ev(*arguments, folder, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ev_platform.cli", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_imports_nothing_heavy(tmp_path):
    code = f"import sys; from ev_platform import cli; sys.exit(any(name in sys.modules for name in {HEAVY!r}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60).returncode == 0
    shown = ev("--help", folder=tmp_path)
    assert shown.returncode == 0
    for command in ("demo", "up", "simulate", "drain", "run", "doctor", "dead-letters", "offsets", "explain"):
        assert f"  {command} " in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["drain"], {"EV_START_DAY": "yesterday"}, 2, "EV_START_DAY cannot be used"),
        (["drain"], {"EV_BUFFER_MAX_MESSAGES": "0"}, 2, "EV_BUFFER_MAX_MESSAGES cannot be used"),
        (["drain"], {"EV_KAFKA_OPTIONS": "secret"}, 2, "EV_KAFKA_OPTIONS cannot be used"),
        (["demo"], {"EV_LAKE_URL": "/proc/nothing"}, 1, "/proc/nothing is not writable"),
        (["demo"], {"EV_STATE_DIR": "/proc/nothing"}, 1, "set EV_STATE_DIR"),
        (["drain"], {"EV_KAFKA_BOOTSTRAP": "127.0.0.1:9", "EV_KAFKA_TIMEOUT_SECONDS": "2"}, 1, "127.0.0.1:9"),
        (["simulate", "--from", "2026-11-01"], {}, 1, "set EV_KAFKA_BOOTSTRAP"),
        (["run", "--from", "2999-01-01", "--to", "2999-01-02"], {}, 1, "days must be over"),
        (["run", "--from", "2026-11-02", "--to", "2026-11-01"], {}, 1, "days must be over"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list | dict) else None,
)
def test_an_error_is_one_clear_line(tmp_path, arguments, environment, code, said):
    shown = ev(*arguments, folder=tmp_path, **environment)
    assert shown.returncode == code, shown.stderr
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1, shown.stderr


def test_wrong_use_is_exit_code_2(tmp_path):
    assert ev("demo", "--vehicles", "none", folder=tmp_path).returncode == 2
    assert ev("fly", folder=tmp_path).returncode == 2


def test_a_secret_in_an_option_is_never_shown(tmp_path):
    shown = ev("doctor", folder=tmp_path, EV_KAFKA_OPTIONS="sasl.password=hunter2,no such option")
    assert "hunter2" not in shown.stdout + shown.stderr
    shown = ev(
        "doctor",
        folder=tmp_path,
        EV_KAFKA_OPTIONS="sasl.password=hunter2,sasl.mechanism=NONSENSE",
        EV_KAFKA_BOOTSTRAP="127.0.0.1:9",
        EV_KAFKA_TIMEOUT_SECONDS="2",
    )
    assert shown.returncode == 1
    assert "hunter2" not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["doctor"],
        ["drain"],
        ["offsets", "show"],
        ["offsets", "reset", "--to", "latest"],
        ["simulate", "--from", "2026-11-01", "--to", "2026-11-01", "--vehicles", "1"],
        ["dead-letters", "redrive"],
    ],
    ids=" ".join,
)
def test_no_command_shows_a_secret(tmp_path, command):
    options = (
        '{"security.protocol":"SASL_PLAINTEXT","sasl.mechanism":"PLAIN","sasl.username":"u","sasl.password":"hunter2"}'
    )
    environment = {"EV_KAFKA_OPTIONS": options, "EV_KAFKA_BOOTSTRAP": "127.0.0.1:9", "EV_KAFKA_TIMEOUT_SECONDS": "1"}
    shown = ev(*command, folder=tmp_path, **environment, EV_SNS_TOPIC_ARN="")
    assert "hunter2" not in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stderr
    if command == ["doctor"]:
        assert "127.0.0.1:9" in shown.stdout


def test_a_refused_option_of_the_simulator_is_not_shown(tmp_path):
    shown = ev(
        "simulate",
        "--from",
        "2026-11-01",
        folder=tmp_path,
        EV_KAFKA_OPTIONS="security.protocol=hunter2",
        EV_KAFKA_BOOTSTRAP="127.0.0.1:9",
    )
    assert shown.returncode == 1
    assert "hunter2" not in shown.stdout + shown.stderr


def test_doctor_names_what_works_and_what_does_not(tmp_path):
    shown = ev("doctor", folder=tmp_path)
    assert shown.returncode == 0
    assert "compare-and-swap work" in shown.stdout
    assert "EV_KAFKA_BOOTSTRAP is not set" in shown.stdout
    broken = ev("doctor", folder=tmp_path, EV_VEHICLES_FILE="missing.csv")
    assert broken.returncode == 1
    assert "wrong EV_VEHICLES_FILE missing.csv" in broken.stdout


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("EV_LIVE_STORE", "redis://:hunter2@127.0.0.1:9/0"),
        ("EV_WAREHOUSE", "postgresql://ev:hunter2@127.0.0.1:9/db"),
        ("EV_LIVE_STORE", "mysql://ev:hunter2@127.0.0.1:9/db"),
    ],
)
def test_doctor_names_a_side_store_that_is_away_and_never_its_password(tmp_path, name, url):
    shown = ev("doctor", folder=tmp_path, **{name: url})
    assert shown.returncode == 1
    assert f"wrong {name}" in shown.stdout
    assert "hunter2" not in shown.stdout + shown.stderr

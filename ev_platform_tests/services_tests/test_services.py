"""`make services`: finds what runs, stops only what it started, and says in one line what is missing."""

import os
import subprocess
import sys
import time

import pytest

from services import __main__ as command
from services import kafka, process, s3


@pytest.fixture
def state(tmp_path, monkeypatch):
    for module in (process, command):
        monkeypatch.setattr(module, "STATE", tmp_path / "services.json")
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


@pytest.fixture
def sleeper(tmp_path):
    facts = process.start([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path, tmp_path / "log", {})
    yield facts
    process.stop(facts)


def test_a_process_is_found_and_stopped_by_its_id(sleeper):
    assert process.alive(sleeper)
    process.stop(sleeper)
    assert not process.alive(sleeper)
    process.stop(sleeper)


def test_a_process_id_that_was_given_to_somebody_else_is_left_alone(sleeper):
    stranger = {**sleeper, "started": "Thu Jan  1 00:00:00 1970"}
    assert not process.alive(stranger)
    process.stop(stranger)
    assert process.alive(sleeper)


def test_one_that_dies_while_it_starts_is_one_clear_line(tmp_path):
    facts = process.start([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, tmp_path / "log", {})

    def never(_):
        raise OSError("connection refused")

    with pytest.raises(process.Failed, match="ended while it started"):
        process.await_health("it", facts, never, 60, tmp_path / "log")


def test_one_that_never_answers_is_one_clear_line(sleeper, tmp_path):
    def never(_):
        raise OSError("connection refused")

    with pytest.raises(process.Failed, match="does not answer after 0 s"):
        process.await_health("it", sleeper, never, 0, tmp_path / "log")


def test_without_java_and_go_one_line_each_and_no_failure_but_in_ci(state, monkeypatch, capsys):
    for module in (kafka, s3):
        monkeypatch.setattr(module.shutil, "which", lambda _: None)
    monkeypatch.setattr(s3, "BINARY", state / "none")
    assert command.up() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["kafka", "s3"]
    assert "no java" in lines[0]
    assert "no go" in lines[1]
    assert process.read_state() == {}
    monkeypatch.setenv("CI", "true")
    assert command.up() == 1


def test_what_runs_is_left_alone_and_what_died_is_started_again(state, monkeypatch, sleeper, capsys):
    class Fake:
        launched = 0

        def fetch(self):
            pass

        def launch(self):
            self.launched += 1
            return {**sleeper, "bootstrap": "x:1"}

        def healthy(self, facts):
            pass

    fake = Fake()
    monkeypatch.setattr(command, "SERVICES", {"kafka": fake})
    assert command.up() == command.up() == 0
    assert fake.launched == 1
    assert command.status() == 0
    os.kill(sleeper["pid"], 9)
    while process.alive(sleeper):
        time.sleep(0.01)
    assert command.status() == 1
    command.up()
    assert fake.launched == 2
    assert command.down() == 0
    assert not (state / "services.json").exists()
    assert "kafka: stopped" in capsys.readouterr().out


def test_wrong_use(tmp_path):
    done = subprocess.run([sys.executable, "-m", "services", "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr

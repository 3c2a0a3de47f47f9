"""The logic of pages, by Streamlit's own AppTest: what is shown for what is in the lake and in the address."""

from __future__ import annotations

import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from ev_platform.commands.dashboard import OPTIONS, dashboard_command
from ev_platform.errors import UserError
from ev_platform.settings import load_settings
from ev_platform_tests.dashboard.big_lake import vins, write

VEHICLES = 40


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    write(str(folder), VEHICLES, 5)
    return folder


def opened(monkeypatch, tmp_path, lake, name, **query):
    monkeypatch.setenv("EV_LAKE_URL", str(lake))
    monkeypatch.setenv("EV_STATE_DIR", str(tmp_path / "state"))
    page = AppTest.from_string(f"from ev_platform.dashboard import {name}\n{name}.page()", default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


def figures(page):
    return {one.label: one.value for one in page.metric}


@pytest.mark.parametrize(
    "name", ["fleet", "vehicle", "alarms", "charging_grid", "live_grid", "atlas", "market", "data_health"]
)
def test_pages_of_an_empty_lake(monkeypatch, tmp_path, name):
    page = opened(monkeypatch, tmp_path, tmp_path / "lake", name)
    assert page.title
    if name != "data_health":
        assert page.info
        assert page.code


def test_filters_of_the_fleet(monkeypatch, tmp_path, lake):
    page = opened(monkeypatch, tmp_path, lake, "fleet")
    assert figures(page)["Vehicles"] == str(VEHICLES)
    page.multiselect(key="make").set_value(["Tesla"]).run()
    assert figures(page)["Vehicles"] == str(VEHICLES // 2)
    assert set(page.multiselect(key="model").options) == {"Model 3 LR", "Model Y LR"}
    page.text_input(key="vin_part").set_value("000039").run()
    assert figures(page).get("Vehicles") is None  # 39 is a BMW
    assert "Clear one of them" in page.info[0].value


def test_a_vehicle_that_is_not_in_the_address_is_the_first(monkeypatch, tmp_path, lake):
    page = opened(monkeypatch, tmp_path, lake, "vehicle", vin="NOBODY")
    assert page.selectbox(key="vin").value == vins(VEHICLES)[0]


def test_without_a_broker_the_lag_says_so(monkeypatch, tmp_path, lake):
    page = opened(monkeypatch, tmp_path, lake, "data_health", view="Kafka")
    assert any("EV_KAFKA_BOOTSTRAP" in one.value for one in page.info)


def test_the_server_sends_nothing_anywhere_and_listens_on_loopback(tmp_path):
    command = dashboard_command(load_settings(state_dir=tmp_path, dashboard_port=9999))
    assert "--server.address=127.0.0.1" in command
    assert "--server.port=9999" in command
    assert OPTIONS["browser.gatherUsageStats"] == "false"


def test_without_the_extra_there_is_one_line(monkeypatch, tmp_path):
    from ev_platform.commands import dashboard

    monkeypatch.setattr(dashboard, "installed", lambda: False)
    with pytest.raises(UserError, match=r"requirements-dashboard\.lock"):
        dashboard_command(load_settings(state_dir=tmp_path))


def test_the_core_does_not_need_the_extra():
    code = "import sys, ev_platform.cli, ev_platform.commands.up; print('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

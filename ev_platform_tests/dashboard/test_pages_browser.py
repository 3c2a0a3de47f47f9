"""Every page in a real browser: on an empty lake, and on one of 10,000 vehicles; figures equal the Parquet files."""

from __future__ import annotations

import io
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ev_platform.dashboard import questions
from ev_platform.lake.store import ObjectStore
from ev_platform_tests.dashboard.accessibility import describe, low_contrast, unnamed_controls
from ev_platform_tests.dashboard.big_lake import vins, write
from ev_platform_tests.dashboard.server import IDLE, PAGES, TITLE, click, dashboard, figure, open_page, tab, wrong

pytestmark = pytest.mark.integration
VEHICLES, DAYS = 10_000, 10


@pytest.fixture(scope="module")
def page():
    with tab() as opened:
        yield opened


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    folder = tmp_path_factory.mktemp("big")
    write(str(folder / "lake"), VEHICLES, DAYS)
    with dashboard(folder / "lake", folder / "state") as url:
        yield url, ObjectStore(str(folder / "lake"))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nothing")
    with dashboard(folder / "lake", folder / "state") as url:
        yield url


def parquet(store, table, columns=None):
    tables = [pq.read_table(io.BytesIO(store.get(key)), columns=columns) for key in store.keys(table)]
    return pd.concat([one.to_pandas() for one in tables], ignore_index=True)


def number(text):
    return float("".join(letter for letter in text.split(" ")[0] if letter in "0123456789.-"))


@pytest.mark.parametrize(("path", "title"), PAGES.items())
def test_on_an_empty_lake_a_page_says_what_to_run(nothing, page, path, title):
    open_page(page, f"{nothing}/{path}", title)
    assert wrong(page) == []
    said = page.text()
    assert "Run this" in said or title == "Data health", said
    assert "NaN" not in said
    assert "nan" not in said.split()


@pytest.mark.parametrize(("path", "title"), PAGES.items())
def test_with_ten_thousand_vehicles_no_page_complains(big, page, path, title):
    open_page(page, f"{big[0]}/{path}", title)
    assert wrong(page) == []


def test_a_page_that_fails_is_noticed(big, page):
    open_page(page, f"{big[0]}/", "Fleet")
    page.run("console.error('broken')")
    page.run("document.body.innerHTML += '<div data-testid=stException>boom</div>'")
    page.run("fetch('/_nowhere/none').then(r => r.status)")
    complaints = wrong(page)
    assert any("broken" in text for text in complaints)
    assert any("boom" in text for text in complaints)


def test_the_fleets_figures_are_those_of_the_table(big, page):
    url, store = big
    cars = parquet(store, "results/vehicle_battery")
    open_page(page, f"{url}/", "Fleet")
    assert number(figure(page, "Vehicles").replace("\u202f", "")) == len(cars) == VEHICLES
    assert figure(page, "Median health") == f"{cars['soh_percent'].median():.1f} %"
    assert number(figure(page, "Below 80 %")) == (cars["soh_percent"] < 80).sum()


def test_a_filter_in_the_address_and_by_hand(big, page):
    url, store = big
    cars = parquet(store, "results/vehicle_battery", ["vin", "make", "soh_percent"])
    open_page(page, f"{url}/?make=Renault", "Fleet")
    page.wait(f"{IDLE} && document.body.innerText.includes('2\u202f500')")
    assert figure(page, "Median health") == f"{cars['soh_percent'][cars['make'] == 'Renault'].median():.1f} %"
    page.run("document.querySelector('[aria-label=\"VIN contains\"]').focus()")
    page.type("0012")
    wanted = (cars["vin"].str.contains("0012") & (cars["make"] == "Renault")).sum()
    page.wait(f"{IDLE} && {_metric('Vehicles')} == '{wanted}'")
    assert "vin_part=0012" in page.run("location.search")
    assert "make=Renault" in page.run("location.search")


def test_a_value_that_is_none_of_the_options_is_left_out(big, page):
    open_page(page, f"{big[0]}/?make=Nobody", "Fleet")
    assert wrong(page) == []
    assert figure(page, "Vehicles") == "10\u202f000"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_downloaded_is_the_table(big, page, tmp_path, kind):
    url, store = big
    open_page(page, f"{url}/?make=BMW", "Fleet")
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    label = {"csv": "CSV", "parquet": "Parquet"}[kind]
    click(page, label)
    deadline = time.monotonic() + 20
    while not (found := list(tmp_path.glob(f"vehicles.{kind}"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    rows = {"csv": pd.read_csv, "parquet": pd.read_parquet}[kind](found[0])
    cars = parquet(store, "results/vehicle_battery")
    cars = cars[cars["make"] == "BMW"].sort_values("vin", ignore_index=True)
    assert rows["vin"].tolist() == cars["vin"].tolist()
    pd.testing.assert_series_equal(rows["soh_percent"], cars["soh_percent"], check_exact=False, rtol=1e-12)


def test_a_vehicle_and_its_report(big, page, tmp_path):
    url, store = big
    vin = vins(VEHICLES)[1234]
    car = parquet(store, "results/vehicle_battery").set_index("vin").loc[vin]
    open_page(page, f"{url}/vehicle?vin={vin}", "Vehicle")
    assert wrong(page) == []
    assert figure(page, "State of health") == f"{car['soh_percent']:.1f} ± {car['soh_sd']:.1f} %"
    click(page, "Battery report")
    page.wait(f"{IDLE} && document.body.innerText.includes('Verification id')")
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    click(page, "PDF")
    deadline = time.monotonic() + 20
    while not (found := list(tmp_path.glob("*.pdf"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found[0].name == f"battery-report-{vin}.pdf"
    assert found[0].read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("view", ["Charging", "Driving", "Timeline"])
def test_a_vehicles_views(big, page, view):
    url, _ = big
    open_page(page, f"{url}/vehicle?vin={vins(VEHICLES)[77]}&view={view}&period=week", "Vehicle")
    page.wait(f"{IDLE} && !!document.querySelector('[data-testid=stDataFrame]')")
    assert wrong(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("path", "title"), PAGES.items())
def test_every_control_has_a_name_and_every_text_is_readable(big, page, path, title, dark):
    page.size(1400, 1200, dark)
    open_page(page, f"{big[0]}/{path}", title)
    time.sleep(0.3)  # what fades in
    assert low_contrast(page) == []
    assert describe(page, unnamed_controls(page)) == []
    background = page.run("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 300) == dark
    page.size(1400, 1200)


def test_faint_text_and_a_nameless_button_are_noticed(big, page):
    open_page(page, f"{big[0]}/", "Fleet")
    page.run(
        "document.querySelector('h1').insertAdjacentHTML('afterend', "
        "'<p style=\"color:#bbb;background:#fff\">faint</p><button><svg width=9 height=9></svg></button>')"
    )
    assert [text for text in low_contrast(page) if text.startswith("faint")]
    assert unnamed_controls(page)


def test_every_page_can_be_reached_by_keyboard(big, page):
    open_page(page, f"{big[0]}/", "Fleet")
    reached = set()
    for _ in range(40):
        page.press("Tab", 9)
        reached.add(page.run("(document.activeElement.innerText || document.activeElement.ariaLabel || '').trim()"))
    assert {"Vehicle", "Market value", "Data health"} <= {text.splitlines()[-1] for text in reached if text}
    assert "VIN contains" in reached


def _metric(label):
    return (
        "([...document.querySelectorAll('[data-testid=stMetric]')].find(m => "
        f"m.querySelector('[data-testid=stMetricLabel]').innerText.trim() == '{label}')"
        "?.querySelector('[data-testid=stMetricValue]').innerText.trim() ?? '')"
    )


def test_the_questions_stand_in_one_place():
    assert TITLE.startswith("(")
    assert all("'" not in text for name, text in vars(questions).items() if name.isupper())

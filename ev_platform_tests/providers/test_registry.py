"""The registry from file and lists: check digits, nominal figures with their source, unknown cars, both file forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.commands.doctor import check_providers
from ev_platform.errors import UserError
from ev_platform.lake.registry import read_vehicles
from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.vin import check_digit, vin_check
from ev_platform.providers.doctor import provider_lines
from ev_platform.providers.pull import pull
from ev_platform.providers.registry import nominal, nominal_models, unknown_vehicles, vehicle_registry
from ev_platform.simulate.standins.server import Fault, Reply
from ev_platform_tests.providers.conftest import VINS

TOML = """
[[vehicle]]
vin = "5YJ3E1EA7KF317000"
make = "Tesla"
model = "Model 3"
trim = "LR"
device_ids = "box-1 box-2"
home_region = "FR-IDF"
"""


def test_known_vins_pass_and_one_wrong_character_shows():
    assert vin_check("1M8GDM9AXKP042788") == "ok"  # the usual example of 49 CFR 565
    assert vin_check("11111111111111111") == "ok"
    assert vin_check("1M8GDM9A1KP042788") == "wrong"
    assert vin_check("VF1AG000X64744771") == "none"


@given(st.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", min_size=16, max_size=16), st.integers(0, 15), st.integers(1, 9))
def test_a_changed_digit_is_found(rest, at, step):
    vin = "1" + rest
    vin = vin[:8] + check_digit(vin) + vin[9:]
    assert vin_check(vin) == "ok"
    at = at if at < 8 else at + 1
    if vin[at].isdigit():
        other = vin[:at] + str((int(vin[at]) + step) % 10) + vin[at + 1 :]
        assert vin_check(other) in ("wrong", "none"), "weights are coprime to 11, so one digit always shows"


def test_toml_and_csv_say_the_same(tmp_path):
    toml, csv = tmp_path / "v.toml", tmp_path / "v.csv"
    toml.write_text(TOML)
    names = [name for name in VEHICLES.names if name not in ("listed_by", "vin_check")]
    row = {"vin": "5YJ3E1EA7KF317000", "make": "Tesla", "model": "Model 3", "trim": "LR"}
    row |= {"device_ids": "box-1 box-2", "home_region": "FR-IDF"}
    csv.write_text(",".join(names) + "\n" + ",".join(row.get(name, "") for name in names) + "\n")
    assert read_vehicles(str(toml)).equals(read_vehicles(str(csv)))
    toml.write_text(TOML + 'modell = "x"\n')
    with pytest.raises(UserError, match="modell is no column"):
        read_vehicles(str(toml))
    toml.write_text("[[vehicle]\n")
    with pytest.raises(UserError, match="EV_VEHICLES_FILE"):
        read_vehicles(str(toml))


def test_nominal_figures_fill_what_the_file_left_out_with_their_source(tmp_path):
    file = tmp_path / "v.toml"
    file.write_text(TOML)
    (row,) = vehicle_registry(str(file), ObjectStore("memory://")).to_pylist()
    assert (row["usable_new_kwh"], row["chemistry"]) == (74.0, None)
    assert row["reference_source"] == "nominal (Open EV Data: Tesla Model 3 LR)"
    file.write_text(TOML + "usable_new_kwh = 74.1\nreference_source = 'measured'\n")
    (row,) = vehicle_registry(str(file), ObjectStore("memory://")).to_pylist()
    assert (row["usable_new_kwh"], row["reference_source"]) == (74.1, "measured")


def test_the_more_exact_model_wins_and_a_stranger_gets_nothing():
    assert nominal("Renault", "Zoe", None) is None  # 22, 41 or 52 kWh
    assert nominal("Renault", "Zoe", "R110 ZE50").usable_kwh == 52.0
    assert nominal("renault", "ZOE ZE40", None).usable_kwh == 41.0
    assert nominal("Volkswagen", "ID.3", "Pro S").usable_kwh == 77.0
    assert nominal("Renault", "Twingo", None) is None
    assert nominal(None, None, None) is None
    assert all(one.source for one in nominal_models())
    assert len({(one.make, one.words) for one in nominal_models()}) == len(nominal_models())


@pytest.mark.parametrize("name", ["high_mobility", "mobilisights", "bmw"])
def test_cars_of_a_providers_list_are_in_the_registry(bench, name):
    b = bench(name, 2)
    client, access = b.client()
    pull(client, access, b.store, "2026-10-01")
    table = vehicle_registry("", b.store)
    assert table.schema.equals(VEHICLES)
    assert [(row["vin"], row["listed_by"]) for row in table.to_pylist()] == [(vin, name) for vin in VINS[:2]]
    assert table["make"].to_pylist() == {"high_mobility": ["Renault"] * 2, "bmw": ["BMW"] * 2}.get(name, [None] * 2)
    assert unknown_vehicles(b.store, set(VINS[:2])) == []
    assert unknown_vehicles(b.store, set(VINS[:1])) == [VINS[1]]


@pytest.mark.parametrize("name", ["high_mobility", "bmw", "mobilisights", "tesla_rest"])
def test_the_doctor_says_what_is_configured_reachable_and_left(bench, name):
    b = bench(name, 2)
    (line,) = provider_lines(b.settings, b.store, name, ask=True, clock=b.clock)
    assert f"{name}: configured, reachable, 2 vehicles, 2 of them active" in line
    assert ("49 requests left" in line) is (name == "bmw")
    bare = b.settings.with_changes(
        **{f"{name}_{option}": "" for option in (["client_id"] if name != "mobilisights" else ["email", "password"])}
    )
    (line,) = provider_lines(bare, b.store, name, ask=True)
    assert "not configured (EV_" in line


def test_the_doctor_names_every_provider_and_the_one_that_fails(bench):
    b = bench("mobilisights", 2)
    assert sum("not configured" in line for line in check_providers(b.settings)) == 3
    b.server.faults.append(Fault("exports", Reply(500, b"standin-secret"), 10**6))
    b.settings = b.settings.with_changes(mobilisights_password="standin-wrong")
    b.server.revoke()
    (b.settings.state_dir / "tokens.json").unlink(missing_ok=True)
    with pytest.raises(UserError, match="EV_MOBILISIGHTS") as caught:
        list(check_providers(b.settings))
    assert "standin" not in str(caught.value)


def test_parked_cars_are_listed_and_come_back(bench):
    from ev_platform.providers.state import unpark

    b = bench("high_mobility", 2)
    b.server.faults.append(Fault(VINS[1], Reply(404, b"{}"), 3))
    for _ in range(3):
        client, access = b.client()
        pull(client, access, b.store, "2026-10-01")
    lines = list(provider_lines(b.settings, b.store, "high_mobility", ask=False, clock=b.clock))
    assert f"{VINS[1]} is parked: HTTP 404" in lines[1]
    unpark(b.store, "high_mobility", VINS[1])
    client, access = b.client()
    assert pull(client, access, b.store, "2026-10-01").changed == 1

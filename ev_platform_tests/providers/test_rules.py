"""Every row of the stand-ins' table of rules: a careless client fails against it, ours does not.

The careless clients are written here with bare `requests`, as one would after a quick look at the documentation. Each
returns True when it got what it wanted; the test wants False.
"""

import json

import pytest
import requests

from ev_platform.engine.compaction import compact_day
from ev_platform.lake.layout import compressed_key
from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.tables import from_parquet
from ev_platform.providers.pull import pull
from ev_platform.simulate.standins.bmw import payload as bmw_payload
from ev_platform.simulate.standins.rules import RULES
from ev_platform.transform.clean import clean
from ev_platform_tests.providers.conftest import DAY, NOW, VINS, known

TRUE_SOC = known(0)(NOW)["soc_percent"][0]
TRUE_KM = 41203.5


def get(server, path, token, **more):
    return requests.get(
        server.url + path, headers={"Authorization": f"Bearer {token}", **more.pop("headers", {})}, **more
    )


def hm_token(server):
    body = {"grant_type": "client_credentials", "client_id": server.client_id, "client_secret": server.client_secret}
    return requests.post(f"{server.url}/v1/access_tokens", json=body).json()["access_token"]


def hm_data(server, vin=VINS[0]):
    return get(server, f"/v1/vehicle-data/autoapi-13/{vin}", hm_token(server))


def bmw_access(server):
    form = {"grant_type": "refresh_token", "refresh_token": server.log_in(), "client_id": server.client_id}
    return requests.post(f"{server.url}/gcdm/oauth/token", data=form).json()


V1 = {"x-version": "v1"}


def bmw_mappings(server, token, headers=V1):
    return get(server, "/customers/vehicles/mappings", token, headers=headers)


def ms_lines(server):
    form = {"email": server.email, "password": server.password}
    token = requests.post(f"{server.url}/api/auth/login", data=form).json()["authToken"]
    return get(server, "/connected-fleet/api/exports/car-states.json", token, params={"v": "2"}).text


def ms_car(server):
    return json.loads(ms_lines(server))[0]


def tesla_grant(server, refresh):
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": server.client_id}
    return requests.post(f"{server.url}/oauth2/v3/token", data=form)


def tesla_data(server, vin=VINS[0], token=None):
    token = token or tesla_grant(server, server.log_in()).json()["access_token"]
    return get(server, f"/api/1/vehicles/{vin}/vehicle_data", token, params={"endpoints": "charge_state;location_data"})


def near(value, wanted, tolerance=0.6):
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value - wanted) <= tolerance


# -- careless clients, by row ------------------------------------------------------------------------------------------


def keeps_its_token(b):
    token = hm_token(b.server)
    b.clock.advance(301)
    return get(b.server, "/v1/fleets/vehicles", token).ok


def asks_uncleared_cars(b):
    b.server.clearance[VINS[0]] = "pending"
    return hm_data(b.server).ok


def reads_fractions_as_percent(b):
    return near(hm_data(b.server).json()["charging"]["battery_level"]["data"], TRUE_SOC)


def assumes_kilometres(b):
    return near(hm_data(b.server).json()["diagnostics"]["odometer"]["data"]["value"], TRUE_KM)


def expects_data_everywhere(b):
    found = hm_data(b.server).json()
    return all("data" in value for part in ("charging", "diagnostics") for value in found[part].values())


def polls_every_minute(b):
    token = bmw_access(b.server)["access_token"]
    return all(bmw_mappings(b.server, token).ok for _ in range(51))


def forgets_the_version(b):
    return bmw_mappings(b.server, bmw_access(b.server)["access_token"], {}).ok


def keeps_bmws_token(b):
    token = bmw_access(b.server)["access_token"]
    b.clock.advance(3601)
    return bmw_mappings(b.server, token).ok


def keeps_bmws_refresh_token(b):
    refresh = b.server.log_in()
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": b.server.client_id}
    return all(requests.post(f"{b.server.url}/gcdm/oauth/token", data=form).ok for _ in range(4))


def bmw_data(b, token):
    body = {"name": "x", "purpose": "y", "technicalDescriptors": list(bmw_payload(known(0)(NOW)))}
    headers = {**V1, "Authorization": f"Bearer {token}"}
    container = requests.post(f"{b.server.url}/customers/containers", json=body, headers=headers).json()["containerId"]
    return get(
        b.server, f"/customers/vehicles/{VINS[0]}/telematicData", token, headers=V1, params={"containerId": container}
    )


def reads_secondary_cars(b):
    b.server.mapping[VINS[0]] = "SECONDARY"
    return bmw_data(b, bmw_access(b.server)["access_token"]).ok


def bmw_values(b):
    return bmw_data(b, bmw_access(b.server)["access_token"]).json()["telematicData"]


def adds_up_text(b):
    return near(bmw_values(b)["vehicle.vehicle.travelledDistance"]["value"], TRUE_KM)


def turns_all_into_numbers(b):
    try:
        return bool([float(entry["value"]) for name, entry in bmw_values(b).items() if "status" not in name])
    except ValueError:
        return False


def assumes_kilowatts(b):
    return near(float(bmw_values(b)["vehicle.powertrain.electric.battery.charging.power"]["value"]), 7.4)


def makes_a_container_per_poll(b):
    token = bmw_access(b.server)["access_token"]
    try:
        return all(bmw_data(b, token).ok for _ in range(11))
    except KeyError:
        return False


def leaves_the_verifier_out(b):
    form = {"client_id": b.server.client_id, "code_challenge": "abc", "code_challenge_method": "S256"}
    code = requests.post(f"{b.server.url}/gcdm/oauth/device/code", data=form).json()["device_code"]
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    form = {"client_id": b.server.client_id, "device_code": code, "grant_type": grant}
    return requests.post(f"{b.server.url}/gcdm/oauth/token", data=form).ok


def keeps_a_revoked_token(b):
    form = {"email": b.server.email, "password": b.server.password}
    token = requests.post(f"{b.server.url}/api/auth/login", data=form).json()["authToken"]
    b.server.revoke()
    return get(b.server, "/connected-fleet/api/exports/car-states.json", token).ok


def parses_each_line_as_it_is(b):
    try:
        return [json.loads(line) for line in ms_lines(b.server).splitlines()] != []
    except json.JSONDecodeError:
        return False


def compares_text_with_numbers(b):
    return near(ms_car(b.server)["electricity"]["level"]["percentage"], TRUE_SOC)


def expects_a_remaining_time(b):
    return "value" in ms_car(b.server)["electricity"]["charging"]["remainingTime"]


def assumes_stellantis_kilometres(b):
    return near(ms_car(b.server)["odometer"]["value"], TRUE_KM)


def hashes_the_whole_state(b):
    first = ms_car(b.server)
    b.clock.advance(30)
    return ms_car(b.server) == first


def asks_tesla_61_times(b):
    token = tesla_grant(b.server, b.server.log_in()).json()["access_token"]
    return all(tesla_data(b.server, token=token).ok for _ in range(61))


def keeps_teslas_token(b):
    token = tesla_grant(b.server, b.server.log_in()).json()["access_token"]
    b.clock.advance(28_801)
    return tesla_data(b.server, token=token).ok


def keeps_teslas_refresh_token(b):
    first = b.server.log_in()
    second = tesla_grant(b.server, first).json()["refresh_token"]
    tesla_grant(b.server, second)
    return tesla_grant(b.server, first).ok


def comes_back_with_the_last_used_one_after_a_day(b):
    first = b.server.log_in()
    tesla_grant(b.server, first)
    b.clock.advance(24 * 3600 + 1)
    return tesla_grant(b.server, first).ok


def asks_a_sleeping_car(b):
    b.server.asleep.add(VINS[0])
    return tesla_data(b.server).ok


def tesla_block(b, block):
    return tesla_data(b.server).json()["response"][block]


def believes_every_word(b):
    return tesla_block(b, "charge_state")["fast_charger_type"] in ("Combo", "Tesla", "CHAdeMO", None)


def takes_power_as_charging(b):
    return tesla_block(b, "drive_state")["power"] > 0  # the car charges


def takes_block_times_as_seconds(b):
    return tesla_block(b, "charge_state")["timestamp"] < 10**11


def takes_gps_times_as_ms(b):
    return tesla_block(b, "drive_state")["gps_as_of"] > 10**11


def takes_miles_as_kilometres(b):
    return near(tesla_block(b, "vehicle_state")["odometer"], TRUE_KM)


def asks_the_wrong_region(b):
    b.server.wrong_region = True
    return tesla_data(b.server).ok


CARELESS = {
    ("high_mobility", "token_life_s"): keeps_its_token,
    ("high_mobility", "approved_only"): asks_uncleared_cars,
    ("high_mobility", "percent_is_fraction"): reads_fractions_as_percent,
    ("high_mobility", "unit_in_payload"): assumes_kilometres,
    ("high_mobility", "failure_object"): expects_data_everywhere,
    ("high_mobility", "repeats_old_times"): lambda b: "T11:00:00" not in hm_data(b.server).text,
    ("bmw", "daily_requests"): polls_every_minute,
    ("bmw", "version_header"): forgets_the_version,
    ("bmw", "token_life_s"): keeps_bmws_token,
    ("bmw", "refresh_rotates"): keeps_bmws_refresh_token,
    ("bmw", "primary_only"): reads_secondary_cars,
    ("bmw", "values_are_text"): adds_up_text,
    ("bmw", "sentinels"): turns_all_into_numbers,
    ("bmw", "power_in_watts"): assumes_kilowatts,
    ("bmw", "most_containers"): makes_a_container_per_poll,
    ("bmw", "pkce"): leaves_the_verifier_out,
    ("mobilisights", "token_needed"): keeps_a_revoked_token,
    ("mobilisights", "a_car_a_line"): parses_each_line_as_it_is,
    ("mobilisights", "percentage_is_text"): compares_text_with_numbers,
    ("mobilisights", "absent_is_empty"): expects_a_remaining_time,
    ("mobilisights", "unit_in_payload"): assumes_stellantis_kilometres,
    ("mobilisights", "sending_time_differs"): hashes_the_whole_state,
    ("tesla_rest", "requests_per_minute"): asks_tesla_61_times,
    ("tesla_rest", "token_life_s"): keeps_teslas_token,
    ("tesla_rest", "refresh_once"): keeps_teslas_refresh_token,
    ("tesla_rest", "last_used_hours"): comes_back_with_the_last_used_one_after_a_day,
    ("tesla_rest", "asleep"): asks_a_sleeping_car,
    ("tesla_rest", "invalid_word"): believes_every_word,
    ("tesla_rest", "power_sign"): takes_power_as_charging,
    ("tesla_rest", "block_time_ms"): takes_block_times_as_seconds,
    ("tesla_rest", "gps_time_s"): takes_gps_times_as_ms,
    ("tesla_rest", "miles"): takes_miles_as_kilometres,
    ("tesla_rest", "wrong_region"): asks_the_wrong_region,
}


def test_every_row_has_a_careless_client():
    assert {(rule.provider, rule.name) for rule in RULES} == set(CARELESS)
    assert all(rule.line > 0 and rule.source for rule in RULES)


@pytest.mark.parametrize("row", RULES, ids=lambda rule: f"{rule.provider}-{rule.name}")
def test_a_careless_client_fails(bench, row):
    b = bench(row.provider, 2)
    assert not CARELESS[row.provider, row.name](b), row.source


@pytest.mark.parametrize("name", ["high_mobility", "bmw", "mobilisights", "tesla_rest"])
def test_ours_reads_through_a_day_of_all_of_it(bench, name):
    """Tokens end, limits bite, odd shapes come: 24 hours of polls at the pace of the schedules, every value true."""
    b = bench(name, 2)
    report = None
    for _ in range(48):
        client, access = b.client(per_minute=55)
        report = pull(client, access, b.store, "2026-10-01")
        assert (report.failed, report.parked, report.stopped, report.dead_letters) == ({}, {}, "", {})
        b.clock.advance(1800)
    assert report is not None
    compact_day(b.settings, b.store, DAY)
    table = clean(from_parquet(b.store.get(compressed_key(DAY, VINS[0]))), VEHICLES.empty_table()).table
    for row in table.select(["time", "soc_percent", "odometer_km", "charge_power_kw"]).to_pylist():
        now = known(0)(int(row["time"].timestamp() * 1000))
        assert row["soc_percent"] is None or abs(row["soc_percent"] - now["soc_percent"][0]) <= 0.5
        assert row["odometer_km"] is None or abs(row["odometer_km"] - TRUE_KM) <= 0.5
        assert row["charge_power_kw"] is None or abs(row["charge_power_kw"] - 7.4) <= 0.5
    assert table["soc_percent"].drop_null().__len__() >= (20 if name != "bmw" else 8)

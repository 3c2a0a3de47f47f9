"""Every habit of the table is seen on the stand-in, asked over HTTP as a client would."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, date, datetime

import pytest
import requests

from ev_platform.simulate.open_data import annual, grid
from ev_platform.simulate.open_data.habits import HABITS, REQUESTS_PER_MINUTE
from ev_platform.simulate.open_data.server import OpenDataServer
from ev_platform.simulate.open_data.world import World
from ev_platform_tests.energy.worlds import small_world

SEEN = {}


def sees(name):
    """Marks a function as the proof of a habit."""

    def register(function):
        SEEN[name] = function
        return function

    return register


@pytest.fixture(scope="module")
def server():
    with OpenDataServer(small_world(), requests_per_minute=10_000) as running:
        yield running


def test_the_table_and_the_proofs_are_the_same_list():
    assert [habit.name for habit in HABITS] == list(SEEN)
    assert all(habit.facts and habit.line > 0 for habit in HABITS)


@pytest.mark.parametrize("name", [habit.name for habit in HABITS])
def test_habit(server, name):
    SEEN[name](server)


def ask(server, dataset, tail="", status=200, **query):
    answer = requests.get(f"{server.explore_url}/catalog/datasets/{dataset}{tail}", params=query, timeout=30)
    assert answer.status_code == status, answer.text
    return answer


def fair(server, dataset, tail="", status=200, **query):
    answer = requests.get(f"{server.data_fair_url}/datasets/{dataset}{tail}", params=query, timeout=30)
    assert answer.status_code == status, answer.text
    return answer


GRID = "eco2mix-regional-cons-def"
COMMUNE = "consommation-annuelle-d-electricite-et-gaz-par-commune"


@sees("records_limit")
def records_limit(server):
    body = ask(server, GRID, "/records", 400, limit=101).json()
    assert body == {
        "error_code": "InvalidRESTParameterError",
        "message": "Invalid value for limit API parameter: 101 was found but -1 <= limit <= 100 is expected.",
    }


@sees("records_window")
def records_window(server):
    body = ask(server, GRID, "/records", 400, limit=100, offset=10_000).json()
    assert body["message"] == (
        "Invalid value for sum of offset + limit API parameter: 10100 was found but <= 10000 is expected."
    )


@sees("unordered_records")
def unordered_records(server):
    pages = {ask(server, GRID, "/records", limit=50).text for _ in range(20)}
    assert len(pages) > 1
    assert (
        len({ask(server, GRID, "/records", limit=50, order_by="date_heure,code_insee_region").text for _ in range(5)})
        == 1
    )


@sees("export_offset")
def export_offset(server):
    lines = ask(server, GRID, "/exports/jsonl", offset=5).text.splitlines()
    assert "error_code" in json.loads(lines[-1])
    assert "error_code" not in json.loads(lines[0])


@sees("cut_stream")
def cut_stream(server):
    server.faults["cut"] = 1
    with pytest.raises(requests.RequestException):
        ask(server, GRID, "/exports/jsonl")


@sees("too_many_requests")
def too_many_requests(server):
    server.faults["busy"] = 1
    answer = ask(server, GRID, "/records", 429)
    assert answer.json()["errorcode"] == 10002
    assert answer.json()["reset_time"].endswith("Z")
    assert "Retry-After" in answer.headers


@sees("csv_export")
def csv_export(server):
    data = ask(server, GRID, "/exports/csv", where="date_heure < '2026-03-28T01:00:00Z'").content
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    assert len(list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=";"))) == 24


@sees("timezone")
def timezone(server):
    query = {"limit": 1, "order_by": "date_heure"}
    texts = [
        ask(server, GRID, "/records", **query, **zone).json()["results"][0]["date_heure"]
        for zone in ({}, {"timezone": "Europe/Paris"})
    ]
    assert texts == ["2026-03-28T00:00:00+00:00", "2026-03-28T01:00:00+01:00"]


@sees("odsql_error")
def odsql_error(server):
    assert ask(server, GRID, "/records", 400, where="date_heure like nothing").json()["error_code"] == "ODSQLError"


@sees("missing_dataset")
def missing_dataset(server):
    ask(server, "moved-away", "/records", 404)
    fair(server, "moved-away", "/lines", 404)


@sees("line_size")
def line_size(server):
    fair(server, COMMUNE, "/lines", 400, size=10_001)


@sees("link_cursor")
def link_cursor(server):
    by_json = fair(server, COMMUNE, "/lines", size=100).json()
    assert "after=100" in by_json["next"]
    by_csv = fair(server, COMMUNE, "/lines", size=100, format="csv")
    assert "after=100" in by_csv.links["next"]["url"]
    last = fair(server, COMMUNE, "/lines", size=100, after=by_json["total"] - 10)
    assert "next" not in last.json()
    assert len(last.json()["results"]) == 10


@sees("total_other")
def total_other(server):
    whole = fair(
        server, COMMUNE, "/values_agg", field="code_region", agg_size=1000, metric="sum", metric_field="nb_sites"
    ).json()
    assert whole["total_other"] == 0
    assert sum(bucket["total"] for bucket in whole["aggs"]) == whole["total"]
    cut = fair(
        server, COMMUNE, "/values_agg", field="code_commune", agg_size=10, metric="sum", metric_field="nb_sites"
    ).json()
    assert cut["total_other"] > 0


@sees("data_updated_at")
def data_updated_at(server):
    before = fair(server, COMMUNE).json()["dataUpdatedAt"]
    server.world.revision += 1
    assert fair(server, COMMUNE).json()["dataUpdatedAt"] > before


@sees("data_fair_429")
def data_fair_429(server):
    assert REQUESTS_PER_MINUTE == 600
    with OpenDataServer(small_world(), requests_per_minute=3) as strict:
        for _ in range(3):
            fair(strict, COMMUNE)
        fair(strict, COMMUNE, "", 429)


@sees("compat_export_offset")
def compat_export_offset(server):
    fair(server, COMMUNE, "/compat-ods/exports/jsonl", 400, offset=5)


@sees("renamed_address_fields")
def renamed_address_fields(server):
    new, old = (annual.publish_address(annual.address_truth(1, 2025), old_names=old)[0] for old in (False, True))
    assert "consommation_annuelle_totale_de_ladresse_mwh" in new
    assert "consommation_annuelle_totale_de_l_adresse_mwh" in old


def rows(server, source):
    return server.world.rows(source)


@sees("future_rows")
def future_rows(server):
    ahead = [row for row in rows(server, "eco2mix_regional_tr") if row["date_heure"] >= server.world.grid.now]
    assert ahead
    assert all(row["consommation"] is None for row in ahead)


def of_local_day(server, source, day, region="32"):
    return [r for r in rows(server, source) if r["date"] == day and r["code_insee_region"] == region]


@sees("spring_twins")
def spring_twins(server):
    day = of_local_day(server, "eco2mix_regional", "2026-03-29")
    by_hour = {row["heure"]: row for row in day}
    assert len(day) == 48
    for phantom, real in (("02:00", "03:00"), ("02:30", "03:30")):
        assert by_hour[phantom]["date_heure"] == by_hour[real]["date_heure"]
        assert by_hour[phantom]["consommation"] == by_hour[real]["consommation"]


@sees("autumn_hole")
def autumn_hole(server):
    instants = {row["date_heure"] for row in of_local_day(server, "eco2mix_regional", "2026-10-25")}
    missing = {datetime(2026, 10, 25, 0, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)}
    assert not instants & missing
    # of the 50 half-hours two are missing, and four lie before this small world begins (22:00Z to 24:00Z)
    assert len(instants) == 44


@sees("spring_phantoms")
def spring_phantoms(server):
    day = of_local_day(server, "half_hour_regional", "2026-03-29")
    counts = Counter(row["date_heure"] for row in day)
    twice = sorted(instant for instant, n in counts.items() if n == 2)
    assert twice == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]
    pair = [row for row in day if row["date_heure"] == twice[0]]
    assert 0.0 in {row["consommation_brute_gaz_totale"] for row in pair}
    assert len({row["consommation_brute_electricite_rte"] for row in pair}) == 2


@sees("hourly_gas")
def hourly_gas(server):
    for row in rows(server, "half_hour_national"):
        assert (row["consommation_brute_gaz_totale"] is None) == (row["date_heure"].minute == 30)


@sees("secrecy_zero")
def secrecy_zero(server):
    found = rows(server, "annual_commune")
    assert any(r["nb_sites"] is None and r["conso_totale_mwh"] is None and r["conso_moyenne_mwh"] == 0.0 for r in found)
    assert any(r["nb_sites"] and r["conso_totale_mwh"] == 0.0 for r in found)


@sees("secrecy_null")
def secrecy_null(server):
    hidden = [r for r in rows(server, "annual_department") if r["nb_sites"] is None]
    assert hidden
    assert all(r["conso_moyenne_mwh"] is None for r in hidden)


@sees("two_spellings")
def two_spellings(server):
    assert len({r["nom_departement"] for r in rows(server, "annual_department") if r["code_departement"] == "90"}) == 2


@sees("no_gas")
def no_gas(server):
    corse = next(r for r in rows(server, "annual_region") if r["code_insee_region"] == "94")
    assert "consommation_brute_gaz_totale" not in corse
    assert corse["statut_grtgaz"] == "Définitif"


@sees("negative_pumping")
def negative_pumping(server):
    values = [r["pompage"] for r in rows(server, "eco2mix_regional")]
    assert max(values) <= 0
    assert min(values) < 0


@sees("revisions")
def revisions(server):
    natures = {r["nature"] for r in rows(server, "eco2mix_regional")} | {
        r["nature"] for r in rows(server, "eco2mix_regional_tr")
    }
    assert natures == set(grid.NATURE.values())


def test_the_old_way_of_paging_loses_rows_and_ours_does_not():
    """The harvest that this replaces: limit 100, offset + 101, stop before 10,000, no order."""
    days = tuple(date(2026, 11, day) for day in range(1, 19))
    with OpenDataServer(World(days=days)) as server:
        total = len(server.world.rows("eco2mix_regional"))
        assert total > 10_000
        session, seen, got = requests.Session(), set(), 0
        for offset in range(0, 9_999, 101):
            url = f"{server.explore_url}/catalog/datasets/{GRID}/records"
            page = session.get(url, params={"limit": min(100, 10_000 - offset), "offset": offset}, timeout=30).json()[
                "results"
            ]
            got += len(page)
            seen |= {(row["code_insee_region"], row["date_heure"]) for row in page}
        assert got in (9_900, 9_901, 9_902)
        assert len(seen) < got
        export = session.get(
            f"{server.explore_url}/catalog/datasets/{GRID}/exports/jsonl", timeout=60
        ).text.splitlines()
        assert len({(row["code_insee_region"], row["date_heure"]) for row in map(json.loads, export)}) == total

"""A harvest is complete or not at all, goes on where it stood, and says in one line what a portal did wrong."""

import json

import pytest
import requests

from ev_platform.energy import tasks
from ev_platform.energy.data_fair import DataFairPortal, count_rows
from ev_platform.energy.explore import check_lines, count_lines
from ev_platform.energy.harvest import IncompleteHarvest, harvest, manifest_key, read_manifest
from ev_platform.energy.http import BrokenExport, PortalError
from ev_platform.energy.parse import parse
from ev_platform.energy.sources import load_sources, partition_bounds
from ev_platform.errors import SettingError
from ev_platform.lake.store import ObjectStore
from ev_platform.simulate.open_data import annual
from ev_platform_tests.energy.worlds import YEAR
from ev_platform_tests.moto_server import moto_bucket

MONTH = "2026-11"


def no_pause(seconds):
    pass


def run(place, name="eco2mix_regional", partition=MONTH, portal=None):
    return harvest(place.store, place.source(name), portal or place.portal(name), partition, no_pause)


def stored(place, name="eco2mix_regional"):
    return {key: place.store.get(key) for key in place.store.keys(f"energy/raw/{name}")}


def test_what_is_stored_is_what_was_sent(own):
    receipt = run(own)
    data = b"".join(data for key, data in stored(own).items() if key.endswith(".jsonl"))
    url = f"{own.server.explore_url}/catalog/datasets/eco2mix-regional-cons-def/exports/jsonl"
    where = "date_heure >= '2026-11-01T00:00:00Z' and date_heure < '2026-12-01T00:00:00Z'"
    query = {"where": where, "order_by": "date_heure,code_insee_region", "timezone": "UTC"}
    assert data == requests.get(url, params=query, timeout=30).content
    assert receipt.rows == count_lines(data) == read_manifest(own.store, "eco2mix_regional", MONTH).rows > 0


@pytest.mark.parametrize("fault", ["busy", "ill", "cut", "error_inside"])
def test_a_fault_that_passes_leaves_no_trace(own, fault):
    own.server.faults[fault] = 1
    run(own)
    faulty = stored(own)
    own.server.faults.clear()
    own.store.delete([manifest_key("eco2mix_regional", MONTH)])
    run(own)
    assert stored(own) == faulty


@pytest.mark.parametrize(("fault", "said"), [("cut", "broke off"), ("error_inside", "export failed")])
def test_a_fault_that_stays_is_one_line_and_nothing_becomes_complete(own, fault, said):
    own.server.faults[fault] = 99
    with pytest.raises(BrokenExport, match=said):
        run(own)
    assert read_manifest(own.store, "eco2mix_regional", MONTH) is None
    with pytest.raises(Exception, match="materialize it first"):
        tasks.raw_rows(own.store, own.source("eco2mix_regional"), MONTH)


def test_a_quota_that_starts_again_tomorrow_ends_the_run_at_once(own):
    own.server.faults["away_until_tomorrow"] = 99
    with pytest.raises(PortalError, match="quota is used up"):
        run(own)
    assert len(own.server.asked) == 1


def test_a_portal_that_stays_busy_is_named_with_its_own_words(own):
    own.server.faults["busy"] = 99
    with pytest.raises(PortalError, match=r"429.*10002 Too many requests.*quota starts again"):
        run(own)
    assert len(own.server.asked) == 6


def test_a_dataset_that_moved_is_named(own):
    text = (own.folder / "sources.toml").read_text().replace('"eco2mix-regional-cons-def"', '"moved-away"')
    (own.folder / "sources.toml").write_text(text)
    with pytest.raises(PortalError, match=r"404.*may have moved, see EV_ENERGY_SOURCES"):
        run(own)


def test_unchanged_data_are_not_fetched_again_and_changed_ones_are(own):
    run(own)
    before, asked = stored(own), len(own.server.asked)
    assert run(own).unchanged
    assert len(own.server.asked) == asked + 1
    assert stored(own) == before
    own.server.world.revision += 1
    assert not run(own).unchanged


class Counting:
    """A portal that says another number of rows than it has."""

    suffix = "jsonl"

    def __init__(self, portal, totals):
        self._portal, self._totals = portal, iter(totals)

    def __getattr__(self, name):
        return getattr(self._portal, name)

    def total(self, partition):
        return self._portal.total(partition) + next(self._totals)


@pytest.mark.parametrize("totals", [[1] * 6, [-1] * 6, [0, 1] * 3])
def test_rows_that_are_not_as_many_as_the_portal_counts_are_no_harvest(own, totals):
    with pytest.raises(IncompleteHarvest, match="the portal counts"):
        run(own, portal=Counting(own.portal("eco2mix_regional"), totals))
    assert stored(own) == {} or read_manifest(own.store, "eco2mix_regional", MONTH) is None


def test_a_count_that_changed_once_is_asked_again(own):
    run(own, portal=Counting(own.portal("eco2mix_regional"), [1, 1, 0, 0]))
    assert read_manifest(own.store, "eco2mix_regional", MONTH) is not None


class Dying(DataFairPortal):
    """A portal whose client is killed after some pages."""

    def __init__(self, place, name, pages):
        super().__init__(place.session, place.source(name), page_rows=100)
        self.left = pages

    def pieces(self, partition, cursor=None):
        for piece in super().pieces(partition, cursor):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield piece


@pytest.mark.parametrize("pages", [0, 1, 4, 8])
def test_killed_after_any_page_a_harvest_goes_on_there(own, pages):
    whole = Dying(own, "annual_commune", 99)
    run(own, "annual_commune", str(YEAR), whole)
    complete = stored(own, "annual_commune")
    own.store.delete(list(complete))
    with pytest.raises(KeyboardInterrupt):
        run(own, "annual_commune", str(YEAR), Dying(own, "annual_commune", pages))
    assert read_manifest(own.store, "annual_commune", str(YEAR)) is None
    receipt = run(own, "annual_commune", str(YEAR), Dying(own, "annual_commune", 99))
    assert receipt.resumed_rows == 100 * pages
    assert stored(own, "annual_commune") == complete


def test_a_dataset_that_was_updated_meanwhile_is_begun_anew(own):
    with pytest.raises(KeyboardInterrupt):
        run(own, "annual_commune", str(YEAR), Dying(own, "annual_commune", 3))
    own.server.world.revision += 1
    assert run(own, "annual_commune", str(YEAR), Dying(own, "annual_commune", 99)).resumed_rows == 0


def test_pages_are_followed_by_cursor_to_the_end(own):
    pieces = list(Dying(own, "annual_commune", 99).pieces(str(YEAR)))
    total = own.portal("annual_commune").total(str(YEAR))
    assert len(pieces) == -(-total // 100)
    assert sum(piece.rows for piece in pieces) == total
    assert [piece.cursor is None for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_next_page_on_another_host_is_not_followed(own):
    portal = own.portal("annual_commune")
    with pytest.raises(PortalError, match="another host"):
        list(portal.pieces(str(YEAR), "http://elsewhere.example/lines?after=1"))


def test_sums_of_the_server_are_those_of_the_rows_and_left_out_values_are_refused(own, monkeypatch):
    portal = own.portal("annual_commune")
    sums = portal.sums(["code_departement", "filiere"], "conso_totale_mwh", str(YEAR))
    rows = own.server.world.rows("annual_commune")
    for bucket in sums[:5]:
        mine = [r for r in rows if all(r[name] == bucket[name] for name in ("code_departement", "filiere"))]
        assert bucket["metric"] == pytest.approx(sum(r["conso_totale_mwh"] or 0 for r in mine))
    monkeypatch.setattr("ev_platform.energy.data_fair.MOST_BUCKETS", 5)
    with pytest.raises(PortalError, match="left out"):
        portal.sums(["code_commune"], "conso_totale_mwh", str(YEAR))


def test_both_spellings_of_the_moved_fields_are_read(own):
    source, truth = own.source("annual_address"), annual.address_truth(1, YEAR)
    tables = []
    for old in (False, True):
        rows = annual.publish_address(truth, old_names=old)
        lines = [",".join(rows[0])] + [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
        tables.append(parse(source, ["\n".join(lines).encode()]))
    assert tables[0].equals(tables[1])
    assert tables[0]["consommation_annuelle_totale_de_ladresse_mwh"].null_count() == 0


def test_a_field_that_is_gone_is_named(own):
    with pytest.raises(PortalError, match="the field annee is gone"):
        parse(own.source("annual_commune"), [b"operateur,filiere\nEnedis,Gaz\n"])


def test_codes_stay_texts_and_numbers_may_come_as_texts(own):
    row = {name: None for name in own.source("annual_region").columns}
    row |= {
        "annee": 2025,
        "code_insee_region": "01",
        "consommation_brute_electricite_rte": "12.5",
        "consommation_brute_totale": "ND",
    }
    found = parse(own.source("annual_region"), [json.dumps(row).encode()]).row(0, named=True)
    assert (found["annee"], found["code_insee_region"]) == ("2025", "01")
    assert (found["consommation_brute_electricite_rte"], found["consommation_brute_totale"]) == (12.5, None)


@pytest.mark.parametrize(
    ("data", "rows"),
    [(b"", 0), (b"a,b\n", 0), (b"a,b\n1,2\n", 1), (b'a,b\n1,"x\ny"\n2,z\n', 2), (b"\xef\xbb\xbfa,b\r\n1,2\r\n", 1)],
)
def test_rows_of_a_page_are_counted_as_csv(data, rows):
    assert count_rows(data, "page") == rows


def test_a_page_cut_inside_a_row_is_broken():
    with pytest.raises(BrokenExport):
        count_rows(b"a,b,c\n1,2,3\n1,2", "page")


@pytest.mark.parametrize("end", [b'{"a": 1', b"<html>", b'{"error_code": "X", "message": "m"}', b"[1]"])
def test_an_export_that_ends_badly_is_broken(end):
    with pytest.raises(BrokenExport):
        check_lines(b'{"a": 1}\n' + end, "export")


@pytest.mark.parametrize(
    ("partition", "start", "end"),
    [
        ("2025", "2025-01-01", "2026-01-01"),
        ("2025-12", "2025-12-01", "2026-01-01"),
        ("2024-02-28", "2024-02-28", "2024-02-29"),
    ],
)
def test_bounds_of_partitions(partition, start, end):
    assert [instant.date().isoformat() for instant in partition_bounds(partition)] == [start, end]


def test_the_sources_that_ship_are_whole_and_a_wrong_file_is_a_setting_error(tmp_path):
    sources = load_sources()
    assert len(sources) == 12
    for source in sources.values():
        assert set(source.key) <= set(source.text)
        assert source.attribution("2026-11-01").startswith(f"Source: {source.producer}")
    with pytest.raises(SettingError, match="EV_ENERGY_SOURCES"):
        load_sources(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("[x]\nprotocol = 'explore'\n")
    with pytest.raises(SettingError, match=r"\[x\].*base_url"):
        load_sources(str(tmp_path / "bad.toml"))


def test_on_s3_the_same_objects_with_the_same_bytes(own):
    """Harvest killed on the way and finished, on a folder and on S3."""
    with moto_bucket() as url:
        there = ObjectStore(url)
        for store in (own.store, there):
            with pytest.raises(KeyboardInterrupt):
                harvest(store, own.source("annual_commune"), Dying(own, "annual_commune", 2), str(YEAR), no_pause)
            harvest(store, own.source("annual_commune"), Dying(own, "annual_commune", 99), str(YEAR), no_pause)
            tasks.put_csv(
                store, "mart", str(YEAR), tasks.annual_table(own.settings, store, "annual_commune", str(YEAR))
            )
        keys = own.store.keys("energy")
        assert there.keys("energy") == keys
        assert [there.get(key) for key in keys] == [own.store.get(key) for key in keys]

"""The rules of energy data one by one, on rows small enough to be read."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ev_platform.energy import marts, refine_annual, refine_grid, star
from ev_platform.energy.sources import load_sources
from ev_platform.energy.time_rules import half_hours, one_per_instant, with_gaps, with_instant, with_rank
from ev_platform.lake.schemas_energy import ANNUAL_PLACE, GRID_LOAD_REGIONAL

SOURCES = load_sources()
START = datetime(2026, 3, 29, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
NATURES = {1: "Données temps réel", 2: "Données consolidées", 3: "Données définitives"}


def frame(source, *rows):
    known = SOURCES[source]
    schema = dict.fromkeys(known.text, pl.String) | dict.fromkeys(known.number, pl.Float64)
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def slot(instant=START, mw=100.0, region="32", rank=2, local=None, **values):
    shown = local or instant.astimezone(PARIS)
    return {
        "code_insee_region": region, "libelle_region": f"Region {region}", "nature": NATURES[rank],
        "date": shown.strftime("%Y-%m-%d"), "heure": shown.strftime("%H:%M"), "date_heure": instant.isoformat(),
        "consommation": mw, **values,
    }  # fmt: skip


def refined(settled=(), real_time=(), hours=1.0):
    table = refine_grid.refine_regional(
        frame("eco2mix_regional", *settled),
        frame("eco2mix_regional_tr", *real_time),
        START,
        START + timedelta(hours=hours),
    )
    return pl.from_arrow(table)


def test_rank_decides_whatever_the_order_of_rows():
    rows = [slot(mw=1.0, rank=1), slot(mw=3.0, rank=3), slot(mw=2.0, rank=2)]
    for order in (rows, rows[::-1], [rows[1], rows[0], rows[2]]):
        found = refined(order)
        assert found["consumption_mw"].to_list() == [3.0, None]
        assert found["nature"].to_list() == ["definitive", None]
        assert found["quality"].to_list() == ["ok", "gap"]


def test_of_two_rows_of_an_instant_the_one_whose_local_hour_fits_is_kept_and_the_difference_marked():
    instant = START + timedelta(hours=1)
    phantom = slot(instant, mw=7.0, local=instant.astimezone(PARIS) - timedelta(hours=1))
    for order in ([slot(instant, mw=9.0), phantom], [phantom, slot(instant, mw=9.0)]):
        found = refined(order, hours=2).filter(pl.col("instant") == instant)
        assert found["consumption_mw"].to_list() == [9.0]
        assert found["quality"].to_list() == ["conflict"]


def test_equal_twins_are_no_conflict_and_a_row_that_stands_alone_and_does_not_fit_is_marked():
    twin = slot(local=START.astimezone(PARIS) - timedelta(hours=1))
    assert refined([slot(), twin])["quality"].to_list()[0] == "ok"
    assert refined([twin])["quality"].to_list()[0] == "shifted"


def test_quarter_hours_are_averaged_and_nulls_are_left_out():
    quarter = timedelta(minutes=15)
    found = refined(real_time=[slot(mw=10.0, rank=1, solaire=4.0), slot(START + quarter, mw=20.0, rank=1)])
    first = found.row(0, named=True)
    assert (first["consumption_mw"], first["solar_mw"], first["wind_mw"]) == (15.0, 4.0, None)
    assert (first["nature"], first["quality"]) == ("real_time", "ok")
    alone = refined(real_time=[slot(mw=10.0, rank=1)]).row(0, named=True)
    assert (alone["consumption_mw"], alone["quality"]) == (10.0, "partial")


def test_settled_rows_replace_the_mean_of_real_time():
    found = refined([slot(mw=50.0)], [slot(mw=10.0, rank=1), slot(START + timedelta(minutes=30), mw=20.0, rank=1)])
    assert found["consumption_mw"].to_list() == [50.0, 20.0]
    assert found["rank"].to_list() == [2, 1]


def test_production_counts_hydro_and_not_pumping_and_null_is_not_zero():
    first = refined([slot(hydraulique=5.0, pompage=-3.0, eolien=2.0)]).row(0, named=True)
    assert first["production_mw"] == 7.0
    assert refined([slot(pompage=-3.0)]).row(0, named=True)["production_mw"] is None


def test_times_of_any_zone_are_the_same_instant():
    row = slot()
    for text in ("2026-03-29T00:00:00Z", "2026-03-29T01:00:00+01:00", "2026-03-28T19:00:00-05:00"):
        assert refined([{**row, "date_heure": text}])["instant"].to_list()[0] == START


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.booleans(), st.integers(0, 3)), max_size=12),
    st.randoms(),
)
def test_one_row_per_instant_in_any_order(rows, rng):
    """The best rank, among those a row that fits if there is one; independent of the order of rows."""
    made = [
        slot(START + n * timedelta(minutes=30), float(mw), rank=rank,
             local=None if fits else datetime(2026, 1, 1, tzinfo=UTC))
        for n, rank, fits, mw in rows
    ]  # fmt: skip
    known = with_rank(with_instant(frame("eco2mix_regional", *made)))
    single = one_per_instant(known, ["code_insee_region"], ["consommation"])
    shuffled = list(made)
    rng.shuffle(shuffled)
    again = one_per_instant(
        with_rank(with_instant(frame("eco2mix_regional", *shuffled))), ["code_insee_region"], ["consommation"]
    )
    assert single.select("instant", "consommation", "conflict").equals(
        again.select("instant", "consommation", "conflict")
    )
    for row in single.iter_rows(named=True):
        mine = [r for r in rows if START + r[0] * timedelta(minutes=30) == row["instant"]]
        best = [r for r in mine if r[1] == max(m[1] for m in mine)]
        fitting = [r for r in best if r[2]] or best
        assert row["rank"] == best[0][1]
        assert row["consommation"] in {float(r[3]) for r in fitting}
        assert row["conflict"] == (len({r[3] for r in best}) > 1)


def test_gaps_are_rows_for_every_place_that_was_seen():
    known = with_rank(with_instant(frame("eco2mix_regional", slot(), slot(region="11"))))
    found = with_gaps(known, START, START + timedelta(hours=3), ["code_insee_region", "libelle_region"])
    assert found.height == 12
    assert set(found["libelle_region"]) == {"Region 32", "Region 11"}
    assert with_gaps(known.clear(), START, START + timedelta(hours=3), ["code_insee_region"]).is_empty()


def test_half_hours_of_nothing_are_nothing():
    empty = with_rank(with_instant(frame("eco2mix_regional_tr")))
    assert half_hours(empty, ["code_insee_region"], ["consommation"]).is_empty()
    assert refined().is_empty()


# -- yearly tables ----------------------------------------------------------------------------------------------------


def commune(**values):
    return {"operateur": "Enedis", "filiere": "Electricité", "annee": "2025", "code_commune": "01001", **values}


@pytest.mark.parametrize(
    ("sites", "total", "mean", "withheld", "kept"),
    [
        (None, None, 0.0, True, None),
        (2.0, 0.0, 0.0, False, 0.0),
        (3.0, None, 1.0, False, 1.0),
        (None, 5.0, 2.0, False, 2.0),
    ],
)
def test_withheld_is_only_what_has_neither_sites_nor_total(sites, total, mean, withheld, kept):
    rows = frame("annual_commune", commune(nb_sites=sites, conso_totale_mwh=total, conso_moyenne_mwh=mean))
    found = pl.from_arrow(refine_annual.refine_place(rows)).row(0, named=True)
    assert (found["withheld"], found["mean_mwh"], found["total_mwh"]) == (withheld, kept, total)
    assert found["place_code"] == "01001"


@pytest.mark.parametrize(
    ("parts", "address"),
    [
        (("5", None, "RUE", "RASPAIL"), "5 RUE RASPAIL"),
        (("5", "BIS", "RUE", "DES  LILAS "), "5 BIS RUE DES LILAS"),
        ((None, None, None, "RASPAIL"), "RASPAIL"),
        ((None, None, None, None), None),
    ],
)
def test_an_address_is_what_is_known_of_it(parts, address):
    names = ("numero_de_voie", "indice_de_repetition", "type_de_voie", "libelle_de_voie")
    rows = frame("annual_address", {"annee": "2025", **dict(zip(names, parts, strict=True))})
    assert pl.from_arrow(refine_annual.refine_address(rows))["address"].to_list() == [address]


def test_a_mean_is_total_by_sites_and_never_a_mean_of_means():
    rows = frame(
        "annual_commune",
        commune(nb_sites=1.0, conso_totale_mwh=100.0, conso_moyenne_mwh=100.0, code_departement="01"),
        commune(nb_sites=99.0, conso_totale_mwh=99.0, conso_moyenne_mwh=1.0, code_departement="01", operateur="B"),
        commune(conso_moyenne_mwh=0.0, code_departement="01", operateur="C"),
    )
    place = pl.from_arrow(refine_annual.refine_place(rows))
    none = [pl.from_arrow(schema.empty_table()) for schema in (marts_schema("annual_address"), ANNUAL_PLACE)]
    energy = pl.from_arrow(marts_schema("annual_region").empty_table())
    found = pl.from_arrow(marts.consumption_total_mean(none[0], place, none[1], energy, energy)).row(0, named=True)
    assert (found["total_mwh"], found["sites"], found["mean_mwh"]) == (199.0, 100, 1.99)
    assert (found["rows"], found["withheld_rows"]) == (3, 1)


def marts_schema(name):
    from ev_platform.energy.tasks import SCHEMAS

    return SCHEMAS[name]


def test_shares_are_of_the_production_and_null_without_one():
    values = {"thermique": 0.0, "nucleaire": 75.0, "hydraulique": 25.0, "pompage": -10.0}
    grid = refined([slot(**values), slot(START + timedelta(minutes=30), nucleaire=0.0)])
    first, second = pl.from_arrow(star.consumption(grid)).to_dicts()
    assert (first["pct_nucleaire"], first["pct_hydraulique"], first["pct_pompage"]) == (75.0, 25.0, -10.0)
    assert first["pct_solaire"] is None
    assert (second["production_total"], second["pct_nucleaire"]) == (0.0, None)
    assert (first["date_enreg"].isoformat(), first["heure_enreg"]) == ("2026-03-29", "01:00")
    assert first["id_consommation"] == "32-20260329T0000Z"


def test_gaps_are_no_rows_of_the_star():
    grid = refined([slot()])
    assert grid.height == 2
    assert star.consumption(grid).num_rows == star.coverage_rate(grid).num_rows == 1
    assert star.consumption(pl.from_arrow(GRID_LOAD_REGIONAL.empty_table())).num_rows == 0
